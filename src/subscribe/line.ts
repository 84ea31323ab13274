/**
 * The connection under a held answer, as far as its idle timeout goes. Bun closes a connection on which
 * nothing moved for a while, a held one as well, and gives it the same end as a lost network: a long poll
 * gets no answer at all. A location whose pings or ttl come sooner than that needs nothing; for the others
 * the timeout rests while the answer is held.
 *
 * Only then, because it means to keep the request object, which an idle subscriber can ill afford.
 */
import type { Incoming } from "../http/incoming.ts";

/** The part of Bun's server that is used. */
export interface IdleTimer {
  timeout(request: Incoming, seconds: number): void;
}

/** Connections are looked at every four seconds, so a timeout may come that much early. */
const GRANULARITY_MS = 4000;

/** Whether something is sent before the idle timeout; times in ms, 0 = never. */
export const isNeverIdle = (idleMs: number, ...everyMs: readonly number[]): boolean =>
  everyMs.some((ms) => ms > 0 && ms < idleMs - GRANULARITY_MS);

export class Line {
  readonly #server: IdleTimer;
  readonly #request: Incoming;
  readonly #idleSec: number;

  /** The answer is held from now on. */
  constructor(server: IdleTimer, request: Incoming, idleSec: number) {
    this.#server = server;
    this.#request = request;
    this.#idleSec = idleSec;
    server.timeout(request, 0);
  }

  /**
   * Call just before the answer ends: what follows is an idle connection, or one whose reader does not take
   * the rest.
   */
  release(): void {
    this.#server.timeout(this.#request, this.#idleSec);
  }
}
