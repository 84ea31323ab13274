/**
 * What the store keeps for webhooks: who is told to be where, how far each was told, who sends; and what a
 * message says to them alone.
 */
import { afterAll, describe, expect, test } from "bun:test";
import { ChannelRef } from "../../src/store/channel/channel-ref.ts";
import { Internal } from "../../src/store/channel/internal-channels.ts";
import { Message } from "../../src/store/message/message-view.ts";
import { FOUND } from "../../src/store/message/reader.ts";
import { openStore } from "../../src/store/opening.ts";
import type { Store } from "../../src/store/store.ts";
import { STANDSTILL_MS } from "../../src/store/webhook/webhook-table.ts";
import {
  bytes,
  Channel,
  NOW_MS,
  NOW_SEC,
  newStore,
  POLICY,
  readOn,
  removeTempFolders,
  smallShape,
  text,
} from "./fixture.ts";
import { checkInvariants } from "./invariants.ts";

afterAll(removeTempFolders);

const TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const webhooks = { backlogBytes: 32 * 1024, isWatched: (name: Uint8Array) => text(name).startsWith("w") };

/** Kind and channel of what was noted. */
function noted(store: Store): string[] {
  const ref = new ChannelRef();
  const index = store.internal.open(Internal.webhooks, NOW_MS, ref);
  const out: string[] = [];
  readOn(store, index, ref.incarnation, 0, (m) => {
    const { bytes: all, eventIdLength, dataOffset } = m;
    const kind = text(all.subarray(eventIdLength, dataOffset));
    return out.push(`${kind} ${text(all.subarray(0, eventIdLength))}`) > 0;
  });
  return out;
}

function leave(store: Store, channel: Channel): void {
  store.subscribers.remove(0, channel.index, channel.incarnation);
}

const enter = (store: Store, { index, incarnation }: Channel): boolean =>
  store.subscribers.add(0, index, NOW_SEC, incarnation);

describe("who is there", () => {
  test("the first subscriber is told of once, where somebody wants to know", () => {
    const store = newStore({ webhooks });
    store.workers.claimSlot(1, NOW_SEC);
    const watched = new Channel(store, "w1");
    for (const channel of [watched, watched, new Channel(store, "other")]) enter(store, channel);
    expect(noted(store)).toEqual(["occupied w1"]);
    expect(store.webhooks.attended(watched.index)?.isEmpty).toBeFalse();
  });

  test("a channel that was empty when it was seen, and is not any more, is not vacated", () => {
    const store = newStore({ webhooks });
    store.workers.claimSlot(1, NOW_SEC);
    const channel = new Channel(store, "w1");
    enter(store, channel);
    leave(store, channel);
    const seen = store.webhooks.attended(channel.index)!;
    expect(seen.isEmpty).toBeTrue();
    enter(store, channel);
    leave(store, channel);
    store.webhooks.vacated(seen, NOW_MS);
    expect(noted(store)).toEqual(["occupied w1"]);
    store.webhooks.vacated(store.webhooks.attended(channel.index)!, NOW_MS);
    expect(noted(store)).toEqual(["occupied w1", "vacated w1"]);
    expect(store.webhooks.attended(channel.index)).toBeNull();
  });

  test("a channel that is collected, or deleted and swept, is vacated with its end", () => {
    const store = newStore({ webhooks, channelInactivitySec: 5 });
    store.workers.claimSlot(1, NOW_SEC);
    for (const name of ["w1", "w2"]) {
      enter(store, new Channel(store, name));
      leave(store, new Channel(store, name));
    }
    store.deleteChannel(bytes("w2"), bytes("bye"), NOW_MS);
    for (let second = 0; second < 20; second++) store.sweep(NOW_MS + second * 1000);
    expect(noted(store).sort()).toEqual(["occupied w1", "occupied w2", "vacated w1", "vacated w2"]);
    expect(checkInvariants(store.arena)).toEqual([]);
  });

  test("subscribers of before are told when somebody asks", () => {
    const store = newStore();
    store.workers.claimSlot(1, NOW_SEC);
    const channel = new Channel(store, "w1");
    enter(store, channel);
    store.setPolicy({ ...POLICY, webhooks });
    expect(store.webhooks.isUntold(channel.index)).toBeTrue();
    store.webhooks.occupied(channel.index, NOW_MS);
    expect(store.webhooks.isUntold(channel.index)).toBeFalse();
    expect(noted(store)).toEqual(["occupied w1"]);
  });
});

describe("who sends", () => {
  test("one at a time, until it goes, dies or stands still", () => {
    const store = newStore({ webhooks });
    for (const pid of [1, 2]) store.workers.claimSlot(pid, NOW_SEC);
    const { webhooks: table } = store;
    expect(table.takeLease(0, NOW_MS)).toBeTrue();
    expect(table.takeLease(1, NOW_MS + 1000)).toBeFalse();
    expect(table.takeLease(0, NOW_MS + 2000)).toBeTrue();
    expect(table.takeLease(1, NOW_MS + STANDSTILL_MS + 1000)).toBeFalse();
    expect(table.takeLease(1, NOW_MS + STANDSTILL_MS + 2000)).toBeTrue();
    store.workers.releaseSlot(1, NOW_MS);
    expect(table.takeLease(0, NOW_MS + STANDSTILL_MS + 2000)).toBeTrue();
    table.endLease(0);
    expect(table.takeLease(1, NOW_MS + STANDSTILL_MS + 2000)).toBeTrue();
  });

  test("who lost the lease writes no position any more", () => {
    const store = newStore({ webhooks });
    const { webhooks: table } = store;
    table.settle(["a"], true, NOW_MS);
    table.takeLease(0, NOW_MS);
    const state = { ...table.state("a")!, position: 7 };
    expect(table.write(0, "a", state)).toBe("written");
    expect(table.write(0, "nobody", state)).toBe("over");
    table.endLease(0);
    table.takeLease(1, NOW_MS);
    expect(table.write(0, "a", { ...state, position: 3 })).toBe("over");
    expect(table.state("a")?.position).toBe(7);
    const { to } = table.untold;
    expect(table.tell(0, [], to, NOW_MS)).toBeFalse();
  });
});

test("positions are kept over a kill of all; a new name begins at the end, an old one is forgotten", () => {
  const shape = smallShape();
  const first = openStore(shape, { ...POLICY, webhooks }).store;
  first.webhooks.claim(["a", "b"], false, NOW_MS);
  first.webhooks.takeLease(0, NOW_MS);
  for (const kind of ["x", "y"])
    first.webhooks.note({ kind, channel: bytes("c"), members: bytes("") }, NOW_MS);
  first.webhooks.write(0, "a", { ...first.webhooks.state("a")!, position: 1, failed: 5, status: 500 });
  const { store } = openStore(shape, { ...POLICY, webhooks });
  store.webhooks.claim(["a", "c"], false, NOW_MS);
  // Who still sends for another configuration finds its places.
  expect(store.webhooks.state("b")?.position).toBe(0);
  store.webhooks.settle(["a", "c"], false, NOW_MS);
  expect(store.webhooks.state("a")).toMatchObject({ position: 1, failed: 5, status: 500 });
  expect(store.webhooks.state("b")).toBeNull();
  expect(store.webhooks.state("c")?.position).toBe(2);
  expect(noted(store)).toEqual(["x c", "y c"]);
  store.webhooks.settle([], false, NOW_MS);
  expect(noted(store)).toEqual([]);
});

test("what is to be told is owed: a busy channel drops it after it was told, not before", () => {
  const store = newStore({ webhooks, maxStoredPerChannel: 2 });
  const channel = new Channel(store, "a");
  store.webhooks.takeLease(0, NOW_MS);
  store.webhooks.settle(["a"], true, NOW_MS);
  for (const data of ["1", "2", "3", "4"]) channel.append(data);
  expect(channel.after(0, true)).toHaveLength(4);
  store.webhooks.tell(0, [], store.webhooks.untold.to, NOW_MS);
  channel.append("5");
  channel.append("6");
  expect(channel.after(0, true)).toEqual(["1:1", "2:2", "5:5", "6:6"]);
});

test("trace and publisher of a message stand behind its data, and no reader of the data meets them", () => {
  const store = newStore({}, { size: 256 * 1024 });
  const channel = new Channel(store, "a");
  const { index, incarnation } = channel;
  const marks = { by: bytes("alice"), isUntold: true, trace: bytes(TRACE) };
  const large = "x".repeat(1000);
  for (const data of ["small", large])
    store.append(index, incarnation, bytes(data), bytes("id"), null, true, NOW_MS, marks);
  expect(channel.after(0)).toEqual(["1:small", `2:${large}`]);
  const message = new Message();
  const reader = store.history.reader(index, incarnation, 1);
  expect(reader.next(message)).toBe(FOUND);
  const { dataOffset, dataLength, traceLength, byLength } = message;
  const behind = dataOffset + dataLength;
  expect(text(message.bytes.subarray(behind, behind + traceLength + byLength))).toBe(`${TRACE}alice`);
  expect([traceLength, byLength]).toEqual([TRACE.length, "alice".length]);
  expect(checkInvariants(store.arena)).toEqual([]);
});

test("an event that is larger than the backlog is a gap, and no eviction of anybody's message", () => {
  const store = newStore({ webhooks: { ...webhooks, backlogBytes: 4096 } });
  store.webhooks.takeLease(0, NOW_MS);
  const notes = [bytes("1"), bytes("x".repeat(5000)), bytes("2")];
  const channel = bytes("a");
  store.webhooks.tell(
    0,
    notes.map((members) => ({ kind: "published", channel, members })),
    1,
    NOW_MS,
  );
  expect(noted(store)).toEqual(["published a", "gap ", "published a"]);
  expect(store.totals(NOW_MS).evicted).toBe(0);
});

test("what one webhook was told of stays for another, also for one that was only claimed yet", () => {
  const store = newStore({ webhooks });
  const { webhooks: table } = store;
  table.takeLease(0, NOW_MS);
  table.settle(["a"], false, NOW_MS);
  for (const kind of ["1", "2", "3"]) table.note({ kind, channel: bytes("c"), members: bytes("") }, NOW_MS);
  table.claim(["b"], false, NOW_MS);
  for (const kind of ["4", "5"]) table.note({ kind, channel: bytes("c"), members: bytes("") }, NOW_MS);
  table.write(0, "a", { ...table.state("a")!, position: 5 });
  // Whoever asks for another slice until nothing is left is told when that is so.
  expect([table.forgetTold(NOW_MS), table.forgetTold(NOW_MS)]).toEqual([true, false]);
  expect(noted(store)).toEqual(["4 c", "5 c"]);
  table.write(0, "b", { ...table.state("b")!, position: 5 });
  expect([table.forgetTold(NOW_MS), table.forgetTold(NOW_MS)]).toEqual([true, false]);
  expect(noted(store)).toEqual([]);
});
