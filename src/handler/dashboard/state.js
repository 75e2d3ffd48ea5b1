
/*
 * What this page knows: the calls, who speaks when, and whether nginx answers.
 * Everything comes from this page's own address, by ?view=.
 */

const $ = id => document.getElementById(id);

// nothing of ours has failed; everything else deserves a look
const FINE = new Set(['caller_hung_up', 'agent_ended', 'handed_off',
                      'operator', 'machine', 'busy', 'no_answer',
                      'canceled']);

const WORDS = {
    caller_hung_up: 'The caller hung up',
    caller_lost: 'The phone’s connection was lost',
    caller_silent: 'The phone fell silent',
    phone_protocol: 'The phone broke the protocol',
    no_start: 'No start came on the stream',
    bad_start: 'The stream could not be served',
    bad_token: 'The stream was refused',
    agent_ended: 'The agent ended it',
    agent_failed: 'The agent broke down',
    agent_lost: 'The agent’s connection was lost',
    agent_silent: 'The agent fell silent',
    agent_protocol: 'The agent broke the protocol',
    agent_unreachable: 'The agent could not be reached',
    agent_timeout: 'The agent did not answer in time',
    too_long: 'It reached its longest duration',
    handed_off: 'Handed to another worker',
    shutdown: 'nginx stopped',
    worker_lost: 'A worker of nginx died',
    internal_error: 'Something failed in nginx',
    operator: 'An operator ended it',
    machine: 'Who answered was hung up on',
    busy: 'The line was busy',
    no_answer: 'Nobody answered',
    canceled: 'It was canceled',
    failed: 'Twilio could not place it',
    no_stream: 'Twilio opened no media stream',
    no_callback: 'Twilio was not heard of again',
};

const STATES = {
    queued: 'Twilio has it',
    dialing: 'Dialing',
    ringing: 'Ringing',
    answered: 'Answered, no stream yet',
    accepted: 'Answered, waiting for the stream',
    connecting: 'Connecting to the agent',
    initiated: 'Waiting for the agent',
    live: 'Talking',
    ending: 'Ending',
    ended: 'Ended',
};

const words = reason => WORDS[reason]
    || (reason ? reason.replace(/_/g, ' ') : 'Ended');

const state = {
    live: [],                   // calls, newest first
    recent: [],
    talk: new Map(),            // stream_sid: { spans, live, transcript }
    seq: 0,                     // of the last answer about talk
    received: 0,                // performance.now() of the last calls
    lost: 0,                    // since when nginx does not answer, ms
    chosen: '',                 // key of the call in the detail
};


// A stream is one call's one stay here.  Before there is one a call has its
// SID, and before that it has nothing.

const key = call => call.stream_sid || call.call_sid || begun(call);

const begun = call => call.started || call.created;

const same = (a, b) => key(a) === key(b)
    || !b.stream_sid && !!b.call_sid && a.call_sid === b.call_sid;


// how long a call has been going on by now, ms

function elapsed(call) {
    const then = call.duration * 1000;

    return call.end_reason ? then : then + performance.now() - state.received;
}


function clock(ms) {
    const s = Math.max(0, Math.floor(ms / 1000));
    const m = Math.floor(s / 60) % 60;
    const h = Math.floor(s / 3600);
    const two = n => String(n).padStart(2, '0');

    return h ? `${h}:${two(m)}:${two(s % 60)}` : `${m}:${two(s % 60)}`;
}


function seconds(s) {
    return s < 1 ? `${Math.round(s * 1000)} ms`
         : s < 10 ? `${+s.toFixed(1)} s` : `${Math.round(s)} s`;
}


function ago(date) {
    const s = (Date.now() - date) / 1000;

    return s < 60 ? 'just now'
         : s < 3600 ? `${Math.floor(s / 60)} min ago`
         : new Date(date).toLocaleTimeString([], { timeStyle: 'short' });
}


function setText(element, text) {
    if (element.firstChild?.nodeType === 3 && !element.firstChild.nextSibling) {
        if (element.firstChild.data !== text) {
            element.firstChild.data = text;
        }
    } else {
        element.textContent = text;
    }
}


function setAttribute(element, name, value) {
    if (element.getAttribute(name) !== value) {
        element.setAttribute(name, value);
    }
}


function make(name, className, text) {
    const element = document.createElement(name);

    if (className) {
        element.className = className;
    }

    if (text !== undefined) {
        element.textContent = text;
    }

    return element;
}


// an error that has a status is nginx's own word

async function ask(query, options = {}) {
    const answer = await fetch(query, {
        signal: AbortSignal.timeout(8000),
        cache: 'no-store',
        ...options,
    });

    if (!answer.ok) {
        const text = await answer.text();
        const error = new Error(text);

        error.status = answer.status;

        try {
            error.message = JSON.parse(text).detail || text;
        } catch {
            error.message = '';
        }

        throw error;
    }

    return answer;
}


async function askCalls() {
    const calls = await (await ask('?view=calls&limit=1000')).json();

    state.received = performance.now();
    state.live = calls.live;
    state.recent = calls.recent;
}


// Spans that are known already are replaced: one that goes on gets its end.

async function askTalk() {
    let talk = await (await ask(`?view=talk&since=${state.seq}`)).json();

    if (talk.seq < state.seq) {

        // another nginx than before

        state.talk.clear();
        talk = await (await ask('?view=talk&since=0')).json();
    }

    state.seq = talk.seq;

    for (const news of talk.calls) {
        const known = state.talk.get(news.stream_sid);
        const spans = known ? known.spans : [];

        for (const span of news.spans) {
            const i = spans.findLastIndex(
                s => s[0] === span[0] && s[1] === span[1]);

            if (i >= 0) {
                spans[i] = span;
            } else {
                spans.push(span);
            }
        }

        if (spans.length > 1000) {
            spans.splice(0, spans.length - 1000);
        }

        state.talk.set(news.stream_sid, {
            spans, live: news.live, transcript: news.transcript,
        });
    }

    if (state.talk.size > state.live.length + state.recent.length + 200) {
        forgetTalk();
    }
}


function forgetTalk() {
    const known = new Set([...state.live, ...state.recent]
        .map(call => call.stream_sid));

    for (const sid of state.talk.keys()) {
        if (!known.has(sid)) {
            state.talk.delete(sid);
        }
    }
}


// Prometheus' text: what the charts need of it

async function askMetrics() {
    const text = await (await ask('?view=metrics')).text();
    const metrics = { ended: new Map(), histogram: {} };

    for (const line of text.split('\n')) {
        let m = /^voicebridge_calls_total\{.*reason="(\w+)"\} (\d+)/
            .exec(line);

        if (m) {
            metrics.ended.set(m[1], (metrics.ended.get(m[1]) || 0) + +m[2]);
            continue;
        }

        m = /^voicebridge_(first_audio|answer)_seconds_bucket\{le="(.+)"\} (.+)/
            .exec(line);

        if (m) {
            (metrics.histogram[m[1]] ||= []).push({
                le: m[2] === '+Inf' ? Infinity : +m[2], n: +m[3],
            });
        }
    }

    return metrics;
}
