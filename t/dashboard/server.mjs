// nginx with the dashboard, in a directory of its own.

import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync }
    from 'node:fs';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';


async function freePort() {
    const server = createServer();

    await new Promise(done => server.listen(0, '127.0.0.1', done));

    const { port } = server.address();

    await new Promise(done => server.close(done));

    return port;
}


export class Server {
    constructor(build, agentPort, twilioPort = 1) {
        this.build = build;
        this.twilioPort = twilioPort;
        this.dir = `${build}/dashboard/nginx`;
        this.agentPort = agentPort;
    }

    get url() { return `http://127.0.0.1:${this.port}/voicebridge/`; }

    get log() { return readFileSync(`${this.dir}/error.log`, 'utf8'); }

    async start() {
        this.port ||= await freePort();

        if (!this.child) {
            rmSync(this.dir, { recursive: true, force: true });
        }

        mkdirSync(`${this.dir}/temp`, { recursive: true });

        writeFileSync(`${this.dir}/nginx.conf`, `
${process.getuid() === 0 ? 'user root;' : ''}
load_module ${this.build}/ngx_http_voicebridge_module.so;
daemon off;
pid ${this.dir}/nginx.pid;
error_log ${this.dir}/error.log info;
worker_processes 2;
worker_rlimit_nofile 8192;

events { worker_connections 4096; }

http {
    access_log off;
    client_body_temp_path ${this.dir}/temp/body;
    proxy_temp_path ${this.dir}/temp/proxy;
    fastcgi_temp_path ${this.dir}/temp/fastcgi;
    uwsgi_temp_path ${this.dir}/temp/uwsgi;
    scgi_temp_path ${this.dir}/temp/scgi;

    voicebridge_zone dashboard:16m;

    server {
        listen 127.0.0.1:${this.port};

        voicebridge_twilio_account_sid AC${'0'.repeat(32)};
        voicebridge_twilio_auth_token token-of-the-tests;
        voicebridge_twilio_api_url http://127.0.0.1:${this.twilioPort};
        voicebridge_api_keys key-of-the-tests;
        voicebridge_verify_signature off;
        voicebridge_elevenlabs_url http://127.0.0.1:${this.agentPort};
        voicebridge_elevenlabs_auth none;

        location = /twilio/media-stream { voicebridge_media_stream; }
        location = /voicebridge/ { voicebridge_dashboard; }
    }
}
`);

        this.child = spawn('nginx', ['-p', this.dir, '-c',
                                     `${this.dir}/nginx.conf`, '-e',
                                     `${this.dir}/error.log`],
                           { env: { PATH: `${process.env.PATH}:/usr/sbin` },
                             stdio: 'inherit' });
        this.exited = new Promise(done => this.child.on('exit', done));

        for (let i = 0; i < 500; i++) {
            if (await this.answers()) {
                return;
            }
            await sleep(20);
        }

        throw new Error('nginx does not answer');
    }

    async answers() {
        try {
            return (await fetch(`${this.url}?view=talk`)).ok;
        } catch {
            return false;
        }
    }

    async calls(query = '') {
        return (await fetch(`${this.url}?view=calls${query}`)).json();
    }

    reload() { this.child.kill('SIGHUP'); }

    async stop() {
        if (this.child?.exitCode === null) {
            this.child.kill('SIGTERM');
            await this.exited;
        }
    }
}
