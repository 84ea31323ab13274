/**
 * Where a subscriber suite runs: one worker and two, and both listeners; what a client sees must be the same,
 * but that the native one has no streams that begin with nothing (docs/doors.md). Used by the suites of this
 * folder that speak to subscriber locations.
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

export function onAllGrounds(title: string, suite: (ground: Ground) => void): void {
  const grounds = [ground(1, true), ground(2, true), ground(1, false), ground(2, false)];
  for (const one of grounds) {
    const listener = one.early ? "wire listener" : "native listener";
    describe(`${title}, ${one.workers} worker(s), ${listener}`, () => suite(one));
  }
}
