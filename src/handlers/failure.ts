/**
 * What becomes of a handler that fails: a line in the log with an id, and the same id for the client, who is
 * told nothing else. Used by everything in this folder that calls somebody's code.
 */
import { randomBytes } from "node:crypto";
import { SERVER } from "../http/answer.ts";
import { log } from "../log.ts";

/** Sent with every 500 of a handler; the body has it as well. */
export const ERROR_ID_HEADER = "X-Sluice-Error-Id";
const ID_BYTES = 6;
/** A stack of a thousand frames tells no more than its top. */
const MAX_STACK = 4000;

/**
 * Errors that sluice throws at handlers. Who let one go cannot be told from its stack: calls in tail position
 * leave no trace in it.
 */
const thrownAtHandlers = new WeakSet<Error>();

/** Marks it as such. */
export function atHandler<Thrown extends Error>(error: Thrown): Thrown {
  thrownAtHandlers.add(error);
  return error;
}

export const isThrownAtHandler = (error: unknown): boolean =>
  error instanceof Error && thrownAtHandlers.has(error);

/** What was being called when it failed: "handler", "authorize", "onPublish", "websocket.message" … */
export interface Failing {
  readonly file: string;
  readonly what: string;
}

/** The time limit of a location is over (`handler_timeout`). */
export class TooLate extends Error {
  constructor(ms: number) {
    super(`no answer within ${ms} ms`);
    this.name = "TooLate";
  }
}

/** Writes the line; the answer is the id in it. */
export function logFailure({ file, what }: Failing, error: unknown, fields: { path?: string } = {}): string {
  const id = randomBytes(ID_BYTES).toString("hex");
  log("error", `${what} failed: ${messageOf(error)}`, { id, file, ...fields, ...stackOf(error) });
  return id;
}

/** 500, with the id and nothing of the error. */
export function failureAnswer(id: string): Response {
  const body = Buffer.from(`Internal Server Error (id ${id})\n`);
  return new Response(body, {
    status: 500,
    headers: {
      ...SERVER,
      "Content-Type": "text/plain; charset=utf-8",
      "Cache-Control": "no-store",
      "Content-Length": String(body.length),
      [ERROR_ID_HEADER]: id,
    },
  });
}

/** Never throws: what is thrown may be anything, a Proxy or an object whose `toString` throws included. */
export function messageOf(error: unknown): string {
  try {
    return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  } catch {
    return "something that cannot be shown was thrown";
  }
}

function stackOf(error: unknown): { readonly stack?: string } {
  if (error instanceof TooLate || !(error instanceof Error)) return {};
  try {
    return typeof error.stack === "string" ? { stack: error.stack.slice(0, MAX_STACK) } : {};
  } catch {
    return {};
  }
}

/**
 * `work`, or a TooLate after so many milliseconds. What it does afterwards is nobody's business any more: a
 * later failure of it is not an unhandled one.
 */
export function within<Value>(work: PromiseLike<Value>, ms: number): Promise<Value> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new TooLate(ms)), ms);
    work.then(
      (value) => {
        clearTimeout(timer);
        resolve(value);
      },
      (error: unknown) => {
        clearTimeout(timer);
        reject(error);
      },
    );
  });
}

/**
 * The same for a handler that reads its request while it works: the time begins anew whenever something of it
 * was read, as it is the client's then.
 */
export class TimeLimit {
  readonly #ms: number;
  readonly #tooLate = Promise.withResolvers<never>();
  #timer: Timer;

  constructor(ms: number) {
    this.#ms = ms;
    this.#timer = this.#begin();
    // Nobody may be waiting for it.
    this.#tooLate.promise.catch(() => undefined);
  }

  /** It has got on. */
  touch(): void {
    clearTimeout(this.#timer);
    this.#timer = this.#begin();
  }

  async of<Value>(work: PromiseLike<Value>): Promise<Value> {
    try {
      return await Promise.race([work, this.#tooLate.promise]);
    } finally {
      clearTimeout(this.#timer);
    }
  }

  #begin(): Timer {
    return setTimeout(() => this.#tooLate.reject(new TooLate(this.#ms)), this.#ms);
  }
}

export const isPromise = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
