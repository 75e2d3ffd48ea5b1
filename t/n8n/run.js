// Loads a workflow with n8n's own classes and runs it by n8n's own engine; of
// the database alone there is a stand-in: rows for the one node that asks for
// them, and a record of what the others would have written.
//
//     node run.js MODULES WORKFLOW < {"url", "header", "key", "rows"}
//
// MODULES is where npm has installed t/n8n/package.json.  Prints what came of
// it as JSON.

'use strict';

const fs = require('fs');
const path = require('path');

const [modules, file] = process.argv.slice(2);
const load = require('module').createRequire(path.resolve(modules, 'x.js'));

const { ExpressionEvaluatorProxy, NodeHelpers, Workflow, WorkflowHooks } =
    load('n8n-workflow');
const { WorkflowExecute } = load('n8n-core');

// as n8n itself has it
ExpressionEvaluatorProxy.setEvaluator('tournament');

const input = JSON.parse(fs.readFileSync(0));
const definition = JSON.parse(fs.readFileSync(file));

const files = {
    httpRequest: 'HttpRequest/HttpRequest',
    postgres: 'Postgres/Postgres',
    scheduleTrigger: 'Schedule/ScheduleTrigger',
    switch: 'Switch/Switch',
};

const cache = {};
const written = [];


function nodeType(type) {
    const name = type.replace(/^n8n-nodes-base\./, '');

    if (!cache[name]) {
        const exported = load(
            `n8n-nodes-base/dist/nodes/${files[name]}.node.js`);

        cache[name] = new (Object.values(exported)[0])();
    }

    return cache[name];
}


// n8n's node, with the database taken out of it

function byNameAndVersion(type, version) {
    const node = NodeHelpers.getVersionedNodeType(nodeType(type), version);

    return type === 'n8n-nodes-base.postgres'
        ? Object.create(node, { execute: { value: database } }) : node;
}


async function database() {
    if (/^SELECT/.test(this.getNodeParameter('query', 0))) {
        return [input.rows.map((json, item) => ({ json, pairedItem: item }))];
    }

    return [this.getInputData().map((_, item) => {
        written.push({
            node: this.getNode().name,
            query: this.getNodeParameter('query', item),
            values: this.getNodeParameter('options', item).queryReplacement,
        });

        return { json: {}, pairedItem: item };
    })];
}


const nodeTypes = {
    getByName: nodeType,
    getByNameAndVersion: byNameAndVersion,
    getKnownTypes: () => ({}),
};


async function main() {
    const request = definition.nodes.find(
        (node) => node.type === 'n8n-nodes-base.httpRequest');

    const url = new URL(request.parameters.url);
    request.parameters.url = input.url + url.pathname;

    const workflow = new Workflow({
        id: '1', active: false, nodeTypes, ...definition,
    });

    const additionalData = {
        credentialsHelper: {
            getDecrypted: async () => ({
                name: request.credentials.httpHeaderAuth.name,
                value: input.key,
            }),
            getParentTypes: () => [],
            authenticate: async (credentials, type, options) => ({
                ...options,
                headers: { ...options.headers,
                           [credentials.name]: credentials.value },
            }),
            preAuthentication: async () => undefined,
            updateCredentials: async () => {},
        },
        hooks: new WorkflowHooks({}, 'trigger', '1', definition),
        executeWorkflow: async () => {},
        sendDataToUI: () => {},
        restApiUrl: '', instanceBaseUrl: '', formWaitingBaseUrl: '',
        webhookBaseUrl: '', webhookWaitingBaseUrl: '', webhookTestBaseUrl: '',
        currentNodeParameters: undefined, executionTimeoutTimestamp: undefined,
        userId: '1', variables: {}, secretsHelpers: {},
        logAiEvent: async () => {},
    };

    const issues = {};

    for (const node of definition.nodes) {
        const type = byNameAndVersion(node.type, node.typeVersion);
        const found = NodeHelpers.getNodeParametersIssues(
            type.description.properties, workflow.getNode(node.name));

        if (found) {
            issues[node.name] = found;
        }
    }

    const run = await new WorkflowExecute(additionalData, 'trigger').run(
        workflow, workflow.getStartNode());

    const { error, runData } = run.data.resultData;

    process.stdout.write(JSON.stringify({
        issues,
        finished: run.finished === true,
        error: error && error.message,
        ran: Object.keys(runData),
        outputs: runData['What came of it']
            ? runData['What came of it'][0].data.main.map(
                (items) => (items || []).map((item) => item.json)) : null,
        failed: (runData['Place call']?.[0].data.main[1] || [])
            .map((item) => item.json),
        written,
    }) + '\n');
}


main().catch((error) => {
    console.error(error);
    process.exit(1);
});
