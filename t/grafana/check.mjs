// Whether examples/prometheus/dashboard.json is what Grafana's types say:
// TypeScript reads it as a value of such a type.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const file = resolve(here, process.env.DASHBOARD
                           ?? '../../examples/prometheus/dashboard.json');

// where make has installed the packages
const modules = process.env.MODULES;
const ts = createRequire(join(modules, 'x.js'))('typescript');

const lead = "import type { Dashboard } from './types';\n\n"
             + 'export const dashboard: Dashboard =\n';

const sources = new Map([
    [join(modules, 'dashboard.ts'), lead + readFileSync(file, 'utf8')],
    [join(modules, 'types.ts'), readFileSync(join(here, 'types.ts'), 'utf8')],
]);

const options = {
    strict: true, noEmit: true, skipLibCheck: true, types: [],
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
};

const host = ts.createCompilerHost(options);
const { getSourceFile, fileExists } = host;

host.fileExists = (name) => sources.has(name) || fileExists(name);

host.getSourceFile = (name, target, ...more) => sources.has(name)
    ? ts.createSourceFile(name, sources.get(name), target)
    : getSourceFile(name, target, ...more);

const program = ts.createProgram([...sources.keys()], options, host);
const found = ts.getPreEmitDiagnostics(program);

for (const { file: where, start, messageText } of found) {
    const name = where?.fileName.replace(/^.*\//, '') ?? 'typescript';
    let line = where ? where.getLineAndCharacterOfPosition(start).line + 1 : 0;

    if (name === 'dashboard.ts') {
        line -= lead.split('\n').length - 1;
    }

    console.error(`${name.replace('dashboard.ts', file)}:${line}: `
                  + ts.flattenDiagnosticMessageText(messageText, '\n'));
}

if (found.length) {
    process.exit(1);
}

console.log(`${file} is a dashboard, as Grafana's types have it`);
