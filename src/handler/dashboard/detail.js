
/* One call: its ribbon, what is said, what happened, and its end */

const TURNS = 400;                  // that are shown at most

const detail = {
    call: null,                     // as of the last answer that had it
    source: null,                   // EventSource
    sid: '',                        // whose turns are shown
    agent: null,                    // the agent's last turn
    events: '',                     // drawn
};


function choose(call) {
    state.chosen = call ? key(call) : '';
    detail.call = call;

    document.querySelector('main').classList.toggle('open', !!call);
    $('detail').hidden = !call;

    if (!call) {
        listen('');
        setHash('');
        drawRows();
        return;
    }

    setHash(state.chosen);
    $('detail').scrollTop = 0;
    detail.events = '';
    $('d-happened').hidden = true;
    updateDetail();
    drawRows();
    askEvents();
}


// so that a call can be sent to somebody else

function setHash(hash) {
    window.history.replaceState(null, '', hash ? `#${hash}`
        : location.pathname + location.search);
}


function updateDetail() {
    if (!detail.call) {
        return;
    }

    const match = call => same(call, detail.call);
    const call = state.live.find(match) || state.recent.find(match)
                 || detail.call;

    if (state.chosen !== key(call)) {

        // its stream has begun

        state.chosen = key(call);
        setHash(state.chosen);
    }

    detail.call = call;

    setText($('d-title'), arrow(call) + party(call));
    $('hangup').hidden = !!call.end_reason || !call.call_sid;
    $('d-error').hidden = !call.error;
    setText($('d-error'), call.error || '');

    const facts = {
        Agent: call.agent_id, Session: call.session_id, From: call.from,
        To: call.to, Began: new Date(begun(call)).toLocaleString(),
        'First audio': call.first_audio_seconds == null ? null
            : seconds(call.first_audio_seconds),
        Interruptions: call.interruptions ? String(call.interruptions) : null,
        'Call SID': call.call_sid, 'Stream SID': call.stream_sid,
        Conversation: call.conversation_id,
        'Answered by': call.answered_by, 'Twilio says': call.call_status,
        'SIP response': call.sip_response_code, 'Error': call.error_code,
        'End reason': call.end_reason,
    };

    const signature = JSON.stringify(facts);

    if ($('d-facts').dataset.drawn !== signature) {
        $('d-facts').dataset.drawn = signature;
        $('d-facts').replaceChildren(...Object.entries(facts)
            .filter(([, v]) => v)
            .flatMap(([k, v]) => [make('dt', '', k), make('dd', '', v)]));
    }

    listen(call.stream_sid);
    drawDetail();
}


// what goes on with the clock

function drawDetail() {
    const call = detail.call;

    if (!call || $('detail').hidden) {
        return;
    }

    const now = elapsed(call);
    const over = !!call.end_reason;

    setText($('d-state'), over ? `${words(call.end_reason)} after ${clock(now)}`
        : `${STATES[call.state] || call.state}, ${clock(now)}`);

    drawRibbon(call, now, over);
}


function drawRibbon(call, now, over) {
    const svg = $('d-ribbon');
    const width = Math.max(200, svg.clientWidth);
    const spans = state.talk.get(call.stream_sid)?.spans || [];

    // the whole of it, up to ten minutes

    const to = Math.max(now, over ? 1000 : 30000);
    const from = Math.max(0, to - 600000);

    if (!svg.firstChild) {
        shape(svg, 'g', { class: 'axis' });
        shape(svg, 'path', { class: 'caller', transform: 'translate(48 4)' });
        shape(svg, 'path', { class: 'agent', transform: 'translate(48 4)' });
        shape(svg, 'text', { class: 'lane', x: 0, y: 22 }, 'Caller');
        shape(svg, 'text', { class: 'lane', x: 0, y: 52 }, 'Agent');
    }

    const [axis, caller, agent] = svg.children;
    const d = ribbon(spans, from, to, now, width - 52, 60);

    setAttribute(caller, 'd', d[0]);
    setAttribute(agent, 'd', d[1]);

    const step = [5, 10, 15, 30, 60, 120, 300]
        .find(s => (to - from) / 1000 / s <= width / 90) || 600;
    const marks = [];

    for (let s = Math.ceil(from / 1000 / step) * step;
         (s * 1000 - from) / (to - from) * (width - 52) < width - 62;
         s += step)
    {
        marks.push([48 + (s * 1000 - from) / (to - from) * (width - 52),
                    clock(s * 1000)]);
    }

    while (axis.childElementCount > marks.length * 2) {
        axis.lastChild.remove();
    }

    while (axis.childElementCount < marks.length * 2) {
        shape(axis, 'path', { class: 'grid' });
        shape(axis, 'text', { y: 80, 'text-anchor': 'middle' });
    }

    marks.forEach(([x, text], i) => {
        setAttribute(axis.children[2 * i], 'd', `M${x.toFixed(1)} 2v64`);
        setAttribute(axis.children[2 * i + 1], 'x', x.toFixed(1));
        setText(axis.children[2 * i + 1], text);
    });

    const first = spans.length ? Math.max(from, spans[0][1]) : from;
    const parts = share(spans, first, now).map(p => `${Math.round(p * 100)} %`);
    const text = spans.length
        ? `Caller ${parts[0]} · Agent ${parts[1]} · Nobody ${parts[2]}`
        : 'Nobody has spoken yet';

    setText($('d-share'), text);
    setAttribute(svg, 'aria-label', `Who spoke when. ${text}`);
}


// the call's own list of events, where nginx has one

async function askEvents() {
    const call = detail.call;

    if (!call?.call_sid) {
        return;
    }

    let answer;

    try {
        answer = await (await ask('?view=calls&sid='
            + encodeURIComponent(call.call_sid))).json();
    } catch {
        return;
    }

    const found = [...answer.live, ...answer.recent]
        .find(c => same(c, call));
    const events = found?.events;

    if (!events?.length || !same(detail.call, call)) {
        return;
    }

    const signature = JSON.stringify(events);

    if (signature === detail.events) {
        return;
    }

    detail.events = signature;
    $('d-happened').hidden = false;
    $('d-events').replaceChildren(...events.map(event => {
        const item = make('li');
        const more = event.status ?? event.code;

        item.append(make('time', '', `${event.at.toFixed(1)} s`),
                    make('span', '', event.event.replace(/_/g, ' ')
                        + (more == null ? '' : `: ${more}`)));

        return item;
    }));
}


// turns as they are known; the browser asks again by itself, from the last

function listen(sid) {
    if (sid === detail.sid && (detail.source || !sid)) {
        return;
    }

    const talk = state.talk.get(sid);

    if (sid && !talk) {
        if (detail.sid !== sid) {
            silence(sid, 'Nothing has been said yet.');
        }
        return;
    }

    if (sid && !talk.transcript) {
        if (detail.sid !== sid || !detail.off) {
            silence(sid, talk.live
                ? 'Transcripts are switched off '
                  + '(voicebridge_log_transcripts).'
                : 'What was said is not kept.');
            detail.off = true;
        }
        return;
    }

    silence(sid, 'Nothing has been said yet.');

    if (!sid) {
        return;
    }

    const source = new EventSource('?view=transcript&sid='
        + encodeURIComponent(sid));

    detail.source = source;

    source.addEventListener('turn', event => said(JSON.parse(event.data)));

    source.addEventListener('end', () => source.close());

    source.addEventListener('error', () => {
        if (source.readyState === EventSource.CLOSED
            && !$('transcript').querySelector('b'))
        {
            note('What was said cannot be shown: too many read along, '
                 + 'or it is not kept any more.');
        }
    });
}


function silence(sid, text) {
    detail.source?.close();
    detail.source = null;
    detail.agent = null;
    detail.off = false;
    detail.sid = sid;
    note(text);
}


function note(text) {
    $('transcript').replaceChildren(make('p', 'note', text));
}


function said({ at, who, text }) {
    const log = $('transcript');
    const end = log.scrollHeight - log.scrollTop - log.clientHeight < 40;

    log.querySelector('.note')?.remove();

    if (who === 'correction' && detail.agent) {
        corrected(detail.agent, text);
        return;
    }

    const agent = who !== 'caller';
    const turn = make('p', agent ? 'a' : 'c');

    turn.append(make('b', '', agent ? 'Agent' : 'Caller'),
                make('time', '', clock(at * 1000)), make('span', '', text));
    log.append(turn);

    if (agent) {
        detail.agent = turn;
    }

    while (log.childElementCount > TURNS) {
        log.firstChild.remove();
    }

    if (end) {
        log.scrollTop = log.scrollHeight;
    }
}


// what the caller has really heard; the rest was never said

function corrected(turn, text) {
    const span = turn.lastChild;
    const whole = span.textContent;
    const heard = text.replace(/(\.\.\.|…)\s*$/, '');

    span.textContent = text;

    if (whole.startsWith(heard) && heard.length < whole.length) {
        span.textContent = heard;
        span.append(make('del', '', whole.slice(heard.length)));
    }
}


// The end of a call, by the API keys of the server: kept for this tab alone.

function askHangup() {
    const call = detail.call;

    if (!call || call.end_reason || !call.call_sid || $('ask').open) {
        return;
    }

    $('ask').sid = call.call_sid;
    $('ask-text').textContent = `The line to ${party(call)} is cut at once.`;
    $('ask-error').hidden = true;
    $('ask-key').hidden = true;
    $('ask-yes').disabled = false;
    $('ask').showModal();
    $('ask-yes').focus();
}


async function hangup() {
    const typed = $('key').value.trim();
    const saved = sessionStorage.getItem('voicebridge-key');
    const apiKey = $('ask-key').hidden ? saved : typed;

    $('ask-yes').disabled = true;
    $('ask-error').hidden = true;

    try {
        await ask('?view=calls&action=hangup&sid='
                  + encodeURIComponent($('ask').sid), {
            method: 'POST',
            headers: apiKey ? { 'X-API-Key': apiKey } : {},
            signal: AbortSignal.timeout(20000),
        });

        if (apiKey) {
            sessionStorage.setItem('voicebridge-key', apiKey);
        }

        $('key').value = '';
        $('ask').close();

    } catch (error) {
        const first = error.status === 401 && $('ask-key').hidden;

        if (error.status === 401) {
            sessionStorage.removeItem('voicebridge-key');
            $('ask-key').hidden = false;
            $('key').focus();
        }

        if (!first || saved) {
            $('ask-error').hidden = false;
            $('ask-error').textContent = error.status === 401
                ? 'That key is not one of this server’s.'
                : error.message || `nginx answered ${error.status
                                    || 'nothing'}.`;
        }
    }

    $('ask-yes').disabled = false;
}
