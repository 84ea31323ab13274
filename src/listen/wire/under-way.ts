/**
 * What an HTTP connection has beside what it always keeps: made while something is under way (a body that
 * comes, a head that is not whole, a client that is slow), and for those who ask more than once. Who only
 * waits has none: its connection has twelve fields, the most for 112 bytes, and with these it would take 224.
 * Part of answering.ts and those above it.
 */
import type { Gone } from "../../http/incoming.ts";
import type { HeldInput } from "./held-input.ts";
import type { RequestBody } from "./request-body.ts";
import type { WireHead } from "./wire-request.ts";

export class UnderWay {
  /** There have been so many; the first needs nobody to count it. */
  requests = 1;
  /** Of the request that is answered; null: it has none, or it was read. */
  body: RequestBody | null = null;
  /** Bytes that were not looked at yet. */
  input: HeldInput | null = null;
  /** Of a head that has not come whole. */
  partial: WireHead | null = null;
  /** Told when the connection is closed before its answer was over. */
  aborts: Gone | null = null;
  /** Resolves when the client has taken what was written. */
  room: PromiseWithResolvers<number> | null = null;

  takeInput(): HeldInput | null {
    const { input } = this;
    this.input = null;
    return input;
  }

  forgetInput(): void {
    this.input = null;
    this.partial = null;
    this.body = null;
  }

  get isNothing(): boolean {
    return (
      this.requests === 1 &&
      this.body === null &&
      this.input === null &&
      this.partial === null &&
      this.aborts === null &&
      this.room === null
    );
  }
}
