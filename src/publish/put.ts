/**
 * Putting messages in by name, with what became of each in each of its channels: batches, messages with an
 * idempotency key, and publishers who want to know the position. Many under one hold of the lock
 * (store/message/append-all.ts), and one bell for all. The short way, for a message of which nobody asks more
 * than whether it is in, is ingest.ts.
 */

import type { MayMake } from "../front/channel-quota.ts";
import { Refusals } from "../http/errors.ts";
import type { Refusal } from "../http/refusal.ts";
import type { Marks } from "../message.ts";
import { Counter } from "../store/counters.ts";
import { type Entry, GONE, UNSETTLED } from "../store/message/append-all.ts";
import { KEY_REUSED, type KeyMark } from "../store/message/keys.ts";
import { BUSY } from "../store/outcome.ts";
import { type Key, markOf } from "./idempotency.ts";
import { type Draft, type Ingest, openTarget } from "./ingest.ts";
import type { Order } from "./order.ts";

export interface KeyedDraft extends Draft {
  readonly key: Key | null;
}

/** Where a message's data lie, of which there is no view. */
export type Whereabouts = Pick<Entry, "whole" | "start" | "length">;

/** A message in one of its channels, and what became of it there. */
export class Place implements Entry {
  readonly name: Uint8Array;
  readonly draft: KeyedDraft;
  readonly key: KeyMark | null;
  readonly whole: Uint8Array;
  readonly start: number;
  readonly length: number;
  index = -1;
  incarnation = 0;
  outcome = UNSETTLED;
  /** 0: it is not known. */
  position = 0;
  isDuplicate = false;
  /** Why it is not in; null: it is. */
  refusal: Refusal | null = null;

  constructor(name: Uint8Array, draft: KeyedDraft, where: Whereabouts | null = null) {
    this.name = name;
    this.draft = draft;
    this.whole = where === null ? draft.data : where.whole;
    this.start = where === null ? 0 : where.start;
    this.length = where === null ? this.whole.length : where.length;
    this.key = draft.key === null ? null : markOf(name, draft.key);
  }

  get data(): Uint8Array {
    return this.draft.data;
  }
  get eventId(): Uint8Array | null {
    return this.draft.eventId;
  }
  get eventType(): Uint8Array | null {
    return this.draft.eventType;
  }
  get stored(): boolean {
    return this.draft.stored;
  }
  get marks(): Marks | null {
    return this.draft.marks ?? null;
  }
}

/** `where`: the draft's data are there, and it makes a view of them when it is asked for one. */
export function placesOf(
  names: readonly Uint8Array[],
  draft: KeyedDraft,
  where: Whereabouts | null = null,
): Place[] {
  const [only] = names;
  // Nearly all: a list for one is made without a function.
  if (names.length === 1 && only !== undefined) return [new Place(only, draft, where)];
  return names.map((name) => new Place(name, draft, where));
}

/** Why it is not in all its channels; null: it is. */
export const refusalOf = (places: readonly Place[]): Refusal | null =>
  places.find(({ refusal }) => refusal !== null)?.refusal ?? null;

/** Others have their turn after so long; those who put in no more than this are not asked. */
const TURN_MS = 4;
const FEW = 64;
/** So often a channel is made anew that somebody deletes each time. */
const MOST_REOPENED = 3;

/**
 * Puts them in, in order. A promise: it takes longer, for the lock, for the cluster, or because they are
 * many. `asker` is whatever stands for the request.
 */
export function putAll(
  inlet: Ingest,
  places: readonly Place[],
  asker: object,
  mayMake: MayMake = "yes",
): null | Promise<null> {
  if (inlet.order) return putElsewhere(inlet, inlet.order, places, mayMake);
  const putting = new Putting(inlet, places, mayMake);
  return putting.goOn() === "done" ? null : putting.finish(asker);
}

class Putting {
  readonly #inlet: Ingest;
  readonly #mayMake: MayMake;
  readonly #places: readonly Place[];
  /** Those that have a channel. */
  readonly #entries: Place[] = [];
  #opened = 0;
  #settled = 0;
  #reopened = 0;

  constructor(inlet: Ingest, places: readonly Place[], mayMake: MayMake) {
    this.#inlet = inlet;
    this.#places = places;
    this.#mayMake = mayMake;
  }

  goOn(): "done" | "busy" | "more" {
    // A clock costs as much as half an append.
    const endMs = this.#places.length > FEW ? performance.now() + TURN_MS : Number.POSITIVE_INFINITY;
    if (!this.#open()) return "busy";
    const from = this.#settled;
    const outcome = this.#append(endMs);
    if (this.#note(from) > 0) this.#inlet.published();
    return outcome;
  }

  async finish(asker: object): Promise<null> {
    const { patience } = this.#inlet.store;
    const bytes = this.#places.reduce((sum, { length }) => sum + length, 0);
    for (;;) {
      const outcome = this.goOn();
      if (outcome === "done") return null;
      if (outcome === "more") await new Promise(setImmediate);
      else if (!(await patience.free(asker, bytes))) return this.#giveUp();
    }
  }

  /** Finds or makes the channels. False: busy. */
  #open(): boolean {
    let before: Place | null = null;
    for (; this.#opened < this.#places.length; this.#opened++) {
      const place = this.#places[this.#opened];
      if (place === undefined) continue;
      // One object where a batch goes on in its channel (batch-line.ts).
      if (before !== null && before.name === place.name) {
        place.index = before.index;
        place.incarnation = before.incarnation;
        this.#entries.push(place);
        continue;
      }
      const refusal = this.#openOne(place, this.#mayMake);
      if (refusal === Refusals.busy) return false;
      place.refusal = refusal;
      before = refusal === null ? place : null;
      if (refusal === null) this.#entries.push(place);
    }
    return true;
  }

  #openOne(place: Place, mayMake: MayMake): Refusal | null {
    const target = openTarget(this.#inlet.store, place.name, Date.now(), mayMake);
    if ("status" in target) return target;
    place.index = target.index;
    place.incarnation = target.incarnation;
    return null;
  }

  #append(endMs: number): "done" | "busy" | "more" {
    const { store } = this.#inlet;
    while (this.#settled < this.#entries.length) {
      const count = store.appendAll(this.#entries, this.#settled, Date.now());
      if (count === BUSY) return "busy";
      this.#settled += count;
      if (count > 0) this.#reopened = 0;
      const next = this.#entries[this.#settled];
      if (next?.outcome === GONE && !this.#reopen(next)) return "busy";
      if (next !== undefined && endMs < performance.now()) return "more";
    }
    return "done";
  }

  /** Deleted since it was opened: a publish makes it anew. False: busy. */
  #reopen(place: Place): boolean {
    const isTooOften = ++this.#reopened > MOST_REOPENED;
    const refusal = isTooOften ? Refusals.internal : this.#openOne(place, "yes");
    if (refusal === Refusals.busy) return false;
    place.refusal = refusal;
    if (refusal !== null) this.#settled++;
    return true;
  }

  /** What the store says of those from here on; how many are new in it. */
  #note(from: number): number {
    const { store, slot } = this.#inlet;
    let appended = 0;
    let known = 0;
    for (let at = from; at < this.#settled; at++) {
      const place = this.#entries[at];
      if (place === undefined || place.outcome === GONE) continue;
      if (place.outcome < 0)
        place.refusal = place.outcome === KEY_REUSED ? Refusals.keyReused : Refusals.noRoom;
      else if (place.isDuplicate) known++;
      else appended++;
    }
    if (appended > 0) store.counters.add(slot, Counter.PUBLISHED, appended);
    if (known > 0) store.counters.add(slot, Counter.DUPLICATES, known);
    return appended;
  }

  #giveUp(): null {
    for (const place of this.#places.slice(this.#opened)) place.refusal = Refusals.busy;
    for (const place of this.#entries.slice(this.#settled)) place.refusal = Refusals.busy;
    return null;
  }
}

/**
 * The channels are this node's as well, and its limits on them hold; that its store is busy says nothing of
 * the others'.
 */
async function putElsewhere(
  { store, slot }: Ingest,
  order: Order,
  places: readonly Place[],
  mayMake: MayMake,
): Promise<null> {
  for (const place of places) {
    const target = openTarget(store, place.name, Date.now(), mayMake);
    if ("status" in target && target !== Refusals.busy) place.refusal = target;
    else if (place.length > store.maxMessageBytes) place.refusal = Refusals.noRoom;
  }
  const fitting = places.filter(({ refusal }) => refusal === null);
  await order.put(fitting);
  const taken = fitting.filter(({ refusal, outcome }) => refusal === null && outcome !== KEY_REUSED);
  for (const place of fitting) if (place.outcome === KEY_REUSED) place.refusal = Refusals.keyReused;
  const known = taken.filter(({ isDuplicate }) => isDuplicate).length;
  if (taken.length > known) store.counters.add(slot, Counter.PUBLISHED, taken.length - known);
  if (known > 0) store.counters.add(slot, Counter.DUPLICATES, known);
  return null;
}
