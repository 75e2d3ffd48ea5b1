
/* The clock of the page, and its keys */

const PERIOD = 1000;                // between two looks, ms

let metricsAt = -Infinity;
let timer = 0;


function status(name, text) {
    const element = $('status');

    if (element.className !== name) {
        element.className = name;
    }

    setText(element.lastElementChild, text);
}


function banner(text) {
    $('banner').hidden = !text;

    if (text) {
        setText($('banner'), text);
    }
}


// nothing is asked while nobody looks

async function look() {
    clearTimeout(timer);

    if (document.hidden) {
        return;
    }

    const began = performance.now();

    try {
        await Promise.all([askCalls(), askTalk()]);

        if (began - metricsAt > 5000) {
            const metrics = await askMetrics();

            metricsAt = began;
            drawHistogram('first', metrics.histogram.first_audio);
            drawHistogram('answer', metrics.histogram.answer);
            drawReasons(metrics.ended);

            if (!$('detail').hidden) {
                askEvents();
            }
        }

        state.lost = 0;
        document.body.classList.remove('stale');
        banner('');
        status('ok', 'Live');
        update();

    } catch (error) {
        failed(error);
    }

    // what costs more is asked less often

    timer = setTimeout(look, Math.max(state.lost ? 2 * PERIOD : PERIOD,
        4 * (performance.now() - began)));
}


function failed(error) {
    state.lost ||= Date.now();
    document.title = '(!) voicebridge';
    document.body.classList.add('stale');

    if (error.status === 401 || error.status === 403) {
        status('lost', 'Refused');
        banner(`nginx refuses this page its data (${error.status}): `
               + 'see allow, deny and auth_… of this location.');

    } else if (error.status) {
        status('lost', 'No data');
        banner(`nginx answers ${error.status}. ${error.message}`);

    } else {
        status('lost', 'No answer');
        banner('nginx has not answered since '
            + new Date(state.lost).toLocaleTimeString()
            + '. What is shown is as of then. Trying again.');
    }
}


function update() {
    const n = state.live.length;
    const talking = state.live.filter(call => call.state === 'live').length;

    setText($('live-count'), n.toLocaleString());
    setText($('live-note'), !n ? 'Quiet'
        : talking === n ? (n > 1 ? 'All talking' : 'Talking')
        : `${talking} talking, ${n - talking} on the way in or out`);
    drawLive(n);
    updateList();
    updateDetail();

    document.title = n ? `(${n}) voicebridge` : 'voicebridge';
}


// durations and ribbons go on between two answers

function tick() {
    if (!document.hidden && !state.lost) {
        drawRows();
        drawDetail();
    }
}


function open(i) {
    const call = list.calls[i];

    if (!call) {
        return;
    }

    list.at = i;
    choose(call);

    if (getComputedStyle($('calls')).display === 'none') {
        $('detail').focus();
    }
}


function close() {
    choose(null);
    $('list').focus({ preventScroll: true });
}


function keyOfList(event) {
    const page = Math.floor($('list').clientHeight / ROW) - 1;
    const moves = {
        ArrowDown: 1, ArrowUp: -1, j: 1, k: -1, PageDown: page, PageUp: -page,
        Home: -Infinity, End: Infinity,
    };

    if (event.key in moves) {
        moveTo(list.at + moves[event.key]);

    } else if (event.key === 'Enter' || event.key === ' ') {
        open(Math.max(0, list.at));

    } else {
        return;
    }

    event.preventDefault();
}


function keyOfPage(event) {
    if (event.ctrlKey || event.altKey || event.metaKey || $('ask').open) {
        return;
    }

    const typing = event.target.tagName === 'INPUT';

    if (event.key === 'Escape') {
        if (typing && $('filter').value) {
            $('filter').value = list.filter = '';
            updateList();

        } else if (typing) {
            $('list').focus();

        } else if (state.chosen) {
            close();
        }

    } else if (typing) {
        if (event.key === 'ArrowDown' || event.key === 'Enter') {
            $('list').focus();
            moveTo(0);
            event.preventDefault();
        }

    } else if (event.key === '/') {
        $('filter').focus();
        event.preventDefault();

    } else if (event.key === 'h' || event.key === 'H') {
        askHangup();
        event.preventDefault();
    }
}


function keyOfTabs(event) {
    if (event.key === 'ArrowLeft' || event.key === 'ArrowRight') {
        showTab(list.tab === 'live' ? 'recent' : 'live');
        $(`tab-${list.tab}`).focus();
        event.preventDefault();
    }
}


function begin() {
    const box = $('list');

    $('host').textContent = location.host;
    $('rows').addEventListener('click', event => {
        const row = event.target.closest('.row');

        if (row) {
            open(row.index);
        }
    });

    box.addEventListener('scroll', drawRows, { passive: true });
    box.addEventListener('keydown', keyOfList);
    box.addEventListener('focus', () => {
        if (list.at < 0) {
            moveTo(0);
        }
    });

    new ResizeObserver(() => { drawRows(); }).observe(box);
    new ResizeObserver(drawDetail).observe($('d-ribbon'));

    $('tab-live').addEventListener('click', () => showTab('live'));
    $('tab-recent').addEventListener('click', () => showTab('recent'));
    document.querySelector('[role=tablist]')
        .addEventListener('keydown', keyOfTabs);

    $('filter').addEventListener('input', () => {
        list.filter = $('filter').value.trim().toLowerCase();
        updateList();
    });

    $('back').addEventListener('click', close);
    $('hangup').addEventListener('click', askHangup);
    $('ask-no').addEventListener('click', () => $('ask').close());
    $('ask-form').addEventListener('submit', event => {
        event.preventDefault();
        hangup();
    });

    document.addEventListener('keydown', keyOfPage);
    document.addEventListener('visibilitychange', look);

    state.chosen = location.hash.slice(1);
    setInterval(tick, PERIOD);

    look().then(() => {
        const call = [...state.live, ...state.recent]
            .find(c => key(c) === state.chosen
                       || c.call_sid === state.chosen);

        choose(call || null);
    });
}

begin();
