/**
 * The console's stream of events: samples and warnings out of the internal channel, from its beginning or from the event a
 * browser had last, and what comes from then on. Called by plugin.ts.
 *
 * All viewers of a worker are served by one look at the channel a quarter of a second; a viewer that does not read is ended,
 * and comes again with the id it has.
 */
import { ANTI_CACHE } from "../answer.ts";
import { ChannelRef } from "../store/channel-ref.ts";
import { Internal } from "../store/internal-channels.ts";
import { Message } from "../store/message-view.ts";
import { FOUND, GONE, type Reader } from "../store/reader.ts";
import type { Store } from "../store/store.ts";

const LOOK_MS = 250;
/** Pages open at a time, a worker. */
const MAX_VIEWERS = 32;
/** Bytes that may wait for one viewer: the whole past at once, and some. */
const MAX_WAITING = 4 * 2 ** 20;
/** Messages taken in one look, so that a long past does not hold the worker up. */
const MESSAGES_A_LOOK = 300;
/** Nothing is published where no worker takes samples; the page must know that the connection is there. */
const PING = new TextEncoder().encode(": ping\n\n");
const PING_LOOKS = 40;

interface Viewer {
  readonly controller: ReadableStreamDefaultController<Uint8Array>;
  reader: Reader;
  quietLooks: number;
}

export class LiveEvents {
  readonly #store: Store;
  readonly #viewers = new Set<Viewer>();
  readonly #message = new Message();
  readonly #encoder = new TextEncoder();
  readonly #decoder = new TextDecoder();
  #timer: Timer | null = null;

  constructor(store: Store) {
    this.#store = store;
  }

  /** null: too many look already, or the store is busy. `lastId`: the last event a browser had, as it says it. */
  open(lastId: string | null): Response | null {
    if (this.#viewers.size >= MAX_VIEWERS) return null;
    const after = /^[0-9]{1,15}$/.test(lastId ?? "") ? Number(lastId) : 0;
    const reader = this.#reader(after);
    if (reader === null) return null;
    let viewer: Viewer | null = null;
    const stream = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          viewer = { controller, reader, quietLooks: 0 };
          controller.enqueue(this.#encoder.encode(": sluice\nretry: 2000\n\n"));
          this.#viewers.add(viewer);
          this.#timer ??= setInterval(() => this.#look(), LOOK_MS);
          this.#look();
        },
        cancel: () => {
          if (viewer !== null) this.#leave(viewer);
        },
      },
      { highWaterMark: MAX_WAITING, size: (chunk) => chunk?.byteLength ?? 0 },
    );
    return new Response(stream, {
      headers: { "Content-Type": "text/event-stream; charset=utf-8", ...ANTI_CACHE },
    });
  }

  stop(): void {
    for (const viewer of this.#viewers) this.#end(viewer);
  }

  #reader(after: number): Reader | null {
    const ref = new ChannelRef();
    const index = this.#store.internal.open(Internal.console, Date.now(), ref);
    return index < 0 ? null : this.#store.reader(index, ref.incarnation, after);
  }

  #look(): void {
    for (const viewer of this.#viewers) this.#tell(viewer);
  }

  #tell(viewer: Viewer): void {
    const { controller } = viewer;
    let text = "";
    for (let count = 0; count < MESSAGES_A_LOOK; count++) {
      const outcome = viewer.reader.next(this.#message);
      if (outcome === GONE) viewer.reader = this.#reader(0) ?? viewer.reader;
      if (outcome !== FOUND) break;
      viewer.reader.accept(this.#message);
      text += this.#event();
    }
    viewer.quietLooks = text === "" ? viewer.quietLooks + 1 : 0;
    if (text !== "") controller.enqueue(this.#encoder.encode(text));
    else if (viewer.quietLooks % PING_LOOKS === 0) controller.enqueue(PING);
    if ((controller.desiredSize ?? 0) <= 0) this.#end(viewer);
  }

  /** Its data is JSON on one line. */
  #event(): string {
    const { id, bytes, eventTypeLength, dataOffset, dataLength } = this.#message;
    const text = (start: number, length: number): string =>
      this.#decoder.decode(bytes.subarray(start, start + length));
    const type = eventTypeLength > 0 ? `event: ${text(0, eventTypeLength)}\n` : "";
    return `id: ${id}\n${type}data: ${text(dataOffset, dataLength)}\n\n`;
  }

  #end(viewer: Viewer): void {
    this.#leave(viewer);
    viewer.controller.close();
  }

  #leave(viewer: Viewer): void {
    this.#viewers.delete(viewer);
    if (this.#viewers.size > 0 || this.#timer === null) return;
    clearInterval(this.#timer);
    this.#timer = null;
  }
}
