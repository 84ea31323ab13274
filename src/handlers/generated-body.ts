/**
 * The body of an answer that a generator makes: what it yields is sent at once, and it goes on when the
 * client has room for more. One send a `yield`, nothing queued, so a slow reader costs what one `yield` is
 * long.
 *
 * Bun pulls it as a direct stream; a listener of our own (listen/) pulls it itself. Called by endpoint.ts,
 * which has asked for the first piece already: an answer that never begins is another answer.
 */

import type { Arrival, Standing } from "../front/location-hooks.ts";
import { type BreakableSink, pulledResponse } from "../http/direct-answer.ts";
import { log } from "../log.ts";
import type { RequestContext } from "./context.ts";
import { Ending } from "./ending.ts";
import { isPromise } from "./failure.ts";
import type { HandlerHost, Running } from "./host.ts";
import type { HandlerFile } from "./loader.ts";

export type Piece = string | Uint8Array;
/** Of a generator, sync or async, or of any iterable. */
export interface Pieces {
  next(): IteratorResult<unknown> | Promise<IteratorResult<unknown>>;
  return?(value?: unknown): unknown;
}

/** How long a generator may go on when the server is about to stop. */
const LAST_WORDS_MS = 5000;

export interface Generating {
  readonly host: HandlerHost;
  readonly file: HandlerFile;
  readonly context: RequestContext;
  readonly pieces: Pieces;
  readonly first: IteratorResult<unknown>;
  /** Called when it has ended, by whatever cause. */
  readonly ended: () => void;
  readonly arrival: Arrival | null;
}

/** The answer with such a body. */
export function generatedResponse(generating: Generating, init: ResponseInit): Response {
  return pulledResponse(new GeneratedBody(generating), init);
}

export class GeneratedBody implements Running, Standing {
  readonly type = "direct";
  readonly #generating: Generating;
  #sink: BreakableSink | null = null;
  #isOver = false;
  readonly #departure: (() => void) | null;

  constructor(generating: Generating) {
    this.#generating = generating;
    generating.host.add(this);
    this.#departure = generating.arrival?.([], this) ?? null;
  }

  /** Called once, when the answer goes out. */
  pull(sink: BreakableSink): void {
    if (this.#isOver) return;
    this.#sink = sink;
    // Each piece is sent as it is written, without a flush of its own.
    sink.start({ highWaterMark: 1 });
    this.#run(sink).catch((error: unknown) => this.#failed(error));
  }

  /** The client went away. */
  cancel(): void {
    this.#leave(Ending.clientLeft);
  }

  /** As when the server stops: it may say a last word. */
  dismiss(): void {
    this.#generating.context.finish(Ending.grantOver);
    setTimeout(() => this.#end(), LAST_WORDS_MS);
  }

  goAway(): void {
    this.#generating.context.finish(Ending.draining);
    setTimeout(() => this.#end(), LAST_WORDS_MS);
  }

  async #run(sink: BreakableSink): Promise<void> {
    const { pieces, first } = this.#generating;
    let step = first;
    while (step.done !== true) {
      const written = sink.write(bytesOf(step.value));
      if (typeof written !== "number") await this.#room(written);
      if (this.#isOver) return;
      const next = pieces.next();
      step = isPromise(next) ? await next : next;
      if (this.#isOver) return;
    }
    this.#end();
  }

  /** The socket is full. */
  async #room(written: Promise<number>): Promise<void> {
    const { sendMs } = this.#generating.host.config.connections;
    const stuck = setTimeout(() => this.#break(new Error("the client takes nothing")), sendMs);
    try {
      await written;
    } finally {
      clearTimeout(stuck);
    }
  }

  #end(): void {
    if (this.#isOver) return;
    const sink = this.#sink;
    this.#leave(Ending.done);
    const ended = sink?.end();
    if (isPromise(ended)) ended.then(undefined, ignoreLateEnd);
  }

  #failed(error: unknown): void {
    const { file, context } = this.#generating;
    if (context.isEnding(error)) {
      // It let itself be woken by its signal, which is as good an end as any.
      this.#end();
      return;
    }
    // Of a client that has left nobody sees it, but whoever wrote the handler wants to know.
    file.logFailure("handler", error, { path: context.path });
    this.#break(error instanceof Error ? error : new Error("the handler failed"));
  }

  /** The client must not take what it has for the whole: its connection breaks. */
  #break(error: Error): void {
    if (this.#isOver) return;
    const sink = this.#sink;
    this.#leave(Ending.done);
    const closed = sink?.close(error);
    if (isPromise(closed)) closed.then(undefined, ignoreLateEnd);
  }

  #leave(ending: DOMException): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const { host, context, pieces, ended } = this.#generating;
    host.remove(this);
    this.#departure?.();
    context.finish(ending);
    ended();
    this.#sink = null;
    closePieces(pieces, (error) => this.#lateFailure(error));
  }

  #lateFailure(error: unknown): void {
    const { file, context } = this.#generating;
    if (!context.isEnding(error)) file.logFailure("handler", error, { path: context.path });
  }
}

/**
 * Lets the generator run its `finally`: at once if it stands at a `yield`, else when what it awaits is there.
 * Never throws.
 */
export function closePieces(pieces: Pieces, failed: (error: unknown) => void): void {
  try {
    const returned = pieces.return?.();
    if (isPromise(returned)) returned.then(undefined, failed);
  } catch (error) {
    failed(error);
  }
}

function bytesOf(piece: unknown): Uint8Array {
  if (typeof piece === "string") return Buffer.from(piece);
  if (piece instanceof Uint8Array) return piece;
  throw new TypeError(`a handler yields text or bytes, not ${piece === null ? "null" : typeof piece}`);
}

const ignoreLateEnd = (error: unknown): void =>
  log("debug", "a handler's client left before the last bytes", { error: String(error) });
