/**
 * Crashes: an operation that dies on its way, as a killed process would, and the repair. What the store holds
 * then must lie between "not begun" and "done"; the model takes over what it finds.
 */

import { FLAG_STORED } from "../../src/message.ts";
import { channelWord, FAULT_POINTS, type FaultPoint } from "../../src/store/memory/arena.ts";
import { CH_ACTIVE_UNTIL, CH_AFTER, CH_RESTS_SINCE } from "../../src/store/memory/layout-channel.ts";
import {
  HEAD_CLOCK_SEC,
  HEAD_CLOCK_TAG,
  HEAD_DELETED,
  HEAD_SWEEP_SECOND,
  HEAD_TRASHED,
  LIST_FIRST,
} from "../../src/store/memory/layout-header.ts";
import { Message } from "../../src/store/message/message-view.ts";
import type { Store } from "../../src/store/store.ts";
import { entryOf } from "../store/fixture.ts";
import { compareAll, same } from "./compare.ts";
import { appendEntries, dataOf } from "./operations.ts";
import { type Held, NAMES, type Session } from "./session.ts";
import type { Model, ModelChannel, ModelMessage } from "./store-model.ts";

class Died extends Error {}

/**
 * One operation that dies at some point of its way, if it gets there. What the store holds then must lie
 * between "not begun" and "done"; the model takes over what it finds.
 */
export function crash(s: Session): void {
  const byReopen = s.byte() % 2 === 0;
  const before = s.model;
  const done = before.copy();
  const { points, work, fresh = freshIn(before, done) } = crashingWork(s, done);
  const point = points[s.byte() % points.length]!;
  s.say(`crash at ${point}, ${byReopen ? "reopen" : "repair"}`);
  // Evictions come in numbers: die at the first or at a later one.
  let countdown = point === "evict-unstamped" ? s.byte() % 4 : 0;
  s.store.arena.fault = (here) => {
    if (here === point && countdown-- === 0) throw new Died();
  };
  let died = false;
  try {
    work();
  } catch (error) {
    if (!(error instanceof Died)) throw error;
    died = true;
  }
  s.store.arena.fault = null;
  if (byReopen) s.openAgain("recovered");
  else same(s.store.upkeep.repairAfterDeath(process.pid), died, "the lock was held");
  if (byReopen) for (const model of [before, done]) model.rebuilt();
  // Whatever was cut off: the journal was enough to finish it.
  same(s.store.upkeep.timesMended, 0, "lists made anew");
  adopt(s, before, done, fresh, byReopen);
  // A rebuild lists by publish order, as the model has it; an operation that was done knows the places.
  if (!died && !byReopen) adoptPlaces(before, done);
  compareAll(s);
}

interface Crashing {
  readonly points: readonly FaultPoint[];
  readonly work: () => void;
  /** What it publishes; absent: what the model has got in the end. */
  readonly fresh?: readonly ModelMessage[];
}

const freshIn = ({ state }: Model, done: Model): readonly ModelMessage[] =>
  done.state.messages.filter((message) => message.serial >= state.nextSerial);

/** The operation that will die, as a function for the store; the copy of the model does it at once. */
function crashingWork(s: Session, done: Model): Crashing {
  const store = s.store;
  const [nowSec, nowMs] = [s.nowSec, s.nowSec * 1000];
  const kind = s.byte() % 4;
  const name = NAMES[s.byte() % NAMES.length]!;
  // Which channel is given up for it the model cannot know beforehand.
  if (kind === 0 && done.copy().open(name, nowSec) !== -2) {
    done.open(name, nowSec);
    return { points: pointsOf("open"), work: () => store.open(name, nowSec) };
  }
  const held = s.pick();
  if (kind === 0 || kind === 3 || held === undefined || !s.isLive(held)) {
    done.sweep(nowSec);
    for (const channel of done.state.live)
      if (done.isInactive(channel, nowSec)) done.collect(channel, nowSec);
    done.emptyTrash(nowSec);
    return { points: [...pointsOf("collect"), "retire-stated"], work: () => store.sweep(nowMs) };
  }
  if (kind === 1) {
    const data = new Uint8Array(s.byte()).fill(8);
    done.delete(held.channel.name, data, nowSec);
    const points = [...pointsOf("delete"), "retire-stated"] as const;
    return { points, work: () => store.deleteChannel(held.channel.name, data, nowMs) };
  }
  const data = s.payload();
  const stored = s.byte() % 4 > 0;
  if (s.byte() % 2 === 0) return crashingBatch(s, done, held, stored);
  done.append(done.find(held.channel.name)!, data, stored, nowSec);
  const { index, incarnation } = held;
  const work = (): unknown => store.append(index, incarnation, data, null, null, stored, nowMs);
  return { points: pointsOf("append"), work };
}

/** Several at once. Some may be gone again at the end of it, beyond the channel's limit. */
function crashingBatch(s: Session, done: Model, { channel, ...place }: Held, stored: boolean): Crashing {
  const fresh: ModelMessage[] = [];
  const entries = Array.from({ length: 2 + (s.byte() % 5) }, () => entryOf(place, s.payload(), stored));
  for (let at = 0; at < entries.length; ) {
    const run = entries.slice(at).map(dataOf);
    at += done.appendRun(done.find(channel.name)!, run, stored, s.nowSec, (message) =>
      fresh.push(message),
    ).length;
  }
  const nowMs = s.nowSec * 1000;
  return { points: pointsOf("append"), work: () => appendEntries(s.store, entries, nowMs), fresh };
}

/** Makes the model what the store is, after checking that the store is something between the two models. */
function adopt(
  s: Session,
  before: Model,
  done: Model,
  fresh: readonly ModelMessage[],
  isRebuilt: boolean,
): void {
  const store = s.store;
  const state = before.state;
  adoptChannels(s, before, done);
  const kept = new Map(state.messages.map((message) => [message.serial, message]));
  const wanted = new Set(done.state.messages.map((message) => message.serial));
  const present = serialsInStore(s);
  const freshSerials = new Set(fresh.map(({ serial }) => serial));
  for (const serial of present.keys()) {
    same(kept.has(serial) || freshSerials.has(serial), true, `message ${serial} came from nowhere`);
  }
  for (const serial of kept.keys()) {
    if (wanted.has(serial)) same(present.has(serial), true, `message ${serial} was lost`);
  }
  state.messages = state.messages.filter((message) => present.has(message.serial));
  for (const message of fresh) if (store.head() > message.serial) adoptFresh(s, before, message, present);
  adoptDemotions(before, done.state.messages, present, isRebuilt);
  same(store.head(), state.nextSerial, "ring head after a crash");
  state.clockSec = store.arena.u32[HEAD_CLOCK_SEC]!;
  state.clockTag = store.arena.u32[HEAD_CLOCK_TAG]!;
  state.lastSweep = store.arena.u32[HEAD_SWEEP_SECOND]!;
  state.evicted = store.totals(0).evicted;
}

/**
 * Who died after the limit a channel was applied has demoted what the finished operation would have demoted.
 */
function adoptDemotions(
  before: Model,
  finished: readonly ModelMessage[],
  present: ReadonlyMap<number, { stored: boolean; expires: number }>,
  isRebuilt: boolean,
): void {
  for (const message of before.state.messages) {
    const real = present.get(message.serial);
    if (real === undefined || real.stored === message.stored) continue;
    const after = finished.find(({ serial }) => serial === message.serial);
    same(
      after === undefined || after.stored === real.stored,
      true,
      `message ${message.serial} was demoted for nothing`,
    );
    message.stored = real.stored;
    message.expires = real.expires;
    // A rebuild has put it among the others by publish order (Model.rebuilt), not behind them.
    if (!isRebuilt) message.age = before.state.nextAge++;
  }
}

function adoptPlaces(before: Model, done: Model): void {
  const places = new Map(done.state.messages.map(({ serial, age }) => [serial, age]));
  for (const message of before.state.messages) message.age = places.get(message.serial) ?? message.age;
  before.state.nextAge = done.state.nextAge;
}

function adoptFresh(
  s: Session,
  before: Model,
  fresh: ModelMessage,
  present: ReadonlyMap<number, unknown>,
): void {
  const { state } = before;
  const channel = fresh.channel === null ? null : before.find(fresh.channel.name)!;
  state.nextSerial++;
  if (present.has(fresh.serial)) state.messages.push({ ...fresh, channel, age: state.nextAge++ });
  if (channel === null) return;
  state.published++;
  channel.lastId = fresh.id;
  s.log.set(fresh.serial, { index: channel.index, id: fresh.id });
}

function adoptChannels(s: Session, before: Model, done: Model): void {
  const { u32, layout } = s.store.arena;
  const { state } = before;
  const known = new Map<number, ModelChannel>();
  for (const channel of [...state.live, ...state.deleted, ...state.trashed])
    known.set(channel.index, channel);
  for (const channel of [...state.live]) {
    const index = s.store.find(channel.name);
    if (index !== channel.index) {
      same(done.find(channel.name) === undefined, true, "a channel was lost");
      before.retire(channel, s.nowSec);
    } else {
      channel.activeUntil = u32[channelWord(layout, index) + CH_ACTIVE_UNTIL]!;
      channel.since = u32[channelWord(layout, index) + CH_RESTS_SINCE]!;
    }
  }
  for (const channel of done.state.live) {
    const index = s.store.find(channel.name);
    if (before.find(channel.name) !== undefined || index < 0) continue;
    const adopted = { ...channel, index };
    state.live.push(adopted);
    s.hold(index, adopted);
  }
  const deleted = restingIn(s.store, HEAD_DELETED, known);
  for (const { index } of deleted)
    if (!state.deleted.some((was) => was.index === index)) logDeletion(s, index);
  state.deleted = deleted;
  state.trashed = restingIn(s.store, HEAD_TRASHED, known);
}

function logDeletion(s: Session, index: number): void {
  s.log.set(s.model.state.nextSerial, { index, id: -2 });
}

/** Serials of every message that the store still has, by asking for each one that ever was. */
function serialsInStore(s: Session): Map<number, { stored: boolean; expires: number }> {
  const { u32, layout } = s.store.arena;
  const message = new Message();
  const found = new Map<number, { stored: boolean; expires: number }>();
  for (let block = 1; block <= layout.blocks; block++) {
    const stamp = u32[layout.blocksWord + block * layout.blockWords]!;
    if (!s.store.history.read(block, stamp, message)) continue;
    found.set(message.serial, { stored: (message.flags & FLAG_STORED) !== 0, expires: message.expires });
  }
  return found;
}

/**
 * The channels of one of the store's lists, in its order: the same objects as before, with the time the store
 * says.
 */
export function restingIn(
  store: Store,
  list: number,
  known: ReadonlyMap<number, ModelChannel>,
): ModelChannel[] {
  const { u32, layout } = store.arena;
  const resting: ModelChannel[] = [];
  for (let link = u32[list + LIST_FIRST]!; link !== 0; ) {
    const record = channelWord(layout, link - 1);
    const channel = known.get(link - 1);
    if (channel === undefined) throw new Error(`channel ${link - 1} rests, but never lived`);
    channel.since = u32[record + CH_RESTS_SINCE]!;
    resting.push(channel);
    link = u32[record + CH_AFTER]!;
  }
  return resting;
}

/** The fault points on the way of one operation; each may have to evict first. */
const pointsOf = (operation: "open" | "append" | "delete" | "collect"): readonly FaultPoint[] =>
  FAULT_POINTS.filter((point) => point.startsWith(operation) || point === "evict-unstamped");
