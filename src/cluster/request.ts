/** One call of the script that was asked for and not answered for good: what is sent, and who waits. Made by publisher.ts. */
import type { Cursor } from "../store/replica-store.ts";

/** Where the entries of a request went: `term-n` of the last, and position and count of each channel. */
export interface Accepted {
  readonly kind: "accepted";
  readonly term: number;
  readonly n: number;
}

/** Nothing was stored: the engine is away, has no memory, or refused it. `unknown`: it may have been stored, or may be yet. */
export interface NotAccepted {
  readonly kind: "away" | "full" | "refused" | "unknown";
}

export type Answer = Accepted | NotAccepted;

export interface ScriptCall {
  readonly kind: "m" | "d" | "h" | "g" | "r" | "p";
  readonly counters: readonly Buffer[];
  /** What the kind wants, from the 11th on. */
  readonly rest: readonly (string | Uint8Array)[];
}

export class Request {
  readonly number: number;
  readonly call: ScriptCall;
  readonly resolve: (answer: Answer) => void;
  readonly untilMs: number;
  readonly bytes: number;
  /** It was written to a connection, and may have been taken. */
  isSent = false;
  /** As far as the log was known here before it was written: what it puts there comes later. */
  after: Cursor = { term: 0, n: 0 };

  constructor(number: number, call: ScriptCall, untilMs: number, resolve: (answer: Answer) => void) {
    this.number = number;
    this.call = call;
    this.untilMs = untilMs;
    this.resolve = resolve;
    this.bytes = call.rest.reduce((sum, part) => sum + part.length, 0);
  }
}
