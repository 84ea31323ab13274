/**
 * Putting a message into channels: the one way from any publisher (HTTP, WebSocket) into the store. It knows
 * nothing of subscribers; whoever composes the worker is told through `published` and carries on from there.
 */

import type { ChannelQuota, MayMake } from "../front/channel-quota.ts";
import { Refusals } from "../http/errors.ts";
import type { Refusal } from "../http/refusal.ts";
import type { Marks } from "../message.ts";
import { ChannelRef, type NamedChannel } from "../store/channel/channel-ref.ts";
import { Counter } from "../store/counters.ts";
import { BUSY } from "../store/outcome.ts";
import type { Store } from "../store/store.ts";
import type { Order } from "./order.ts";

type MarksOf = (by: string | null, signature: string | null, data: Uint8Array) => Marks | null;

export interface Ingest {
  readonly store: Store;
  readonly slot: number;
  /** Called once after one or more messages or deletions entered the dispatch ring. */
  readonly published: () => void;
  /**
   * Resolves when everything that was put in before is on the disk; false: it is not known to be. null: no
   * publisher waits for a disk (`[store] sync`).
   */
  readonly onDisk: (() => Promise<boolean>) | null;
  /** How many channels an address may make; absent: any number. */
  readonly quota?: ChannelQuota | null;
  /**
   * What webhooks have to know of a message: who publishes it, and what its request says of being a webhook's
   * own. Absent: they know nothing of publishes.
   */
  readonly marksOf?: MarksOf | null;
  /** Gives messages their place where several nodes share one order; absent: the store does. */
  readonly order?: Order | null;
}

export interface Draft {
  readonly data: Uint8Array;
  readonly eventId: Uint8Array | null;
  readonly eventType: Uint8Array | null;
  /** Kept for newcomers, or only for those who are here. */
  readonly stored: boolean;
  /** Who published it, and in which trace; absent or null: nothing of that is kept. */
  readonly marks?: Marks | null;
}

const NOBODY = new Uint8Array(0);

/** null: there is nothing to keep, as nearly always. */
export function marksFor(
  { marksOf }: Ingest,
  by: string | null,
  signature: string | null,
  data: Uint8Array,
  trace: Uint8Array | null,
): Marks | null {
  const told = marksOf ? marksOf(by, signature, data) : null;
  if (trace === null) return told;
  return { by: told?.by ?? NOBODY, isUntold: told?.isUntold ?? false, trace };
}

/** A channel of a publish request: found or made before the body is read (push-stream spec 2.1 (7)). */
export interface Target extends NamedChannel {
  index: number;
  incarnation: number;
  /** Of the last message that went into it from here; 0: none did. */
  lastId: number;
}

const opened = new ChannelRef();

/**
 * Finds or makes the channel, which must not be the events channel: that one the store writes to alone
 * (push-stream spec 7).
 */
export function openTarget(
  store: Store,
  name: Uint8Array,
  nowMs: number,
  mayMake: MayMake = "yes",
): Target | Refusal {
  if (mayMake !== "yes") {
    const found = store.find(name, opened);
    if (found === BUSY) return Refusals.busy;
    if (found < 0 && (mayMake === "no" || !mayMake())) return Refusals.tooManyChannelsCreated;
  }
  const index = store.open(name, Math.floor(nowMs / 1000), opened);
  if (index === BUSY) return Refusals.busy;
  if (index === -1) return Refusals.tooManyChannels;
  if (index < 0) return Refusals.noRoomForChannel;
  if (index === store.eventsChannel) return Refusals.eventsChannelReadOnly;
  return { name, index, incarnation: opened.incarnation, lastId: 0 };
}

/**
 * Appends the draft to each target in order; each gets an id and tag of its own (push-stream spec 2.4). Stops
 * at the first refusal: what went into earlier channels stays, as the specification says (6.5). A promise
 * where it takes longer: a busy store is waited for beside the event loop, and what is left is tried again;
 * or several nodes share one order. `asker` is whatever stands for the request.
 */
export function ingestPatiently(
  inlet: Ingest,
  targets: readonly Target[],
  draft: Draft,
  nowMs: number,
  asker: object,
): Refusal | null | Promise<Refusal | null> {
  if (inlet.order) return orderElsewhere(inlet, inlet.order, targets, draft);
  const appended = appendFrom(inlet, 0, targets, draft, nowMs);
  return refused === Refusals.busy ? ingestRest(inlet, appended, targets, draft, asker) : refused;
}

async function orderElsewhere(
  { store, slot }: Ingest,
  order: Order,
  targets: readonly Target[],
  draft: Draft,
): Promise<Refusal | null> {
  if (draft.data.length > store.maxMessageBytes) return Refusals.noRoom;
  const refusal = await order.append(targets, draft);
  if (refusal === null) store.counters.add(slot, Counter.PUBLISHED, targets.length);
  return refusal;
}

async function ingestRest(
  inlet: Ingest,
  from: number,
  targets: readonly Target[],
  draft: Draft,
  asker: object,
): Promise<Refusal | null> {
  let next = from;
  // Its bytes are good for this turn only. (What a Buffer calls a slice is the same bytes.)
  const kept = { ...draft, data: new Uint8Array(draft.data) };
  while (await inlet.store.patience.free(asker, kept.data.length)) {
    next += appendFrom(inlet, next, targets, kept, Date.now());
    if (refused !== Refusals.busy) return refused;
  }
  return Refusals.busy;
}

/**
 * Why appendFrom stopped before the end. Beside its answer, because a publish makes no object that it does
 * not need.
 */
let refused: Refusal | null = null;

/** Appends to the targets from this one on; to how many. */
function appendFrom(
  { store, slot, published }: Ingest,
  from: number,
  targets: readonly Target[],
  draft: Draft,
  nowMs: number,
): number {
  let appended = 0;
  refused = null;
  for (let at = from; at < targets.length && refused === null; at++) {
    const target = targets[at];
    if (target !== undefined) refused = append(store, target, draft, nowMs);
    if (refused === null) appended++;
  }
  if (appended > 0) {
    store.counters.add(slot, Counter.PUBLISHED, appended);
    published();
  }
  return appended;
}

function append(
  store: Store,
  target: Target,
  { data, eventId, eventType, stored, marks = null }: Draft,
  nowMs: number,
): Refusal | null {
  for (let tries = 0; tries < 3; tries++) {
    const { index, incarnation } = target;
    const id = store.append(index, incarnation, data, eventId, eventType, stored, nowMs, marks);
    if (id > 0) {
      target.lastId = id;
      return null;
    }
    if (id < 0) return id === BUSY ? Refusals.busy : Refusals.noRoom;
    // Deleted since it was opened: a publish makes it anew.
    const again = openTarget(store, target.name, nowMs);
    if ("status" in again) return again;
    target.index = again.index;
    target.incarnation = again.incarnation;
  }
  return Refusals.internal;
}
