/**
 * What was asked of the engine and not answered for good: what is sent, and who waits. Made by publisher.ts.
 */
import type { Cursor } from "../store/replica/replica-store.ts";

/**
 * Where the last entry of a request went: `term-n`; of a message its position and how many the channel has
 * counted.
 */
export interface Accepted {
  readonly kind: "accepted";
  readonly term: number;
  readonly n: number;
  readonly position: number;
  /** Its idempotency key is known: nothing was written, and the position is that of the first. */
  readonly isDuplicate: boolean;
}

/**
 * Nothing was stored: the engine is away, has no memory, or refused it; or the key came with another message
 * before. `unknown`: it may have been stored, or may be yet. `unreplicated`: it was, but no replica has it
 * (replica-wait.ts).
 */
export interface NotAccepted {
  readonly kind: "away" | "full" | "refused" | "conflict" | "unknown" | "unreplicated";
}

export type Answer = Accepted | NotAccepted;

/** One message for one channel. Several of one turn are one call of the script (calls.ts). */
export interface MessageCall {
  readonly kind: "m";
  readonly name: Uint8Array;
  /**
   * "s" or "-", with "i" and "t" where there is an event id or type, and "e" where it counts as an event, and
   * not as a message.
   */
  readonly flags: string;
  readonly data: Uint8Array;
  readonly eventId: Uint8Array | null;
  readonly eventType: Uint8Array | null;
  /**
   * Idempotency: the engine's key for it, and what tells the same message from another; null: it has none.
   */
  readonly keyed: { readonly key: Buffer; readonly body: string } | null;
}

export interface OtherCall {
  readonly kind: "d" | "h" | "g" | "r" | "p";
  readonly counters: readonly Buffer[];
  /** What the kind wants, from the 11th on. */
  readonly rest: readonly (string | Uint8Array)[];
}

export type ScriptCall = MessageCall | OtherCall;

export class Request {
  readonly number: number;
  readonly call: ScriptCall;
  readonly resolve: (answer: Answer) => void;
  readonly untilMs: number;
  readonly bytes: number;
  /** What users ask for, unlike what nodes say of themselves. */
  get isWaitedFor(): boolean {
    return this.call.kind === "m" || this.call.kind === "d" || this.call.kind === "r";
  }

  /** It was written to a connection, and may have been taken. */
  isSent = false;
  /** As far as the log was known here before it was written: what it puts there comes later. */
  after: Cursor = { term: 0, n: 0 };

  constructor(number: number, call: ScriptCall, untilMs: number, resolve: (answer: Answer) => void) {
    this.number = number;
    this.call = call;
    this.untilMs = untilMs;
    this.resolve = resolve;
    this.bytes = bytesOf(call);
  }
}

const bytesOf = (call: ScriptCall): number =>
  call.kind === "m"
    ? call.data.length + (call.eventId?.length ?? 0) + (call.eventType?.length ?? 0)
    : call.rest.reduce((sum, part) => sum + part.length, 0);
