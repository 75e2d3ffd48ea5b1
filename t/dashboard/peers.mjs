// What nginx stands between, small enough for hundreds of calls: phones and an
// agent that say what they are told to.  They check nothing; the tests in Perl
// do that.

import { createHash, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { connect } from 'node:net';

// 20 ms of a tone that is speech by its level, and of silence
const LOUD = Buffer.alloc(160, i => 0);
const QUIET = Buffer.alloc(160, 0xff);

for (let i = 0; i < 160; i++) {
    LOUD[i] = i % 16 < 8 ? 0x20 : 0xa0;
}


// WebSocket frames: small, whole, text

function frame(text, masked) {
    const payload = Buffer.from(text);
    const head = payload.length < 126
        ? Buffer.from([0x81, payload.length])
        : payload.length < 65536
        ? Buffer.from([0x81, 126, payload.length >> 8, payload.length & 255])
        : Buffer.from([0x81, 127, 0, 0, 0, 0, payload.length >>> 24,
                       payload.length >> 16 & 255, payload.length >> 8 & 255,
                       payload.length & 255]);

    if (!masked) {
        return Buffer.concat([head, payload]);
    }

    // a mask of zeros is one, too

    head[1] |= 0x80;
    return Buffer.concat([head, Buffer.alloc(4), payload]);
}


function reader(take) {
    let pending = Buffer.alloc(0);

    return data => {
        pending = Buffer.concat([pending, data]);

        for (;;) {
            if (pending.length < 2) {
                return;
            }

            const masked = pending[1] & 0x80;
            let len = pending[1] & 0x7f;
            let at = 2;

            if (len === 126) {
                if (pending.length < 4) {
                    return;
                }
                len = pending.readUInt16BE(2);
                at = 4;
            } else if (len === 127) {
                if (pending.length < 10) {
                    return;
                }
                len = Number(pending.readBigUInt64BE(2));
                at = 10;
            }

            const mask = masked ? pending.subarray(at, at + 4) : null;

            at += masked ? 4 : 0;

            if (pending.length < at + len) {
                return;
            }

            const payload = Buffer.from(pending.subarray(at, at + len));
            const opcode = pending[0] & 15;

            pending = pending.subarray(at + len);

            if (mask) {
                for (let i = 0; i < len; i++) {
                    payload[i] ^= mask[i & 3];
                }
            }

            take(opcode, payload);
        }
    };
}


// An agent for all calls: each of its sockets waits in sockets, by the call's
// SID, once the initiation has come.

export class Agent {
    sockets = new Map();
    waiting = new Map();

    async start() {
        this.server = createServer();
        this.server.on('upgrade', (request, socket) => {
            const accept = createHash('sha1')
                .update(request.headers['sec-websocket-key']
                        + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11')
                .digest('base64');

            socket.on('error', () => {});
            socket.write('HTTP/1.1 101 Switching Protocols\r\n'
                + 'Upgrade: websocket\r\nConnection: Upgrade\r\n'
                + `Sec-WebSocket-Accept: ${accept}\r\n\r\n`);
            socket.on('data', reader((opcode, payload) =>
                this.take(socket, opcode, payload)));
        });

        await new Promise(done => this.server.listen(0, '127.0.0.1', done));
        this.port = this.server.address().port;
    }

    take(socket, opcode, payload) {
        if (opcode === 8) {
            socket.end(Buffer.concat([Buffer.from([0x88, payload.length]),
                                      payload]));
            return;
        }

        if (opcode !== 1
            || !payload.includes('conversation_initiation_client_data'))
        {
            return;
        }

        const sid = /"call_sid": ?"(\w+)"/.exec(payload.toString())[1];

        this.send(socket, {
            type: 'conversation_initiation_metadata',
            conversation_initiation_metadata_event: {
                conversation_id: `conv_${sid.slice(2, 12)}`,
                agent_output_audio_format: 'ulaw_8000',
                user_input_audio_format: 'ulaw_8000',
            },
        });

        this.sockets.set(sid, socket);
        this.waiting.get(sid)?.();
    }

    async ready(sid) {
        if (!this.sockets.has(sid)) {
            await new Promise(done => this.waiting.set(sid, done));
        }
    }

    send(socket, value) { socket.write(frame(JSON.stringify(value))); }

    // what the agent says, and seconds of it to be heard
    say(sid, text, seconds = 1) {
        const socket = this.sockets.get(sid);

        this.event = (this.event || 0) + 1;
        this.send(socket, {
            type: 'agent_response',
            agent_response_event: { agent_response: text },
        });
        this.send(socket, {
            type: 'audio',
            audio_event: {
                audio_base_64: Buffer.alloc(8000 * seconds, LOUD)
                    .toString('base64'),
                event_id: this.event,
            },
        });
    }

    hear(sid, text) {
        this.send(this.sockets.get(sid), {
            type: 'user_transcript',
            user_transcription_event: { user_transcript: text },
        });
    }

    interrupted(sid, heard) {
        const socket = this.sockets.get(sid);

        this.send(socket, {
            type: 'interruption',
            interruption_event: { event_id: this.event },
        });
        this.send(socket, {
            type: 'agent_response_correction',
            agent_response_correction_event: {
                original_agent_response: '',
                corrected_agent_response: heard,
            },
        });
    }

    end(sid) {
        this.sockets.get(sid).end(Buffer.from([0x88, 2, 3, 0xe8]));
    }

    stop() {
        for (const socket of this.sockets.values()) {
            socket.destroy();
        }
        this.server.close();
    }
}


export class Phone {
    constructor(port, o = {}) {
        this.port = port;
        this.sid = 'CA' + randomBytes(16).toString('hex');
        this.stream = 'MZ' + randomBytes(16).toString('hex');
        this.parameters = { agent_id: 'agent_1', direction: 'inbound',
                            from: '+14155550123', to: '+14155550100', ...o };
        this.ended = new Promise(done => { this.end = done; });
    }

    async call() {
        const socket = connect(this.port, '127.0.0.1');

        this.socket = socket;
        socket.setNoDelay();
        socket.on('error', () => {});
        socket.on('close', () => { clearInterval(this.timer); this.end(); });

        await new Promise((done, failed) => {
            let head = '';

            const greet = data => {
                head += data.toString('latin1');

                if (!head.includes('\r\n\r\n')) {
                    return;
                }

                if (!head.startsWith('HTTP/1.1 101')) {
                    failed(new Error(head));
                    return;
                }

                socket.off('data', greet);
                socket.on('data', reader((opcode, payload) => {
                    if (opcode === 8) {
                        socket.end(Buffer.concat([
                            Buffer.from([0x88, 0x80 | payload.length]),
                            Buffer.alloc(4), payload]));
                    }
                }));
                done();
            };

            socket.on('data', greet);
            socket.write('GET /twilio/media-stream HTTP/1.1\r\n'
                + 'Host: localhost\r\nUpgrade: websocket\r\n'
                + 'Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n'
                + `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`
                + '\r\n\r\n');
        });

        this.send({ event: 'connected', protocol: 'Call', version: '1.0.0' });
        this.send({
            event: 'start', sequenceNumber: '1', streamSid: this.stream,
            start: {
                accountSid: 'AC' + '0'.repeat(32), streamSid: this.stream,
                callSid: this.sid, tracks: ['inbound'],
                customParameters: this.parameters,
                mediaFormat: { encoding: 'audio/x-mulaw', sampleRate: 8000,
                               channels: 1 },
            },
        });

        return this;
    }

    send(value) { this.socket.write(frame(JSON.stringify(value), true)); }

    media(audio) {
        this.n = (this.n || 0) + 1;
        this.send({
            event: 'media', sequenceNumber: String(this.n + 1),
            streamSid: this.stream,
            media: { track: 'inbound', chunk: String(this.n),
                     timestamp: String(this.n * 20),
                     payload: audio.toString('base64') },
        });
    }

    // a line that is open, in frames of 20 ms, or of a longer time
    open(ms = 20) {
        this.loud = 0;
        this.timer = setInterval(() => {
            this.media(Buffer.alloc(8 * ms,
                                    this.loud-- > 0 ? LOUD : QUIET));
        }, ms);
        this.ms = ms;
    }

    speak(seconds) { this.loud = seconds * 1000 / this.ms; }

    hangUp() {
        this.send({ event: 'stop', sequenceNumber: '9', streamSid: this.stream,
                    stop: { accountSid: 'AC' + '0'.repeat(32),
                            callSid: this.sid } });
        return this.ended;
    }
}


// Twilio's REST API as far as calls are ended by it: who is asked to hang up,
// does.

export class Twilio {
    phones = new Map();
    requests = [];

    async start() {
        this.server = createServer(async (request, response) => {
            let body = '';

            for await (const piece of request) {
                body += piece;
            }

            const sid = /\/Calls\/(CA\w+)\.json/.exec(request.url)?.[1];

            this.requests.push({ method: request.method, sid, body });
            response.writeHead(200, { 'Content-Type': 'application/json' });
            response.end(JSON.stringify({ sid, status: 'completed' }));
            this.phones.get(sid)?.hangUp();
        });

        await new Promise(done => this.server.listen(0, '127.0.0.1', done));
        this.port = this.server.address().port;
    }

    stop() { this.server.close(); this.server.closeAllConnections(); }
}
