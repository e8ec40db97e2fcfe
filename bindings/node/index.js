'use strict';

// DeepSeek-V4 in this process, or the same requests at a service. See index.d.ts for what each thing is.

const path = require('node:path');

const native = require(
  path.join(__dirname, 'native', `${process.platform}-${process.arch}`, 'lib', 'finback.node'));

class FinbackError extends Error {
  constructor(number, code, message, details) {
    super(message);
    this.name = 'FinbackError';
    this.number = number;
    this.code = code;
    this.details = JSON.parse(details);
  }
}
native.setErrorClass(FinbackError);

function text(value, what) {
  if (typeof value !== 'string') throw new TypeError(`${what}: expected a string`);
  // With the flag u this finds half pairs alone.
  if (/\p{Surrogate}/u.test(value)) {
    throw new FinbackError(-1, 'invalid_argument', `${what}: half a surrogate pair has no UTF-8 form`, '{}');
  }
  return value;
}

function json(request) {
  if (typeof request === 'string') return text(request, 'request');
  if (request === null || typeof request !== 'object') {
    throw new TypeError('request: expected an object or JSON text');
  }
  return JSON.stringify(request);
}

function tokenIds(ids) {
  if (ids instanceof Int32Array) return ids;
  const array = Array.from(ids);
  if (!array.every((id) => Number.isInteger(id) && id >= -(2 ** 31) && id < 2 ** 31)) {
    throw new TypeError('ids: expected 32-bit integers');
  }
  return Int32Array.from(array);
}

function optionList(options) {
  const object = typeof options === 'string' ? { model: options } : options;
  return Object.entries(object)
    .filter(([, value]) => value !== undefined && value !== null)
    .flatMap(([name, value]) => [text(name, 'option name'), optionValue(name, value)]);
}

function optionValue(name, value) {
  switch (typeof value) {
    case 'boolean': return String(Number(value));
    case 'number': case 'bigint': return String(value);
    case 'string': return text(value, name);
  }
  if (Buffer.isBuffer(value)) return value; // a file's name, as fs has it
  throw new TypeError(`${name}: expected a string, number, boolean or Buffer`);
}

// Calls on one object take turns, in the order in which they were made.
class Turns {
  #last = Promise.resolve();

  take(call) {
    const result = this.#last.then(call);
    this.#last = result.catch(() => {});
    return result;
  }
}

class Stream {
  #handle;
  #signal;
  #abort;
  #turns = new Turns();

  constructor(handle, signal) {
    this.#handle = handle;
    if (signal) {
      this.#signal = signal;
      // Signals may outlive many streams.
      const self = new WeakRef(this);
      this.#abort = () => self.deref()?.cancel();
      signal.addEventListener('abort', this.#abort);
      if (signal.aborted) this.cancel();
    }
  }

  static async start(handle, options) {
    options?.signal?.throwIfAborted();
    return new Stream(await handle, options?.signal);
  }

  #over() {
    this.#signal?.removeEventListener('abort', this.#abort);
  }

  async #next() {
    try {
      const event = await native.streamNext(this.#handle);
      if (event === null) {
        this.#over();
        return null;
      }
      event.logprobs = JSON.parse(event.logprobs);
      return event;
    } catch (error) {
      this.#over();
      if (error.code === 'cancelled') this.#signal?.throwIfAborted();
      throw error;
    }
  }

  nextEvent() {
    return this.#turns.take(() => this.#next());
  }

  async next() {
    const event = await this.nextEvent();
    return event === null ? { done: true, value: undefined } : { done: false, value: event };
  }

  async return(value) {
    this.close();
    return { done: true, value };
  }

  [Symbol.asyncIterator]() {
    return this;
  }

  response() {
    return this.#turns.take(async () => JSON.parse(await native.streamResponse(this.#handle)));
  }

  message() {
    return this.#turns.take(async () => JSON.parse(await native.streamMessage(this.#handle)));
  }

  chunk() {
    return this.#turns.take(async () => {
      const text = await native.streamChunk(this.#handle);
      return text === '' ? null : JSON.parse(text);
    });
  }

  usage() {
    return this.#turns.take(() => native.streamUsage(this.#handle));
  }

  async finish() {
    while ((await this.nextEvent()) !== null);
    return this.response();
  }

  cancel() {
    native.streamCancel(this.#handle);
  }

  close() {
    this.#over();
    native.streamClose(this.#handle);
  }
}

class Session {
  #handle;

  constructor(handle) {
    this.#handle = handle;
  }

  chat(request, options) {
    return Stream.start(native.sessionChat(this.#handle, json(request)), options);
  }

  close() {
    native.sessionClose(this.#handle);
  }
}

class Sequence {
  #handle;
  #turns = new Turns();

  constructor(handle) {
    this.#handle = handle;
  }

  #take(call, ...values) {
    return this.#turns.take(() => call(this.#handle, ...values));
  }

  async evaluate(ids) {
    return this.#take(native.sequenceEvaluate, tokenIds(ids));
  }

  async evaluateAll(ids) {
    return this.#take(native.sequenceEvaluateAll, tokenIds(ids));
  }

  async append(ids) {
    return this.#take(native.sequenceAppend, tokenIds(ids));
  }

  position() {
    return this.#take(native.sequencePosition);
  }

  contextTokens() {
    return this.#take(native.sequenceContextTokens);
  }

  vocab() {
    return this.#take(native.sequenceVocab);
  }

  async rollBack(tokens) {
    if (!Number.isInteger(tokens)) throw new TypeError('tokens: expected an integer');
    return this.#take(native.sequenceRollBack, tokens);
  }

  async fork() {
    return new Sequence(await this.#take(native.sequenceFork));
  }

  snapshot() {
    return this.#take(native.sequenceSnapshot);
  }

  async restore(bytes) {
    if (!(bytes instanceof Uint8Array)) throw new TypeError('bytes: expected a Buffer or Uint8Array');
    return this.#take(native.sequenceRestore, bytes);
  }

  cancel() {
    native.sequenceCancel(this.#handle);
  }

  close() {
    native.sequenceClose(this.#handle);
  }
}

class Engine {
  #handle;

  constructor(handle) {
    this.#handle = handle;
  }

  static async open(options) {
    return new Engine(await native.open(optionList(options)));
  }

  async info() {
    return JSON.parse(await native.engineInfo(this.#handle));
  }

  async models() {
    return JSON.parse(await native.engineModels(this.#handle));
  }

  async balance() {
    return JSON.parse(await native.engineBalance(this.#handle));
  }

  async verify(sha256List = '') {
    return native.engineVerify(this.#handle, text(sha256List, 'sha256List'));
  }

  async tokenize(value, { special = false } = {}) {
    const tokenize = special ? native.engineTokenizeSpecial : native.engineTokenize;
    return tokenize(this.#handle, text(value, 'text'));
  }

  async detokenize(ids) {
    return native.engineDetokenize(this.#handle, tokenIds(ids));
  }

  async encode(request) {
    return native.engineEncode(this.#handle, json(request));
  }

  async encodeTokens(request) {
    return native.engineEncodeTokens(this.#handle, json(request));
  }

  async chat(request, options) {
    return Stream.start(native.engineChat(this.#handle, json(request)), options);
  }

  async complete(request, options) {
    return Stream.start(native.engineComplete(this.#handle, json(request)), options);
  }

  async newSession() {
    return new Session(await native.engineNewSession(this.#handle));
  }

  async newSequence() {
    return new Sequence(await native.engineNewSequence(this.#handle));
  }

  close() {
    native.engineClose(this.#handle);
  }
}

// `using`, where the Node at hand has it.
for (const type of [Stream, Session, Sequence, Engine]) {
  if (Symbol.dispose) type.prototype[Symbol.dispose] = type.prototype.close;
}

module.exports = {
  Engine,
  Session,
  Sequence,
  Stream,
  FinbackError,
  version: () => native.version(),
  buildInfo: () => JSON.parse(native.buildInfo()),
  encodeMessages: (request) => native.encodeMessages(json(request)),
  parseCompletion: (value, { thinking = true, strict = false } = {}) =>
    JSON.parse(native.parseCompletion(text(value, 'text'), thinking, strict)),
  describeOptions: () =>
    Array.from({ length: native.optionCount() }, (_, index) => JSON.parse(native.describeOption(index))),
  services: async (options = {}) => JSON.parse(await native.services(optionList(options))),
  costReport: async (options, query = {}) =>
    JSON.parse(await native.costReport(optionList(options), json(query))),
};
