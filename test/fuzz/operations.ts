/**
 * The operations of the fuzz test: each does the same to the store and to the model, and compares the
 * answers.
 */

import { HEAD_TRASHED } from "../../src/store/memory/layout-header.ts";
import type { Entry } from "../../src/store/message/append-all.ts";
import { Message } from "../../src/store/message/message-view.ts";
import { RingEntry } from "../../src/store/message/ring.ts";
import { AT_PLACE, NOTHING_NEWER, Sight } from "../../src/store/message/seek.ts";
import type { Store, StorePolicy } from "../../src/store/store.ts";
import { beforeLast, entryOf } from "../store/fixture.ts";
import { compareAll, compareMessage, compareReading, same } from "./compare.ts";
import { restingIn } from "./crash.ts";
import { type Held, NAMES, type Session } from "./session.ts";

export function openChannel(s: Session): void {
  const name = NAMES[s.byte() % NAMES.length]!;
  s.say(`open ${name.length}`);
  const index = s.store.open(name, s.nowSec);
  const given = s.model.state.live.filter((channel) => s.store.find(channel.name) !== channel.index);
  const { state } = s.model;
  s.opened(s.model.open(name, s.nowSec, given), index);
  if (index === -2) {
    const missed = state.live.some((channel) => s.model.isSpare(channel, s.nowSec));
    same(missed && state.roomlessSec !== s.nowSec, false, "no room, although a channel is spare");
    state.roomlessSec = s.nowSec;
  }
  same(given.length, 0, "channels given up for nothing");
}

export function append(s: Session, held: Held | undefined, stored: boolean): void {
  if (held === undefined) return;
  const data = s.payload();
  s.say(`append ${data.length} stored=${stored} to ${held.index}`);
  const live = s.isLive(held);
  const expected = live ? s.model.append(held.channel, data, stored, s.nowSec) : 0;
  const id = s.store.append(held.index, held.incarnation, data, null, null, stored, s.nowSec * 1000);
  same(id, expected, "id of append");
  if (id > 0) s.log.set(s.model.state.nextSerial - 1, { index: held.index, id });
}

/** Several at once, to one channel or two; what is not in because its channel is gone stops them. */
export function appendMany(s: Session): void {
  const [one, other] = [s.pick(), s.pick()];
  if (one === undefined || other === undefined || !s.isLive(one) || !s.isLive(other)) return;
  const stored = s.byte() % 4 > 0;
  const sent = Array.from({ length: 1 + (s.byte() % 8) }, () => (s.byte() % 4 === 0 ? other : one));
  const entries = sent.map((held) => entryOf(held, s.payload(), stored));
  s.say(`append ${entries.map(({ index, length }) => `${length} to ${index}`)} stored=${stored}`);
  appendEntries(s.store, entries, s.nowSec * 1000);
  for (let at = 0; at < sent.length; ) {
    const { channel, index } = sent[at]!;
    const end = sent.findIndex((held, other) => other > at && held.index !== index);
    const run = entries.slice(at, end < 0 ? sent.length : end).map(dataOf);
    const before = s.model.state.nextSerial;
    for (const [nth, id] of s.model.appendRun(channel, run, stored, s.nowSec).entries()) {
      if (id > 0) s.log.set(before + nth, { index, id });
      same(entries[at++]!.outcome, id, "an id of appendAll");
    }
  }
}

export const dataOf = ({ whole, start, length }: Entry): Uint8Array => whole.subarray(start, start + length);

export function appendEntries(store: Store, entries: readonly Entry[], nowMs: number): void {
  for (let settled = 0; settled < entries.length; ) {
    const count = store.appendAll(entries, settled, nowMs);
    if (count <= 0) throw new Error(`appendAll answered ${count}`);
    settled += count;
  }
}

export function deleteChannel(s: Session): void {
  const name = NAMES[s.byte() % NAMES.length]!;
  const data = new Uint8Array(s.byte()).fill(9);
  s.say(`delete ${name.length} with ${data.length}`);
  const channel = s.model.find(name);
  const expected = s.model.delete(name, data, s.nowSec);
  same(s.store.deleteChannel(name, data, s.nowSec * 1000), Number(expected), "deleteChannel");
  if (channel !== undefined) s.log.set(s.model.state.nextSerial - 1, { index: channel.index, id: -2 });
}

export function readAfter(s: Session): void {
  const held = s.pick();
  if (held === undefined) return;
  const afterId = Math.max(0, held.channel.lastId - (s.byte() % 20));
  if (!s.isLive(held)) return;
  const expected = s.model.of(held.channel).filter((message) => message.id > afterId);
  compareReading(s, held.index, held.incarnation, afterId, expected);
  // The other way round it may be wrong: a lowered ttl takes the newest before older ones.
  if (expected.some(({ stored }) => stored))
    same(s.store.history.hasStoredAfter(held.index, afterId), true, "hasStoredAfter");
}

export function readLast(s: Session): void {
  const held = s.pick();
  if (held === undefined) return;
  const count = 1 + (s.byte() % 12);
  if (!s.isLive(held)) return;
  const stored = s.model.stored(held.channel);
  const first = stored.at(-count) ?? stored[0];
  const expected = first === undefined ? held.channel.lastId : first.id - 1;
  same(beforeLast(s.store, held.index, held.incarnation, count), expected, "the id before the last");
}

/** The oldest message from a time and tag on. */
export function seekTime(s: Session): void {
  const held = s.pick();
  if (held === undefined) return;
  const time = s.nowSec - (s.byte() % 6);
  const tag = s.byte() % 4 === 0 ? null : s.byte() % 5;
  if (!s.isLive(held)) return;
  const wanted = s.model
    .of(held.channel)
    .find((m) => m.time > time || (tag !== null && m.time === time && m.tag >= tag));
  const sight = new Sight();
  const outcome = s.store.history.seekTime(held.index, held.incarnation, time, tag, sight);
  same(outcome, wanted === undefined ? NOTHING_NEWER : AT_PLACE, "outcome of seekTime");
  if (wanted !== undefined) same(sight.id, wanted.id, "id of seekTime");
}

export function subscribe(s: Session): void {
  const held = s.pick();
  const slot = s.byte() % s.shape.workerSlots;
  if (held === undefined || s.model.state.cursors[slot] === null) return;
  const add = s.byte() % 2 === 0;
  const live = s.isLive(held);
  if (add) {
    const added = s.store.subscribers.add(slot, held.index, s.nowSec, held.incarnation);
    same(added, live, "addSubscriber");
  } else {
    s.store.subscribers.remove(slot, held.index, held.incarnation);
  }
  if (!live && !s.model.state.deleted.includes(held.channel)) return;
  const { subscribers } = held.channel;
  subscribers[slot] = Math.max(0, subscribers[slot]! + (add ? 1 : -1));
  if (add) held.channel.activeUntil = activeUntil(s.model.state.policy, s.nowSec);
}

export function changeSlots(s: Session): void {
  const slot = s.byte() % s.shape.workerSlots;
  const { cursors, nextSerial } = s.model.state;
  if (s.byte() % 3 === 0) {
    s.store.workers.releaseSlot(slot);
    s.model.releaseSlot(slot);
  } else if (cursors[slot] === null) {
    const free = cursors.indexOf(null);
    same(s.store.workers.claimSlot(5000 + free, s.nowSec), free, "claimSlot");
    cursors[free] = nextSerial;
  } else {
    const cursor = Math.max(cursors[slot]!, nextSerial - (s.byte() % 8));
    cursors[slot] = cursor;
    s.store.workers.setCursor(slot, cursor);
  }
}

export function passTime(s: Session): void {
  const kind = s.byte();
  const seconds = kind < 180 ? kind % 4 : kind < 240 ? kind % 16 : kind < 252 ? 45 : -(kind % 4) * 5;
  s.nowSec += seconds;
  s.say(`time ${seconds}`);
}

/** Two sweeps, in which the store looks at every channel. */
export function sweep(s: Session): void {
  s.say("sweep");
  for (let second = 0; second < 2; second++) {
    if (second > 0) s.nowSec++;
    s.store.sweep(s.nowSec * 1000);
    swept(s);
  }
}

function swept(s: Session): void {
  const model = s.model;
  const swept = model.state.lastSweep !== s.nowSec;
  model.sweep(s.nowSec);
  for (const channel of swept ? [...model.state.live] : []) {
    if (s.store.find(channel.name) === channel.index) continue;
    same(model.isInactive(channel, s.nowSec), true, `channel ${channel.index} was collected too early`);
    model.collect(channel, s.nowSec);
  }
  // Those collected in one sweep follow each other in the order of their records, which the model does not
  // know.
  const known = new Map(model.state.trashed.map((channel) => [channel.index, channel]));
  model.state.trashed = restingIn(s.store, HEAD_TRASHED, known);
}

export function reopen(s: Session): void {
  const clean = s.byte() % 2 === 0;
  s.say(clean ? "reopen clean" : "reopen unclean");
  if (clean) {
    s.store.upkeep.markClean();
    s.store.close();
  }
  s.openAgain(clean ? "reopened" : "recovered");
  if (!clean) s.model.rebuilt();
  compareAll(s);
}

/** A worker that reads the ring from where it was. */
export function follow(s: Session): void {
  const entry = new RingEntry();
  const head = s.store.head();
  for (; s.follower < head; s.follower++) {
    const readable = head - s.follower < s.store.arena.layout.ringSize;
    same(s.store.entry(s.follower, entry), readable, "ring entry readable");
    if (!readable) continue;
    const expected = s.log.get(s.follower);
    same(entry.channel, expected?.index, `channel of ring entry ${s.follower}`);
    const message = s.model.state.messages.find(({ serial }) => serial === s.follower);
    const into = new Message();
    same(
      s.store.history.read(entry.block, entry.stamp, into),
      message !== undefined,
      "message of a ring entry is there",
    );
    if (message !== undefined) compareMessage(into, message);
  }
}

export function changePolicy(s: Session): void {
  const { policy } = s.model.state;
  const byte = s.byte();
  const next = {
    messageTtlSec: [40, 10, 100, 0][byte % 4]!,
    unstoredTtlSec: [5, 1, 20, 5][(byte >> 2) % 4]!,
    maxStoredPerChannel: [0, 0, 3, 10][(byte >> 4) % 4]!,
    maxStoredBytesPerChannel: [0, 0, 700, 4000][s.byte() % 4]!,
    channelInactivitySec: [20, 20, 3, 0][(byte >> 6) % 4]!,
    keyWindowSec: 300,
    maxChannels: [0, 0, 6, 3][s.byte() % 4]!,
    maxWildcardChannels: [0, 0, 1, 2][s.byte() % 4]!,
    // All of them change the class of some names, and of no channel that lives.
    wildcardPrefix: Buffer.from(["", "x", "n", "\0"][s.byte() % 4]!),
    eventsChannel: policy.eventsChannel,
  };
  Object.assign(policy, next);
  s.say(`policy ${JSON.stringify(next)}`);
  s.store.setPolicy({ ...next });
}

const activeUntil = (policy: StorePolicy, nowSec: number): number =>
  policy.channelInactivitySec === 0 ? 0xffffffff : nowSec + policy.channelInactivitySec;
