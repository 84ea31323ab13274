/**
 * What a WebSocket client says in one go, put in together: one hold of the lock, one bell and no object for
 * each message. Filled through client-publishing.ts by subscribe/client-offers.ts, which sees to it that each
 * run ends with the bytes it came in. Messages with an idempotency key, for several channels, or that wait
 * for anything, go the longer way (put.ts), and so does what is left of a run where the store is busy.
 */
import type { Marks } from "../message.ts";
import type { NamedChannel } from "../store/channel/channel-ref.ts";
import { Counter } from "../store/counters.ts";
import { type Entry, GONE, UNSETTLED } from "../store/message/append-all.ts";
import { BUSY } from "../store/outcome.ts";
import type { Ref } from "../wire/client-frame.ts";
import { type Ingest, marksFor } from "./ingest.ts";
import type { Results } from "./own-form.ts";

/** So many of them the store takes under one hold of its lock. */
const MOST = 64;
const NOTHING = new Uint8Array(0);

/** Used again for one message after the other. */
class RunMessage implements Entry {
  index = -1;
  incarnation = 0;
  name: Uint8Array = NOTHING;
  data: Uint8Array = NOTHING;
  readonly start = 0;
  readonly eventId = null;
  readonly eventType = null;
  stored = false;
  readonly key = null;
  marks: Marks | null = null;
  outcome = UNSETTLED;
  position = 0;
  isDuplicate = false;
  ref: Ref = null;
  trace: Uint8Array | null = null;
  life = "";

  get whole(): Uint8Array {
    return this.data;
  }
  get length(): number {
    return this.data.length;
  }
  get isIn(): boolean {
    return this.outcome > 0;
  }
}

/** Whose messages they are. */
export interface Offerer {
  /** Those up to `to` are in, or there is no room for them. `onDisk`: as in Published. */
  settled(run: readonly RunMessage[], to: number, onDisk: Promise<boolean> | null): void;
  /** In order, for the longer way; its data is good for this call alone. */
  unsettled(message: RunMessage): void;
}

export class ClientRun {
  readonly #inlet: Ingest;
  readonly #results: Results;
  #offerer: Offerer | null = null;
  #count = 0;
  readonly #messages: RunMessage[] = [];
  /** By length, of the same messages: a list that is emptied and filled again is made anew each time. */
  readonly #runs: (readonly RunMessage[])[] = [];

  constructor(inlet: Ingest, results: Results) {
    this.#inlet = inlet;
    this.#results = results;
  }

  /** `data`: to stay as it is until the run ends. False: it is for the longer way. */
  add(
    offerer: Offerer,
    channel: NamedChannel,
    data: Uint8Array,
    stored: boolean,
    by: string | null,
    trace: Uint8Array | null,
    ref: Ref,
  ): boolean {
    const { store, order } = this.#inlet;
    if (order || channel.index === store.eventsChannel) return false;
    if (this.#offerer !== offerer || this.#count === MOST) this.end();
    this.#offerer = offerer;
    const message = this.#next();
    message.index = channel.index;
    message.incarnation = channel.incarnation;
    message.name = channel.name;
    message.data = data;
    message.stored = stored;
    message.marks = marksFor(this.#inlet, by, null, data, trace);
    message.outcome = UNSETTLED;
    message.ref = ref;
    message.trace = trace;
    return true;
  }

  #next(): RunMessage {
    const at = this.#count++;
    const known = this.#messages[at];
    if (known !== undefined) return known;
    const message = new RunMessage();
    this.#messages.push(message);
    return message;
  }

  /** All that were added are put in, and their offerer is told of each. */
  end(): void {
    const offerer = this.#offerer;
    if (offerer === null) return;
    this.#offerer = null;
    const count = this.#count;
    this.#count = 0;
    this.#runs[count] ??= this.#messages.slice(0, count);
    const run = this.#runs[count] ?? [];
    const settled = this.#append(run);
    const appended = this.#note(run, settled);
    const onDisk = appended > 0 ? (this.#inlet.onDisk?.() ?? null) : null;
    if (settled > 0) offerer.settled(run, settled, onDisk);
    for (let at = settled; at < count; at++) {
      const message = run[at];
      if (message !== undefined) offerer.unsettled(message);
    }
    // A view keeps all that came with it.
    for (const message of run) message.data = NOTHING;
  }

  /** How many are settled: all, or those before one whose channel is gone or for which the store is busy. */
  #append(run: readonly RunMessage[]): number {
    const { store } = this.#inlet;
    let settled = 0;
    while (settled < run.length) {
      const more = store.appendAll(run, settled, Date.now());
      if (more === BUSY) break;
      settled += more;
      if (run[settled]?.outcome === GONE) break;
    }
    return settled;
  }

  /** How many of the settled are new in the store. */
  #note(run: readonly RunMessage[], settled: number): number {
    const { store, slot, published } = this.#inlet;
    let appended = 0;
    for (let at = 0; at < settled; at++) {
      const message = run[at];
      if (message === undefined || !message.isIn) continue;
      appended++;
      if (message.ref !== null) message.life = this.#results.lifeOf(message.name);
    }
    if (appended === 0) return 0;
    store.counters.add(slot, Counter.PUBLISHED, appended);
    published();
    return appended;
  }
}
