/**
 * Where a subscriber suite runs: both listeners, one with a worker and the other with two; what a client sees
 * must be the same, but that the native one has no streams that begin with nothing (docs/doors.md). Used by
 * the suites of this folder that speak to subscriber locations. The other two pairs are those of
 * web-socket.test.ts and statistics.test.ts, and of the suites of this program's own configuration.
 */
import { describe } from "bun:test";

export interface Ground {
  readonly workers: number;
  readonly early: boolean;
  /**
   * Directives for the server that choose the listener: on the native one every location inherits a header
   * template.
   */
  readonly server: string;
  /** What a location without templates of its own sends first. */
  readonly header: string;
  /** The same on an eventsource location. */
  readonly comment: string;
}

const ground = (workers: number, early: boolean): Ground => ({
  workers,
  early,
  server: early ? "" : 'sluice_listener native; push_stream_header_template "^";',
  header: early ? "" : "^",
  comment: early ? ": \n" : ": ^\n",
});

export function onBothGrounds(title: string, suite: (ground: Ground) => void): void {
  for (const one of [ground(2, true), ground(1, false)]) {
    const listener = one.early ? "wire listener" : "native listener";
    describe(`${title}, ${one.workers} worker(s), ${listener}`, () => suite(one));
  }
}
