/** The samples and warnings of the last quarter of an hour, as they come over the stream of events. */

/** Samples kept: a second each. */
const KEPT = 900;
const MAX_LINES = 200;

/**
 * @typedef {{ at: number, published: number, delivered: number, bytes: number, refused: number, gaps: number,
 * slow: number,
 *   connections: number, streams: number, polls: number, sockets: number, latency: number, lag: number,
 *     channels: number,
 *   stored: number, store: number, records: number, evicted: number, replaced: number,
 *   workers: { slot: number, pid: number, subscribers: number, lag: number }[] }} Sample
 * @typedef {{ at: number, level: string, process: string, text: string }} Line
 */

export class Live {
  /** @type {Sample[]} */
  samples = [];
  /** @type {Line[]} Newest first. */
  lines = [];

  /**
   * @param {() => void} changed Called once for all that came together.
   * @param {(state: "connecting" | "open" | "lost") => void} told
   */
  constructor(changed, told) {
    let due = false;
    const soon = () => {
      if (due) return;
      due = true;
      // Not a frame: a page in the background gets none, and would fall behind.
      setTimeout(() => {
        due = false;
        changed();
      }, 50);
    };
    const source = new EventSource("live");
    source.addEventListener("open", () => told("open"));
    source.addEventListener("error", () =>
      told(source.readyState === EventSource.CLOSED ? "lost" : "connecting"),
    );
    source.addEventListener("message", (event) => {
      this.samples.push(JSON.parse(event.data));
      if (this.samples.length > KEPT) this.samples.splice(0, this.samples.length - KEPT);
      soon();
    });
    source.addEventListener("log", (event) => {
      this.lines.unshift(JSON.parse(event.data));
      this.lines.length = Math.min(this.lines.length, MAX_LINES);
      soon();
    });
  }

  get last() {
    return this.samples.at(-1);
  }
}
