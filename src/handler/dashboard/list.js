
/*
 * The list: of however many calls there are, only the rows that are seen
 * exist, and of those only what has changed is written.
 */

const ROW = 52;
const RIBBON = 120000;              // of a live call's ribbon in its row, ms

const list = {
    tab: 'live',
    filter: '',
    calls: [],                      // that pass the filter
    at: -1,                         // the row the keyboard is on
    rows: [],                       // elements, reused
};


function party(call) {
    const number = call.direction === 'outbound' ? call.to : call.from;

    // which digits are masked is of no use to anybody here

    return number?.replace(/^\+?\*+/, '••• ')
        || (call.direction === 'unknown' ? 'New call' : 'Number withheld');
}


const arrow = call => call.direction === 'outbound' ? '↗ '
                    : call.direction === 'inbound' ? '↙ ' : '';


function passes(call) {
    if (!list.filter) {
        return true;
    }

    return [call.from, call.to, call.agent_id, call.call_sid,
            call.session_id, call.conversation_id, call.end_reason]
        .some(s => s && s.toLowerCase().includes(list.filter));
}


// what is seen stays where it is while calls come and go above it

function updateList() {
    const box = $('list');
    const at = list.calls[list.at];
    const first = Math.floor(box.scrollTop / ROW);
    const seen = list.calls[first];

    list.calls = state[list.tab].filter(passes);

    if (at) {
        list.at = list.calls.findIndex(call => same(call, at));
    }

    setText($('n-live'), String(state.live.length));
    setText($('n-recent'), String(state.recent.length));
    $('rows').style.height = `${list.calls.length * ROW}px`;
    box.style.setProperty('--rows', `${list.calls.length * ROW}px`);

    if (seen && first > 0) {
        const now = list.calls.findIndex(call => key(call) === key(seen));

        if (now >= 0 && now !== first) {
            box.scrollTop += (now - first) * ROW;
        }
    }

    const none = !list.calls.length;

    box.hidden = none;
    $('empty').hidden = !none;
    $('calls').classList.toggle('none', none);

    if (none) {
        empty();
    }

    drawRows();
}


function empty() {
    const last = state.recent[0];

    if (list.filter) {
        setText($('empty-title'), 'Nothing matches');
        setText($('empty-note'), 'Esc clears the filter.');

    } else if (list.tab === 'recent') {
        setText($('empty-title'), 'No call has ended yet');
        setText($('empty-note'), 'The last hundred stay here.');

    } else {
        setText($('empty-title'), 'No calls right now');
        setText($('empty-note'), 'A call appears here by itself when it begins.'
            + (last ? ' The last one was '
                      + ago(Date.parse(begun(last)) + last.duration * 1000)
                      + '.' : ''));
    }
}


function makeRow() {
    const row = make('div', 'row');
    const svg = document.createElementNS(SVG, 'svg');

    row.setAttribute('role', 'option');
    svg.setAttribute('preserveAspectRatio', 'none');
    svg.setAttribute('viewBox', '0 0 400 26');
    svg.setAttribute('aria-hidden', 'true');

    const span = shape(svg, 'path', { class: 'span' });
    const parts = {
        span,
        who: make('div', 'who'), what: make('div', 'what'),
        clock: make('div'), end: make('div', 'end'),
        caller: shape(svg, 'path', { class: 'caller' }),
        agent: shape(svg, 'path', { class: 'agent' }),
    };

    const left = make('div');
    const right = make('div', 'time');

    left.append(parts.who, parts.what);
    right.append(parts.clock, parts.end);
    row.append(make('i', 'dot'), left, svg, right);
    row.parts = parts;

    return row;
}


function drawRows() {
    const box = $('list');

    if (box.hidden) {
        return;
    }

    const first = Math.max(0, Math.floor(box.scrollTop / ROW) - 2);
    const count = Math.min(list.calls.length - first,
                           Math.ceil(box.clientHeight / ROW) + 4);

    while (list.rows.length < count) {
        const row = makeRow();

        list.rows.push(row);
        $('rows').append(row);
    }

    // an element keeps its call while one scrolls

    list.rows.forEach((row, slot) => {
        const n = list.rows.length;
        const i = first + ((slot - first) % n + n) % n;

        row.hidden = i >= first + count;

        if (row.hidden) {
            row.removeAttribute('id');
        } else {
            drawRow(row, list.calls[i], i);
        }
    });

    setAttribute(box, 'aria-activedescendant',
                 list.at >= 0 ? `row-${list.at}` : '');
}


function drawRow(row, call, i) {
    const { who, what, clock: time, end, span, caller, agent } = row.parts;
    const id = key(call);
    const talk = state.talk.get(call.stream_sid);
    const now = elapsed(call);
    const over = !!call.end_reason;

    row.index = i;
    setAttribute(row, 'id', `row-${i}`);
    row.style.transform = `translateY(${i * ROW}px)`;
    setAttribute(row, 'aria-posinset', String(i + 1));
    setAttribute(row, 'aria-setsize', String(list.calls.length));
    setAttribute(row, 'aria-selected', String(id === state.chosen));

    const kind = over ? (FINE.has(call.end_reason) ? 'fine' : 'bad')
               : call.state === 'live' ? 'live' : 'waiting';
    const className = `row ${kind}${i === list.at ? ' at' : ''}`;

    if (row.className !== className) {
        row.className = className;
    }

    setText(who, arrow(call) + party(call));
    setText(what, call.agent_id || call.session_id || call.call_sid || '');
    setText(time, clock(now));
    setText(end, over ? call.end_reason.replace(/_/g, ' ')
               : call.state === 'live' ? '' : STATES[call.state] || call.state);
    setAttribute(end, 'title', end.textContent);

    // an ended one as a whole; of those that go on the last two minutes, so
    // that all have one clock, and now is where they end

    const to = Math.max(now, 1000);
    const from = over ? 0 : to - RIBBON;
    const x = Math.max(0, -from) / (to - from) * 400;
    const d = talk ? ribbon(talk.spans, from, to, now, 400, 26) : ['', ''];

    setAttribute(span, 'd', `M${x.toFixed(1)} 12.5H400v1H${x.toFixed(1)}z`);
    setAttribute(caller, 'd', d[0]);
    setAttribute(agent, 'd', d[1]);
}


function moveTo(i) {
    const box = $('list');

    if (!list.calls.length) {
        return;
    }

    list.at = Math.max(0, Math.min(list.calls.length - 1, i));

    const top = list.at * ROW;

    if (top < box.scrollTop) {
        box.scrollTop = top;

    } else if (top + ROW > box.scrollTop + box.clientHeight) {
        box.scrollTop = top + ROW - box.clientHeight;
    }

    drawRows();
}


function showTab(tab) {
    list.tab = tab;
    list.at = -1;

    for (const name of ['live', 'recent']) {
        const on = name === tab;

        $(`tab-${name}`).setAttribute('aria-selected', String(on));
        $(`tab-${name}`).tabIndex = on ? 0 : -1;
    }

    $('calls').classList.toggle('recent', tab === 'recent');
    $('list').setAttribute('aria-label',
                           tab === 'live' ? 'Live calls' : 'Recent calls');
    $('list').scrollTop = 0;
    updateList();
}
