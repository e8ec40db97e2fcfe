'use strict';

// What a user of the Node package relies on, with krill.
const assert = require('node:assert/strict');
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { after, before, test } = require('node:test');
const { Worker } = require('node:worker_threads');

const finback = require('finback');
const { Engine, FinbackError } = finback;

const QUESTION = { messages: [{ role: 'user', content: 'What do baleen whales eat?' }] };
let engine;

before(async () => {
  console.log(`# Node ${process.version}, finback ${finback.version()}`);
  engine = await Engine.open({ model: 'krill', threads: 1 });
});
after(() => engine.close());

async function fails(code, promise) {
  try {
    await promise;
  } catch (error) {
    assert.ok(error instanceof FinbackError, String(error.stack));
    assert.equal(error.code, code, error.message);
    return error;
  }
  return assert.fail(`no error, expected ${code}`);
}

async function content(stream) {
  let text = '';
  for await (const event of stream) if (event.kind === 'content') text += event.text;
  return text;
}

test('chat streams', async () => {
  const stream = await engine.chat(QUESTION);
  const events = [];
  for await (const event of stream) events.push(event);
  const pieces = events.filter((event) => event.kind === 'content').map((event) => event.text);
  assert.match(pieces.join(''), /krill/);
  assert.ok(pieces.length > 3);
  assert.equal(events[0].kind, 'reasoning');
  assert.equal(events.at(-1).finishReason, 'stop');
  assert.equal(await stream.nextEvent(), null);
  const response = await stream.response();
  assert.equal(response.choices[0].message.content, pieces.join(''));
  assert.ok((await stream.usage()).completionTokens > pieces.length);
});

test('the event loop stays free', async () => {
  // The first event takes the whole of a long prompt. Were it computed here, no turn would come before it.
  const stream = await engine.chat({ messages: [{ role: 'user', content: 'whale '.repeat(1000) }] });
  const order = [];
  const event = stream.nextEvent().then(() => order.push('event'));
  setImmediate(() => order.push('turn'));
  await event;
  assert.deepEqual(order, ['turn', 'event']);
  stream.close();
});

test('tools at a service', { skip: !process.env.FINBACK_TOOL_EXCHANGE }, async () => {
  const folder = process.env.FINBACK_TOOL_EXCHANGE;
  const question = fs.readFileSync(path.join(folder, 'question.json'), 'utf8');
  const service = await Engine.open({ model: 'deepseek:deepseek-flash', api_key: 'none', replay: folder });
  const stream = await service.chat(question);
  const events = [];
  for await (const event of stream) events.push(event);
  const calls = events.filter((event) => event.kind === 'tool_call');
  assert.deepEqual(calls.map((call) => [call.toolIndex, call.toolId, call.toolName]),
    [[0, 'call_00_a', 'get_weather'], [1, 'call_01_b', 'get_time']]);
  const end = events.find((event) => event.kind === 'tool_call_end');
  const pieces = events.filter((event) => event.kind === 'tool_arguments' && event.toolIndex === 0);
  assert.equal(pieces.map((event) => event.text).join(''), end.text);
  assert.deepEqual(JSON.parse(end.text), { city: 'Oslo' });
  assert.equal((await stream.message()).tool_calls[1].function.name, 'get_time');
  assert.equal(await stream.chunk(), null);
});

test('sessions remember', async () => {
  const session = await engine.newSession();
  await (await session.chat(QUESTION)).finish();
  const again = await session.chat(QUESTION);
  await again.finish();
  assert.ok((await again.usage()).cachedTokens > 0);
});

test('requests may be JSON, with logprobs', async () => {
  const stream = await engine.chat(JSON.stringify({ ...QUESTION, logprobs: true }));
  const event = await stream.nextEvent();
  assert.ok(event.logprobs[0].logprob <= 0);
  await assert.rejects(engine.chat(5), TypeError);
});

test('a signal aborts', async () => {
  const controller = new AbortController();
  const stream = await engine.chat(QUESTION, { signal: controller.signal });
  await stream.nextEvent();
  controller.abort();
  const next = stream.nextEvent();
  await assert.rejects(next, { name: 'AbortError' });
  await assert.rejects(engine.chat(QUESTION, { signal: controller.signal }), { name: 'AbortError' });
});

test('cancel while an event is awaited', async () => {
  const stream = await engine.chat(QUESTION);
  const next = stream.nextEvent();
  stream.cancel();
  await fails('cancelled', next.then(() => stream.nextEvent()));
});

test('more answers at once than libuv has threads', async () => {
  const answers = await Promise.all(
    Array.from({ length: 6 }, async () => content(await engine.chat(QUESTION))));
  assert.equal(new Set(answers).size, 1);
  assert.match(answers[0], /krill/);
});

test('errors', async () => {
  const error = await fails('not_found', Engine.open('/no/such/model'));
  assert.equal(error.number, -3);
  assert.match(error.message, /\/no\/such\/model/);
  assert.deepEqual(error.details, {});
  await fails('not_found', Engine.open({ no_such_option: 1 }));
  await fails('invalid_request', engine.chat({ messages: [{ role: 'robot' }] }));
  await fails('invalid_argument', engine.chat('{"messages": []}\0 and more'));
  await fails('invalid_argument', engine.tokenize('half a pair: \ud83d'));
  await fails('invalid_argument', engine.detokenize([-1]));
  await assert.rejects(engine.detokenize([2 ** 40]), TypeError);
  await assert.rejects(engine.tokenize(null), TypeError);
});

test('text beyond ASCII', async () => {
  const text = 'Größe, 鲸, \u{1F433}, NUL \0.';
  assert.equal(await engine.detokenize(await engine.tokenize(text)), text);
  assert.ok((await engine.encode({ messages: [{ role: 'user', content: text }] })).includes('鲸, \u{1F433}'));
  assert.match((await fails('not_found', Engine.open('/鲸\u{1F433}'))).message, /鲸\u{1F433}/u);
});

test('text that UTF-8 does not have', async () => {
  for (const text of ['\ud83d', 'a\udc33b', '\udc33\ud83d']) {
    await fails('invalid_argument', engine.tokenize(text));
    await fails('invalid_argument', engine.chat(`{"messages": [${text}]}`));
    await fails('invalid_request', engine.chat({ messages: [{ role: 'user', content: text }] }));
    await fails('invalid_argument', Engine.open(`/${text}`));
    await fails('invalid_argument', Engine.open({ model: 'krill', [text]: 1 }));
    assert.throws(() => finback.parseCompletion(text, { thinking: true }), FinbackError);
  }
  const error = await fails('invalid_argument', Engine.open('krill\0 and more'));
  assert.match(error.message, /model: NUL character at byte 5/);
  await fails('invalid_argument', Engine.open({ 'model\0': 'krill' }));
  await fails('invalid_argument', engine.verify('\0'));
  await fails('invalid_argument', engine.chat('{"messages": []}\0'));
});

test('options of other types', async () => {
  const own = await Engine.open({ model: 'krill', threads: 1n, context_tokens: undefined, base_url: null });
  own.close();
  for (const value of [{}, [], Symbol('krill'), () => 'krill']) {
    await assert.rejects(Engine.open({ model: value }), { name: 'TypeError', message: /^model: expected/ });
  }
});

test('folders by their bytes', { skip: !process.env.FINBACK_TOOL_EXCHANGE }, async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'finback-'));
  const link = Buffer.concat([Buffer.from(`${folder}/k`), Buffer.from([0xff, 0xe9])]);
  fs.symlinkSync(path.join(process.env.FINBACK_TOOL_EXCHANGE, '../../../examples/krill'), link);
  const own = await Engine.open({ model: link, threads: 1 });
  assert.match(await content(await own.chat(QUESTION)), /krill/);
  assert.equal(typeof (await own.info()).model, 'string');
  own.close();
  fs.rmSync(folder, { recursive: true });
});

test('snapshots', async () => {
  const ids = await engine.tokenize('Baleen whales eat');
  const sequence = await engine.newSequence();
  await sequence.append(ids);
  const snapshot = await sequence.snapshot();
  const expected = await sequence.evaluate([ids[0]]);
  assert.equal(expected.length, await sequence.vocab());
  const other = await engine.newSequence();
  await other.restore(snapshot);
  assert.deepEqual(await other.evaluate(ids.slice(0, 1)), expected);
  await fails('invalid_argument', other.restore(Buffer.from('not a snapshot')));
  await other.rollBack(1);
  assert.equal(await (await other.fork()).position(), ids.length);
});

test('release', async () => {
  const own = await Engine.open('krill');
  const stream = await own.chat(QUESTION);
  own.close();
  assert.notEqual(await stream.nextEvent(), null);
  for await (const event of stream) {
    assert.ok(event);
    break; // closes it
  }
  await fails('invalid_argument', stream.nextEvent());
  stream.close();
  stream.cancel();
});

// In a process and a thread of their own: leaving in the middle of a call is no crash.
const LEAVING = `
  const { Engine } = require('finback');
  Engine.open('krill').then(async (engine) => {
    const streams = await Promise.all([1, 2].map(() =>
      engine.chat({ messages: [{ role: 'user', content: 'Hello' }] })));
    for (const stream of streams) stream.finish().catch(() => {});
    if (require('node:worker_threads').isMainThread) process.exit(7);
    require('node:worker_threads').parentPort.postMessage('started');
  });`;

test('leaving while answers run', async () => {
  const result = spawnSync(process.execPath, ['-e', LEAVING], { cwd: __dirname, encoding: 'utf8' });
  assert.equal(result.status, 7, result.stderr);
  const worker = new Worker(LEAVING, { eval: true });
  await new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  await worker.terminate();
});

test('the library', async () => {
  assert.match(finback.version(), /^\d+\.\d+\.\d+$/);
  assert.ok(finback.describeOptions().some((option) => option.name === 'model'));
  assert.equal(finback.parseCompletion('why</think>so').reasoning_content, 'why');
  assert.throws(() => finback.parseCompletion('no end', { strict: true }), FinbackError);
  assert.ok((await finback.services()).services.length > 0);
});
