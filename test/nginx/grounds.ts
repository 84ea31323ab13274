/**
 * Where a subscriber suite runs: one worker and two, and both listeners. An address whose streams may begin with nothing is served by a
 * listener of our own (src/listen/early-listener.ts), all others by Bun's; what a client sees must be the same. Used by the
 * suites of this folder that speak to subscriber locations.
 */
import { describe } from "bun:test";

export interface Ground {
  readonly workers: number;
  readonly early: boolean;
  /** Directives for the server that choose the listener: every location inherits a header template, or none does. */
  readonly server: string;
  /** What a location without templates of its own sends first. */
  readonly header: string;
  /** The same on an eventsource location. */
  readonly comment: string;
}

const ground = (workers: number, early: boolean): Ground => ({
  workers,
  early,
  server: early ? "" : 'push_stream_header_template "^";',
  header: early ? "" : "^",
  comment: early ? ": \n" : ": ^\n",
});

export function onAllGrounds(title: string, suite: (ground: Ground) => void): void {
  const grounds = [ground(1, true), ground(2, true), ground(1, false), ground(2, false)];
  for (const one of grounds) {
    const listener = one.early ? "heads early" : "Bun's listener";
    describe(`${title}, ${one.workers} worker(s), ${listener}`, () => suite(one));
  }
}
