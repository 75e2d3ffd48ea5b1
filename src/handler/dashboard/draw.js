
/* SVG: the ribbons of who speaks when, and the charts */

const SVG = 'http://www.w3.org/2000/svg';


function shape(parent, name, attributes = {}, text) {
    const element = document.createElementNS(SVG, name);

    for (const [k, v] of Object.entries(attributes)) {
        element.setAttribute(k, v);
    }

    if (text !== undefined) {
        element.textContent = text;
    }

    parent.append(element);

    return element;
}


// The spans between two moments as one path for each speaker, in a box of
// width by height whose lanes are one above the other.

function ribbon(spans, from, to, now, width, height) {
    const scale = width / (to - from);
    const lane = height / 2;
    const d = ['', ''];

    for (const [who, start, end] of spans) {
        const till = Math.min(end ?? now, now);

        if (till < from || start > to) {
            continue;
        }

        const x = Math.max(0, (start - from) * scale);
        const w = Math.max(1.2, (till - from) * scale - x);
        const y = who * lane + 1;

        d[who] += `M${x.toFixed(1)} ${y}h${w.toFixed(1)}v${lane - 2}`
                  + `h${(-w).toFixed(1)}z`;
    }

    return d;
}


// how much of the time each has spoken: [caller, agent, nobody]

function share(spans, from, to) {
    const talked = [0, 0];
    const edges = [];

    for (const [who, start, end] of spans) {
        const a = Math.max(from, start);
        const b = Math.min(to, end ?? to);

        if (b > a) {
            talked[who] += b - a;
            edges.push([a, 1], [b, -1]);
        }
    }

    let silent = to - from;
    let depth = 0;
    let since = 0;

    for (const [at, step] of edges.sort((a, b) => a[0] - b[0])) {
        if (depth === 0) {
            since = at;
        }

        depth += step;

        if (depth === 0) {
            silent -= at - since;
        }
    }

    return [...talked, silent].map(ms => ms / Math.max(1, to - from));
}


// a moment by which a share of what was counted had happened, in seconds

function quantile(buckets, share) {
    const total = buckets.at(-1).n;
    let below = 0;
    let lower = 0;

    for (const { le, n } of buckets) {
        if (n >= total * share && n > below) {
            return le === Infinity
                ? lower
                : lower + (le - lower) * (total * share - below) / (n - below);
        }

        below = n;
        lower = le;
    }

    return lower;
}


function drawHistogram(name, buckets) {
    const chart = $(`${name}-chart`);
    const total = buckets?.length ? buckets.at(-1).n : 0;

    if (!total) {
        setText($(`${name}-count`), '–');
        setText($(`${name}-note`), 'Nothing measured yet');
        chart.replaceChildren();
        delete chart.dataset.drawn;
        drawScale(name, []);
        setAttribute(chart, 'aria-label', 'Nothing measured yet');
        return;
    }

    const half = quantile(buckets, .5);
    const most = quantile(buckets, .95);
    const text = `half within ${seconds(half)}, 95 % within ${seconds(most)}`;

    setText($(`${name}-count`), seconds(half));
    setText($(`${name}-note`), `95 % within ${seconds(most)}`);
    setAttribute(chart, 'aria-label', `${total} measured: ${text}`);

    const counts = buckets.map((b, i) => b.n - (i ? buckets[i - 1].n : 0));
    const top = Math.max(...counts);
    const signature = counts.join();

    if (chart.dataset.drawn === signature) {
        return;
    }

    chart.dataset.drawn = signature;
    chart.setAttribute('viewBox', '0 0 280 46');
    chart.setAttribute('preserveAspectRatio', 'none');
    chart.replaceChildren();

    const step = 280 / counts.length;
    const middle = buckets.findIndex(b => b.n >= total / 2);

    shape(chart, 'path', { class: 'base', d: 'M0 45.5H280' });

    counts.forEach((n, i) => {
        const h = n ? Math.max(2, n / top * 42) : 0;

        const bar = shape(chart, 'rect', {
            class: i === middle ? 'mid' : 'bars',
            x: i * step + 1, y: 45 - h, width: step - 2, height: h,
        });

        const until = buckets[i].le;
        const since = i ? buckets[i - 1].le : 0;

        shape(bar, 'title', {}, `${n}: ` + (until === Infinity
            ? `over ${seconds(since)}` : `up to ${seconds(until)}`));
    });

    drawScale(name, buckets.flatMap((b, i) => [.1, 1, 10].includes(b.le)
        ? [[(i + 1) / counts.length, seconds(b.le)]] : []));
}


// words under a chart, each at a share of its width

function drawScale(name, marks) {
    const signature = marks.join();
    const scale = $(`${name}-scale`);

    if (scale.dataset.drawn === signature) {
        return;
    }

    scale.dataset.drawn = signature;
    scale.replaceChildren(...marks.map(([at, text]) => {
        const mark = make('span', '', text);

        mark.style.left = `${at * 100}%`;

        return mark;
    }));
}


function drawReasons(ended) {
    const list = $('reasons');
    const total = [...ended.values()].reduce((a, b) => a + b, 0);
    const bad = ([reason]) => !FINE.has(reason);

    // what went wrong must not be lost behind what went well

    const reasons = [...ended].sort((a, b) => b[1] - a[1]);
    const shown = reasons.length > 4
        ? [...reasons.filter(r => !bad(r)).slice(0, 1),
           ...reasons.filter(bad).slice(0, 3)].sort((a, b) => b[1] - a[1])
        : reasons;

    if (!shown.length) {
        list.replaceChildren(make('li', 'none', 'None has ended yet'));
        return;
    }

    list.replaceChildren(...shown.map(([reason, n]) => {
        const item = make('li', FINE.has(reason) ? '' : 'bad');
        const bar = make('i');

        bar.style.width = `${Math.max(1, n / total * 100)}%`;
        item.append(bar, make('span', '', words(reason)),
                    make('b', '', n.toLocaleString()));
        item.title = reason;

        return item;
    }));
}


// live calls since the page was opened, ten minutes of them

const past = [];

function drawLive(n) {
    const chart = $('live-chart');
    const now = performance.now();

    past.push([now, n]);

    while (past[0][0] < now - 600000) {
        past.shift();
    }

    const top = Math.max(4, ...past.map(h => h[1]));
    const from = Math.min(past[0][0], now - 60000);
    const x = t => ((t - from) / (now - from) * 280).toFixed(1);
    const y = v => (45 - v / top * 42).toFixed(1);

    let line = '';

    past.forEach(([t, v], i) => {
        line += i ? `H${x(t)}V${y(v)}` : `M${x(t)} ${y(v)}`;
    });

    if (!chart.firstChild) {
        chart.setAttribute('viewBox', '0 0 280 46');
        chart.setAttribute('preserveAspectRatio', 'none');
        shape(chart, 'path', { class: 'base', d: 'M0 45.5H280' });
        shape(chart, 'path', { class: 'area' });
        shape(chart, 'path', { class: 'line' });
    }

    chart.children[1].setAttribute('d',
        `${line}V45H${x(past[0][0])}z`);
    chart.children[2].setAttribute('d', line);

    const minutes = Math.max(1, Math.round((now - from) / 60000));

    drawScale('live', [[1, minutes > 1 ? `the last ${minutes} minutes`
                                       : 'the last minute']]);
}
