/**
 * The console's stream of events: samples and warnings out of the internal channel, from its beginning or
 * from the event a browser had last, and what comes from then on. Called by plugin.ts.
 *
 * All viewers of a worker are served by one look at the channel, four times a second. A viewer that does not
 * read costs the piece it was given last: it is looked after again when its socket has taken that, and reads
 * on from where it was.
 */
import { ANTI_CACHE } from "../http/answer.ts";
import { type BreakableSink, type PulledStream, pulledResponse } from "../http/direct-answer.ts";
import { ChannelRef } from "../store/channel/channel-ref.ts";
import { Internal } from "../store/channel/internal-channels.ts";
import { Message } from "../store/message/message-view.ts";
import { FOUND, GONE, type Reader } from "../store/message/reader.ts";
import type { Store } from "../store/store.ts";

const LOOK_MS = 250;
/** Pages open at a time, a worker. */
const MAX_VIEWERS = 32;
/** Messages taken in one look, so that a long past does not hold the worker up. */
const MESSAGES_A_LOOK = 200;
/** Nothing is published where no worker takes samples; the page must know that the connection is there. */
const PING_LOOKS = 40;

const encoder = new TextEncoder();
const HEAD = encoder.encode(": sluice\nretry: 2000\n\n");
const PING = encoder.encode(": ping\n\n");

export class LiveEvents {
  readonly #store: Store;
  readonly #viewers = new Set<Viewer>();
  readonly #message = new Message();
  readonly #decoder = new TextDecoder();
  #timer: Timer | null = null;

  constructor(store: Store) {
    this.#store = store;
  }

  /**
   * null: too many look already, or the store is busy. `lastId`: the last event a browser had, as it says it.
   */
  open(lastId: string | null): Response | null {
    if (this.#viewers.size >= MAX_VIEWERS) return null;
    const after = /^[0-9]{1,15}$/.test(lastId ?? "") ? Number(lastId) : 0;
    const reader = this.#reader(after);
    if (reader === null) return null;
    const viewer = new Viewer(reader, (left) => this.#leave(left));
    this.#viewers.add(viewer);
    this.#timer ??= setInterval(() => this.#look(), LOOK_MS);
    return pulledResponse(viewer, {
      headers: { "Content-Type": "text/event-stream; charset=utf-8", ...ANTI_CACHE },
    });
  }

  stop(): void {
    for (const viewer of this.#viewers) viewer.end();
  }

  #reader(after: number): Reader | null {
    const ref = new ChannelRef();
    const index = this.#store.internal.open(Internal.console, Date.now(), ref);
    return index < 0 ? null : this.#store.history.reader(index, ref.incarnation, after);
  }

  #look(): void {
    for (const viewer of this.#viewers) if (viewer.takesMore) this.#tell(viewer);
  }

  #tell(viewer: Viewer): void {
    let text = "";
    for (let count = 0; count < MESSAGES_A_LOOK; count++) {
      const outcome = viewer.reader.next(this.#message);
      if (outcome === GONE) viewer.reader = this.#reader(0) ?? viewer.reader;
      if (outcome !== FOUND) break;
      viewer.reader.accept(this.#message);
      text += this.#event();
    }
    viewer.quietLooks = text === "" ? viewer.quietLooks + 1 : 0;
    if (text !== "") viewer.write(encoder.encode(text));
    else if (viewer.quietLooks % PING_LOOKS === 0) viewer.write(PING);
  }

  /** Its data is JSON on one line. */
  #event(): string {
    const { id, bytes, eventTypeLength, dataOffset, dataLength } = this.#message;
    const text = (start: number, length: number): string =>
      this.#decoder.decode(bytes.subarray(start, start + length));
    const type = eventTypeLength > 0 ? `event: ${text(0, eventTypeLength)}\n` : "";
    return `id: ${id}\n${type}data: ${text(dataOffset, dataLength)}\n\n`;
  }

  #leave(viewer: Viewer): void {
    this.#viewers.delete(viewer);
    if (this.#viewers.size > 0 || this.#timer === null) return;
    clearInterval(this.#timer);
    this.#timer = null;
  }
}

/** One page: the body of its answer. */
class Viewer implements PulledStream {
  readonly type = "direct";
  reader: Reader;
  quietLooks = 0;
  readonly #left: (viewer: Viewer) => void;
  #sink: BreakableSink | null = null;
  #isFull = false;

  constructor(reader: Reader, left: (viewer: Viewer) => void) {
    this.reader = reader;
    this.#left = left;
  }

  get takesMore(): boolean {
    return this.#sink !== null && !this.#isFull;
  }

  pull(sink: BreakableSink): void {
    this.#sink = sink;
    sink.start({ highWaterMark: 1 });
    this.write(HEAD);
  }

  write(bytes: Uint8Array): void {
    const written = this.#sink?.write(bytes);
    if (typeof written !== "object") return;
    this.#isFull = true;
    const taken = (): void => {
      this.#isFull = false;
    };
    // Its end is told by cancel, too.
    written.then(taken, () => this.cancel());
  }

  end(): void {
    const sink = this.#sink;
    this.cancel();
    sink?.end();
  }

  cancel(): void {
    this.#sink = null;
    this.#left(this);
  }
}
