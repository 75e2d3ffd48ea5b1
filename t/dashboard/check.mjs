// The dashboard in a real browser: make check-dashboard.
//
// Environment: VOICEBRIDGE_BUILD, where the module and what npm has installed
// are; CHROMIUM, the browser; SCREENSHOTS, a directory to leave some in.

import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { Agent, Phone, Twilio } from './peers.mjs';
import { Server } from './server.mjs';

const build = process.env.VOICEBRIDGE_BUILD;
const require = createRequire(`${build}/dashboard/`);
const { chromium } = require('playwright-core');
const axe = require('axe-core');

const agent = new Agent();
const twilio = new Twilio();

let server;
let browser;

const faults = [];                  // of every page: errors, what CSP stopped
let expected = [];                  // patterns of those that may be


before(async () => {
    await agent.start();
    await twilio.start();

    server = new Server(build, agent.port, twilio.port);
    await server.start();

    browser = await chromium.launch({
        executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
        args: ['--no-sandbox'],
    });
});


after(async () => {
    await browser?.close();
    await server?.stop();
    agent.stop();
    twilio.stop();
});


async function open(o = {}) {
    const context = await browser.newContext({
        viewport: { width: 1280, height: 800 }, colorScheme: 'light', ...o,
    });
    const page = await context.newPage();

    page.on('pageerror', error => faults.push(error.stack));
    page.on('console', message => {
        if (message.type() === 'error') {
            faults.push(message.text());
        }
    });

    // a page may ask nobody else for anything

    page.on('request', request => {
        if (!request.url().startsWith(server.url)
            && !request.url().startsWith('data:'))
        {
            faults.push(`asks for ${request.url()}`);
        }
    });

    await page.goto(server.url);

    return page;
}


async function call(o = {}) {
    const phone = await new Phone(server.port, o).call();

    twilio.phones.set(phone.sid, phone);
    await agent.ready(phone.sid);

    return phone;
}


async function shot(page, name) {
    if (process.env.SCREENSHOTS) {
        mkdirSync(process.env.SCREENSHOTS, { recursive: true });
        await page.screenshot({
            path: `${process.env.SCREENSHOTS}/${name}.png` });
    }
}


async function clean(page) {
    await page?.context().close();

    const found = faults.splice(0)
        .filter(fault => !expected.some(pattern => pattern.test(fault)));

    expected = [];
    assert.deepEqual(found, []);
}


// what those meet who cannot see the page, or not well

async function accessible(page) {
    await page.evaluate(axe.source);

    const { violations } = await page.evaluate(() => window.axe.run());

    assert.deepEqual(violations.map(v => `${v.id}: ${v.help}: `
        + v.nodes.map(n => n.html).join(' ')), []);
}


const row = (page, phone) => page.locator('.row:not([hidden])', {
    hasText: phone.parameters.from.slice(-4) });


test('nobody calls', async () => {
    const page = await open();

    await page.getByText('No calls right now').waitFor();
    assert.equal(await page.locator('#status').innerText(), 'Live');
    assert.equal(await page.title(), 'voicebridge');
    await shot(page, 'empty');
    await accessible(page);
    await clean(page);
});


test('a call appears, speaks, and ends', async () => {
    const page = await open();

    await page.getByText('No calls right now').waitFor();

    const phone = await call({ from: '+14155550111' });

    phone.open();
    await row(page, phone).waitFor();
    assert.equal(await page.title(), '(1) voicebridge');

    await row(page, phone).click();
    agent.say(phone.sid, 'Good morning.', 1);
    await page.locator('#transcript').getByText('Good morning.').waitFor();

    phone.speak(.5);
    agent.hear(phone.sid, 'Is "this" <b>it</b>?');
    await page.locator('#transcript').getByText('Is "this" <b>it</b>?')
        .waitFor();

    await page.waitForFunction(() => ['caller', 'agent'].every(who =>
        document.querySelector(`#d-ribbon path.${who}`)
            .getAttribute('d').length > 0));

    agent.say(phone.sid, 'It is, and much more than that.', 4);
    await page.locator('#transcript').getByText('and much more').waitFor();
    agent.interrupted(phone.sid, 'It is, and');
    await page.locator('#transcript del', { hasText: 'much more' }).waitFor();

    agent.end(phone.sid);
    await page.getByText(/The agent ended it after/).waitFor();
    await page.locator('#n-recent', { hasText: '1' }).waitFor();
    assert.equal(await page.locator('#hangup').isVisible(), false);

    await page.locator('#reasons', { hasText: 'The agent ended it' }).waitFor({
        timeout: 15000 });
    await phone.ended;
    await clean(page);
});


test('two tabs', async () => {
    const pages = [await open(), await open({ colorScheme: 'dark' })];
    const phone = await call({ from: '+14155550112' });

    for (const page of pages) {
        await row(page, phone).click();
    }

    agent.say(phone.sid, 'To both of you.');

    for (const page of pages) {
        await page.locator('#transcript').getByText('To both of you.')
            .waitFor();
        await accessible(page);
    }

    await phone.hangUp();

    for (const page of pages) {
        await page.getByText(/The caller hung up after/).waitFor();
        await clean(page);
    }
});


test('a reload of nginx', async () => {
    const page = await open();
    const phone = await call({ from: '+14155550113' });

    await row(page, phone).click();
    agent.say(phone.sid, 'Before.');
    await page.locator('#transcript').getByText('Before.').waitFor();

    // the browser's own words for an answer that ends in its middle

    expected = [/Failed to load resource/];

    const asked = page.waitForRequest(/view=transcript/);

    server.reload();
    await asked;

    agent.say(phone.sid, 'After.');
    await page.locator('#transcript').getByText('After.').waitFor();

    assert.equal(await page.locator('#transcript').getByText('Before.')
        .count(), 1);
    await page.locator('#status.ok').waitFor();

    await phone.hangUp();
    await page.getByText(/The caller hung up after/).waitFor();
    await clean(page);
});


test('nginx is away, and comes back', async () => {
    const page = await open();

    await page.locator('#status.ok').waitFor();
    await server.stop();

    await page.getByText(/nginx has not answered since/).waitFor();
    assert.equal(await page.locator('#status').innerText(), 'No answer');
    await shot(page, 'away');

    await server.start();
    await page.locator('#status.ok').waitFor({ timeout: 20000 });
    assert.equal(await page.locator('#banner').isVisible(), false);

    expected = [/Failed to load resource/];
    await clean(page);
});


test('by keyboard alone: a call is found, opened, and hung up', async () => {
    const page = await open();
    const other = await call({ from: '+14155550114' });
    const phone = await call({ from: '+14155550115' });
    const keys = page.keyboard;

    agent.say(phone.sid, 'Are you there?');
    await row(page, other).waitFor();
    await row(page, phone).waitFor();

    await keys.press('/');
    await keys.type('0115');
    await page.waitForFunction(() =>
        document.querySelectorAll('.row:not([hidden])').length === 1);
    await keys.press('ArrowDown');
    await keys.press('Enter');
    await page.locator('#transcript').getByText('Are you there?').waitFor();

    // no key, a wrong one, the right one

    await keys.press('h');
    await page.getByRole('dialog').waitFor();
    await keys.press('Enter');
    await page.getByLabel('API key').waitFor();
    await keys.type('wrong');
    await keys.press('Enter');
    await page.getByText('That key is not one of this server’s.').waitFor();
    await shot(page, 'key');
    assert.equal(twilio.requests.length, 0);

    await page.getByLabel('API key').fill('');
    await keys.type('key-of-the-tests');
    await keys.press('Enter');
    await page.getByRole('dialog').waitFor({ state: 'hidden' });
    await phone.ended;

    assert.deepEqual(twilio.requests.map(r => [r.method, r.sid]),
                     [['POST', phone.sid]]);
    assert.match(twilio.requests[0].body, /Status=completed/);

    // the tab knows the key now

    await keys.press('Escape');
    await keys.press('/');
    await keys.press('Escape');
    await page.locator('#n-live', { hasText: /^1$/ }).waitFor();
    await row(page, other).waitFor();
    await page.locator('#list').focus();
    await keys.press('Home');
    await keys.press('Enter');
    await page.locator('#d-title', { hasText: '0114' }).waitFor();
    await keys.press('h');
    await page.getByRole('dialog').waitFor();
    await keys.press('Enter');
    await other.ended;
    await page.getByRole('dialog').waitFor({ state: 'hidden' });

    const kept = await page.evaluate(() =>
        [localStorage.length, document.cookie, location.href].join());

    assert.doesNotMatch(kept, /key-of-the-tests/);

    expected = [/status of 401/];
    await clean(page);
});


test('nothing moves for those who do not want it, small screens', async () => {
    const page = await open({
        viewport: { width: 360, height: 640 }, reducedMotion: 'reduce',
        colorScheme: 'dark',
    });
    const phone = await call({ from: '+14155550116' });

    await row(page, phone).click();
    await page.locator('#d-title', { hasText: '0116' }).waitFor();

    // one thing at a time, and never wider than the screen

    assert.equal(await page.locator('#calls').isVisible(), false);
    assert.ok(await page.evaluate(() =>
        document.documentElement.scrollWidth <= innerWidth));
    assert.equal(await page.evaluate(() => document.getAnimations().length),
                 0);
    await page.getByRole('button', { name: 'Close this call' }).click();
    await row(page, phone).waitFor();
    await shot(page, 'narrow');
    await phone.hangUp();
    await clean(page);
});


test('five hundred calls stay smooth', async t => {
    const page = await open();
    const phones = [];

    for (let i = 0; i < 500; i++) {
        phones.push(call({
            from: `+1415556${String(i).padStart(4, '0')}`,
            agent_id: `agent_${i % 7}`,
            direction: i % 3 ? 'inbound' : 'outbound',
        }));

        // as many at a time as connections may wait for a worker

        if (i % 25 === 24) {
            await Promise.all(phones.slice(-25));
        }
    }

    const calls = await Promise.all(phones);

    // a line is open; its frames may be longer than Twilio's

    calls.forEach(phone => phone.open(1000));

    // everybody speaks now and then

    const talk = setInterval(() => {
        for (let i = 0; i < 60; i++) {
            const phone = calls[Math.floor(Math.random() * calls.length)];

            if (i % 2) {
                phone.speak(1 + Math.random() * 3);
            } else {
                agent.say(phone.sid, `Number ${i} speaks.`, 1);
            }
        }
    }, 500);

    await page.locator('#n-live', { hasText: '500' }).waitFor({
        timeout: 60000 });

    assert.ok(await page.locator('.row').count() < 60,
              'rows exist where they are seen');

    await page.evaluate(() => {
        window.frames = [];
        window.tasks = [];
        new PerformanceObserver(list =>
            window.tasks.push(...list.getEntries().map(e => e.duration))
        ).observe({ type: 'longtask' });

        let last = performance.now();

        const frame = now => {
            window.frames.push(now - last);
            last = now;
            requestAnimationFrame(frame);
        };

        requestAnimationFrame(frame);
    });

    const session = await page.context().newCDPSession(page);

    await session.send('Performance.enable');

    const metrics = async () => Object.fromEntries(
        (await session.send('Performance.getMetrics')).metrics
            .map(m => [m.name, m.value]));

    const first = await metrics();

    // looked at, scrolled through, and one of them read

    await page.mouse.move(400, 500);

    for (let i = 0; i < 60; i++) {
        await page.mouse.wheel(0, i < 40 ? 400 : -400);
        await sleep(150);
    }

    await page.locator('#list').focus();
    await page.keyboard.press('Home');
    await page.keyboard.press('Enter');
    await sleep(2000);
    await shot(page, 'many');

    const last = await metrics();
    const span = last.Timestamp - first.Timestamp;
    const busy = (last.TaskDuration - first.TaskDuration) / span;
    const script = (last.ScriptDuration - first.ScriptDuration) / span;

    const { frames, tasks } = await page.evaluate(() =>
        ({ frames: window.frames, tasks: window.tasks }));

    frames.sort((a, b) => a - b);
    tasks.sort((a, b) => a - b);

    const at = p => frames[Math.floor(frames.length * p)].toFixed(1);
    const longest = tasks.at(-1) || 0;

    t.diagnostic(`frames: ${frames.length} in ${span.toFixed(1)} s, `
        + `median ${at(.5)} ms, 95 % ${at(.95)} ms, 99 % ${at(.99)} ms`);
    t.diagnostic(`long tasks: ${tasks.length}, longest `
        + `${longest.toFixed(0)} ms; main thread busy `
        + `${(busy * 100).toFixed(0)} %, of it script `
        + `${(script * 100).toFixed(0)} %; `
        + `${(last.JSHeapUsedSize / 1e6).toFixed(1)} MB of script's memory`);

    // the machine may be busy with other things, the page may not

    assert.ok(script < .2, 'a fifth of the time for scripts at most');
    assert.ok(at(.5) < 50, 'half of the frames within 50 ms');
    assert.ok(longest < 500, 'nothing takes half a second');

    clearInterval(talk);
    await Promise.all(calls.map(phone => phone.hangUp()));
    await page.locator('#n-live', { hasText: /^0$/ }).waitFor({
        timeout: 30000 });
    await page.getByText('No calls right now').waitFor();
    await clean(page);
});


test('nothing went wrong in nginx', () => {
    assert.deepEqual(server.log.split("\n")
        .filter(line => /\[(?:alert|emerg|crit)\]/.test(line)), []);
});
