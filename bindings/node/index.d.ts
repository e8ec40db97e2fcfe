/// <reference types="node" />

/**
 * Options of finback.h by name, or the model alone: a folder, "krill" or "PROVIDER:MODEL". A file's name may be a Buffer,
 * as fs has it; what is null or undefined keeps its default.
 */
export type Options = string | Record<string, string | number | bigint | boolean | Buffer | null | undefined>;

/** A Chat Completions request, or its JSON. */
export type Request = string | { [field: string]: unknown };

export interface StartOptions {
  /** Cancels the answer: what waits for it rejects with the signal's reason. */
  signal?: AbortSignal;
}

/** A call failed. */
export class FinbackError extends Error {
  /** The name of the code: "not_found", "invalid_request", "cancelled", ... */
  readonly code: string;
  /** FINBACK_ERROR_* of finback.h, such as -3. */
  readonly number: number;
  /** What is known of a service's failure. */
  readonly details: { [field: string]: unknown };
}

/** One event of a stream; what does not concern its kind is empty. Skip kinds that you do not know. */
export interface Event {
  kind: 'reasoning' | 'content' | 'tool_call' | 'tool_arguments' | 'tool_call_end' | 'finish' | 'progress'
    | 'notice' | 'other';
  /** The next piece; of a tool_call_end: all arguments. */
  text: string;
  /** Which call of the answer, from 0. */
  toolIndex: number;
  toolId: string;
  toolName: string;
  /** "stop", "length" or "tool_calls". */
  finishReason: string;
  logprobs: unknown[];
  progressDone: number;
  progressTotal: number;
}

export interface Usage {
  promptTokens: number;
  /** Of them, not computed again. */
  cachedTokens: number;
  completionTokens: number;
  /** Of them, spent on reasoning. */
  reasoningTokens: number;
  diskTokens: number;
  proposedTokens: number;
  acceptedTokens: number;
}

/** An answer being produced. Leaving a `for await` loop closes it. */
export class Stream implements AsyncIterableIterator<Event> {
  private constructor();
  /** Computes until the next event, in another thread; null when the stream is over. */
  nextEvent(): Promise<Event | null>;
  next(): Promise<IteratorResult<Event, undefined>>;
  return(value?: unknown): Promise<IteratorResult<Event, undefined>>;
  [Symbol.asyncIterator](): this;
  /** The answer so far as a chat.completion; complete after the event "finish". */
  response(): Promise<any>;
  /** The answer so far as the message that the next request gives back, with its tool calls. */
  message(): Promise<any>;
  /** The present event as a chat.completion.chunk; null for events that have none. */
  chunk(): Promise<any>;
  usage(): Promise<Usage>;
  /** Runs to the end; the response. */
  finish(): Promise<any>;
  /** What waits for the next event, or else the next call, rejects with code "cancelled". */
  cancel(): void;
  close(): void;
}

/** A conversation's memory of its own; one answer at a time. */
export class Session {
  private constructor();
  chat(request: Request, options?: StartOptions): Promise<Stream>;
  close(): void;
}

/** The network without text: token ids in, logits out. */
export class Sequence {
  private constructor();
  /** Logits after the last id. */
  evaluate(ids: Iterable<number>): Promise<Float32Array>;
  /** Logits after every id, row by row. */
  evaluateAll(ids: Iterable<number>): Promise<Float32Array>;
  append(ids: Iterable<number>): Promise<void>;
  position(): Promise<number>;
  contextTokens(): Promise<number>;
  vocab(): Promise<number>;
  rollBack(tokens: number): Promise<void>;
  fork(): Promise<Sequence>;
  snapshot(): Promise<Buffer>;
  restore(bytes: Uint8Array): Promise<void>;
  cancel(): void;
  close(): void;
}

export class Engine {
  private constructor();
  static open(options: Options): Promise<Engine>;
  info(): Promise<any>;
  models(): Promise<any>;
  balance(): Promise<any>;
  /** Checks every weight, and the files' hashes by what sha256sum printed for the folder. */
  verify(sha256List?: string): Promise<void>;
  /** special: tokens such as <think> become their ids. */
  tokenize(text: string, options?: { special?: boolean }): Promise<Int32Array>;
  detokenize(ids: Iterable<number>): Promise<string>;
  /** The prompt text that chat() would use. */
  encode(request: Request): Promise<string>;
  encodeTokens(request: Request): Promise<Int32Array>;
  chat(request: Request, options?: StartOptions): Promise<Stream>;
  /** Continues raw text: {"prompt": ...}. */
  complete(request: Request, options?: StartOptions): Promise<Stream>;
  newSession(): Promise<Session>;
  newSequence(): Promise<Sequence>;
  /** Streams, sessions and sequences keep what they need. */
  close(): void;
}

export function version(): string;
export function buildInfo(): any;
export function encodeMessages(request: Request): string;
export function parseCompletion(text: string, options?: { thinking?: boolean; strict?: boolean }): any;
export function describeOptions(): any[];
export function services(options?: Options): Promise<any>;
export function costReport(options: Options, query?: Request): Promise<any>;
