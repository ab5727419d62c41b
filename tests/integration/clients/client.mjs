// SPDX-License-Identifier: MIT
//
// An official client in front of the kernel: every tool, the resources, the prompt, completion, a subscription, progress,
// log messages and a cancellation. Prints a line for each; the first that fails ends it with status 1.
//
//   node client.mjs sdk|client ERA TRANSPORT [LARGE]
//
// Stands beside node_modules. `sdk` is @modelcontextprotocol/sdk, `client` @modelcontextprotocol/client. ERA is legacy, auto
// or modern. TRANSPORT is JSON: {"command", "args", "env"} or {"url", "headers"}. LARGE is a model of the VM that takes a
// while to load.
import assert from 'node:assert/strict';

const [name, era, transportText, large] = process.argv.slice(2);
const where = JSON.parse(transportText);
const STATELESS = '2026-07-28';
const LIMIT = 60000; // milliseconds for anything

const old = name === 'sdk';
const at = path => (old ? `@modelcontextprotocol/sdk/client/${path}` : '@modelcontextprotocol/client');
const { Client } = await import(at('index.js'));
const { StdioClientTransport } = await import(old ? at('stdio.js') : '@modelcontextprotocol/client/stdio');
const { StreamableHTTPClientTransport } = await import(at('streamableHttp.js'));
const schemas = old ? await import('@modelcontextprotocol/sdk/types.js') : null;

const errors = []; // what the client itself minds: an answer that nobody asked for, a message that is none
const client = new Client(
    { name: 'test', version: '1' },
    { versionNegotiation: { mode: era === 'modern' ? { pin: STATELESS } : era } }
);
client.onerror = error => errors.push(error);

function transport() {
    if (where.url) return new StreamableHTTPClientTransport(new URL(where.url), { requestInit: { headers: where.headers } });
    return new StdioClientTransport({ ...where, stderr: 'inherit' });
}

// What the two libraries do not have in common.
const onNotification = (method, handler) => client.setNotificationHandler(
    old ? Object.values(schemas).find(schema => schema?.shape?.method?.value === method) : method, handler);
const call = (tool, parameters = {}, options = {}) => {
    const request = { name: tool, arguments: parameters };
    return old ? client.callTool(request, undefined, { timeout: LIMIT, ...options })
        : client.callTool(request, { timeout: LIMIT, ...options });
};

// The structured content of a call that must succeed; the client has checked it against the tool's schema.
async function structured(tool, parameters, options) {
    const result = await call(tool, parameters, options);
    assert.ok(!result.isError, `${tool}: ${JSON.stringify(result)}`);
    return result.structuredContent;
}

// Resolves with the first notification of this kind that passes.
const awaited = (method, passes) => new Promise(resolve => onNotification(method, notification => {
    if (passes(notification.params)) resolve(notification.params);
}));

async function step(what, run) {
    let timer;
    const late = new Promise((_, reject) => {
        timer = setTimeout(() => reject(new Error(`nothing for ${LIMIT} ms`)), LIMIT);
    });
    try {
        await Promise.race([run(), late]);
        console.log(`  ${what}`);
    } catch (error) {
        console.log(`FAILED: ${what}: ${error.stack}`);
        process.exit(1);
    } finally {
        clearTimeout(timer);
    }
}

await step('connect', () => client.connect(transport()));
const stateless = !old && client.getProtocolEra() === 'modern';
await step(`era ${era}: ${stateless ? STATELESS : 'initialize'}`, async () => {
    assert.equal(client.getServerVersion().name, 'microkernelia');
    assert.equal(stateless, era !== 'legacy');
    if (!old) assert.equal(client.getNegotiatedProtocolVersion(), stateless ? STATELESS : '2025-11-25');
});
await step('tools/list', async () => {
    const { tools } = await client.listTools();
    const names = tools.map(tool => tool.name);
    assert.deepEqual(names.sort(), ['embed', 'health', 'infer', 'load_model', 'logs', 'metadata', 'tokenize']);
    assert.ok(tools.every(tool => tool.outputSchema), 'each has a schema of its result');
});
await step('load_model', async () => {
    assert.equal((await structured('load_model', { path: 'guide.kv' })).status, 'loaded');
});
await step('infer', async () => {
    const answer = await structured('infer', { prompt: 'What is a unikernel?' });
    assert.ok(answer.matched && answer.text.includes('unikernel'), JSON.stringify(answer));
});
await step('health', async () => assert.equal((await structured('health')).status, 'ok'));
await step('metadata', async () => assert.equal((await structured('metadata')).model_name, 'guide'));
await step('logs', async () => {
    assert.ok((await structured('logs', { limit: 10 })).lines.length > 0);
});
for (const tool of ['embed', 'tokenize']) await step(tool, async () => {
    const result = await call(tool, { text: 'hello' });
    assert.ok(result.isError && result.content[0].text.includes('no tokens'), 'a dictionary has none');
});
await step('a tool that fails', async () => {
    const result = await call('load_model', { path: 'missing.kv' });
    assert.ok(result.isError && result.content[0].text.includes('missing.kv'), JSON.stringify(result));
});
await step('a tool that there is not', () => assert.rejects(call('missing'), /missing/));
await step('resources', async () => {
    const { resources } = await client.listResources();
    assert.deepEqual(resources.map(resource => resource.uri), ['logs://kernel', 'models://']);
    const { resourceTemplates } = await client.listResourceTemplates();
    assert.deepEqual(resourceTemplates.map(template => template.uriTemplate), ['models://{+path}']);
    const { contents } = await client.readResource({ uri: 'models://guide.kv' });
    assert.equal(JSON.parse(contents[0].text).path, 'guide.kv');
    assert.ok((await client.readResource({ uri: 'logs://kernel' })).contents[0].text.includes('ready in'));
    await assert.rejects(client.readResource({ uri: 'models://missing.kv' }), /not found/);
});
await step('the prompt', async () => {
    assert.deepEqual((await client.listPrompts()).prompts.map(prompt => prompt.name), ['ask']);
    const { messages } = await client.getPrompt({ name: 'ask', arguments: { question: 'What is MCP?' } });
    assert.equal(messages.at(-1).content.text, 'What is MCP?');
});
await step('completion', async () => {
    const { completion } = await client.complete({
        ref: { type: 'ref/resource', uri: 'models://{+path}' }, argument: { name: 'path', value: 'gu' }
    });
    assert.deepEqual(completion.values, ['guide.kv']);
});
if (!stateless) await step('ping', () => client.ping());

let subscription;
await step('a subscription', async () => {
    const updated = awaited('notifications/resources/updated', params => params.uri === 'models://');
    if (stateless) subscription = await client.listen({ resourceSubscriptions: ['models://'] });
    else await client.subscribeResource({ uri: 'models://' });
    await structured('load_model', { path: 'guide.kv' });
    await updated;
    if (stateless) await subscription.close();
    else await client.unsubscribeResource({ uri: 'models://' });
});
if (!stateless) await step('log messages', async () => {
    const heard = awaited('notifications/message', params => JSON.stringify(params.data).includes('missing.kv'));
    await client.setLoggingLevel('warning');
    await call('load_model', { path: 'missing.kv' });
    assert.equal((await heard).level, 'warning');
    await client.setLoggingLevel('emergency');
});
if (large) await step('progress', async () => {
    const told = [];
    await structured('load_model', { path: large }, { onprogress: progress => told.push(progress) });
    assert.ok(told.length > 2, `${told.length} notices`);
    assert.ok(told.every((notice, i) => i === 0 || notice.progress > told[i - 1].progress), JSON.stringify(told));
    assert.equal(told.at(-1).progress, told.at(-1).total);
});
if (large) await step('cancellation', async () => {
    await structured('load_model', { path: 'guide.kv' });
    const cancel = new AbortController();
    const loading = assert.rejects(call('load_model', { path: large }, { signal: cancel.signal }), /enough/);
    setTimeout(() => cancel.abort('enough'), 1);
    await loading;
    assert.equal((await structured('metadata')).model_name, 'guide');
});
await step('many at once', async () => {
    await structured('load_model', { path: 'guide.kv' });
    const answers = await Promise.all(Array.from({ length: 50 }, (_, i) => (
        i % 2 ? structured('infer', { prompt: 'What is vsock?' }) : structured('health'))));
    assert.ok(answers.every((answer, i) => (i % 2 ? answer.matched : answer.status === 'ok')));
});
await step('the end', async () => {
    await client.close();
    assert.deepEqual(errors.map(String), []);
});
