/**
 * What one job carries: order, holes, and what becomes of references that were evicted before they were read.
 */
import { afterAll, expect, test } from "bun:test";
import { Batch } from "../../src/fanout/batch.ts";
import type { LocalChannel } from "../../src/fanout/local-channel.ts";
import type { Message } from "../../src/store/message/message-view.ts";
import { RingEntry } from "../../src/store/message/ring.ts";
import type { Store } from "../../src/store/store.ts";
import { bytes, Channel, dataOf, NOW_MS, newStore, removeTempFolders } from "../store/fixture.ts";
import { localOf } from "./fixture.ts";

afterAll(removeTempFolders);

/** Looks at a channel's entries of the ring, from serial `from` on, as the pump does. */
function take(store: Store, local: LocalChannel, from: number): void {
  const entry = new RingEntry();
  for (let serial = from; serial !== store.head(); serial = (serial + 1) >>> 0) {
    if (!store.entry(serial, entry)) throw new Error("lapped");
    if (entry.channel !== local.index) continue;
    local.due = true;
    local.lastBlock = entry.block;
    local.lastStamp = entry.stamp;
  }
}

/**
 * Fills batches until there is no more: "1:one 2:two", "join ann", "gap 3 to 5", "lost 2", "end text" or
 * "end".
 */
function drain(store: Store, local: LocalChannel): string[] {
  const batch = new Batch();
  const out: string[] = [];
  for (let fills = 0; local.hasMore() && fills < 20; fills++) {
    batch.fill(store, local);
    if (batch.missed > 0) out.push(`gap ${batch.missed} to ${batch.to}`);
    if (batch.lostEvents > 0) out.push(`lost ${batch.lostEvents}`);
    if (batch.deletion) out.push(batch.hasText ? `end ${dataOf(batch.messages[0]!)}` : "end");
    const carried = batch.messages
      .slice(0, batch.count)
      .map((m) => (batch.isPresence ? eventOf(m) : `${m.id}:${dataOf(m)}`));
    if (carried.length > 0) out.push(carried.join(" "));
    local.delivered = Math.max(local.delivered, batch.to);
    local.deliveredNumber = Math.max(local.deliveredNumber, batch.toNumber);
    local.dismissed = batch.deletion;
  }
  return out;
}

function eventOf(m: Message): string {
  const { event, sub } = JSON.parse(dataOf(m));
  return `${event} ${sub}`;
}

/** A channel whose first `delivered` messages were there before this worker's first subscription. */
function setUp(delivered = 0) {
  const store = newStore({ unstoredTtlSec: 5 });
  const channel = new Channel(store, "c");
  return { store, channel, local: localOf(channel, delivered), from: store.head() };
}

/** Unstored messages expire before stored ones: 6 seconds later they are gone. */
const expireUnstored = (store: Store): void => store.sweep(NOW_MS + 6000);

/** A channel that tells who comes; `join` is an event of it. */
function setUpRoom() {
  const store = newStore({}, { members: { records: 8, textBytes: 64 } });
  const channel = new Channel(store, "c");
  const [who, from] = [{ info: bytes(""), isAnonymous: false, isListed: true }, store.head()];
  const limits = { lingerSec: 0, mostMembers: 1000, mostEvents: 0 };
  const join = (name: string, nowMs = NOW_MS): void => {
    const newcomer = { name: bytes(name), ...who, ...limits };
    store.members?.join(0, channel.index, channel.incarnation, newcomer, nowMs);
  };
  return { store, channel, local: localOf(channel), from, join };
}

test("messages in order, in one batch", () => {
  const { store, channel, local, from } = setUp();
  for (const data of ["one", "two"]) channel.append(data);
  take(store, local, from);
  expect(drain(store, local)).toEqual(["1:one 2:two"]);
});

test("what is older than the first subscription here is passed over", () => {
  const { store, channel, local, from } = setUp(2);
  for (const data of ["one", "two", "three"]) channel.append(data);
  take(store, local, from);
  expect(drain(store, local)).toEqual(["3:three"]);
});

test("a hole is a batch of its own before what follows it", () => {
  const { store, channel, local, from } = setUp();
  channel.append("one");
  channel.append("two", false);
  channel.append("three", false);
  channel.append("four");
  take(store, local, from);
  expireUnstored(store);
  expect(drain(store, local)).toEqual(["1:one", "gap 2 to 3", "4:four"]);
});

test("presence events are carried apart from the messages between them, in order", () => {
  const { store, channel, local, from, join } = setUpRoom();
  for (const name of ["ann", "bob"]) join(name);
  channel.append("one");
  join("cat");
  take(store, local, from);
  expect(drain(store, local)).toEqual(["join ann join bob", "1:one", "join cat"]);
});

test("events that are gone are told before the event behind them", () => {
  const { store, local, from, join } = setUpRoom();
  for (const name of ["ann", "bob"]) join(name);
  expireUnstored(store);
  join("cat", NOW_MS + 6000);
  take(store, local, from);
  expect(drain(store, local)).toEqual(["lost 2", "join cat"]);
});

test("messages that are gone are told before the event behind them", () => {
  const { store, channel, local, from, join } = setUpRoom();
  channel.append("one", false);
  expireUnstored(store);
  join("ann", NOW_MS + 6000);
  take(store, local, from);
  expect(drain(store, local)).toEqual(["gap 1 to 1", "join ann"]);
});

test("messages lost behind the last readable one are told without waiting for another", () => {
  const { store, channel, local, from } = setUp();
  channel.append("one");
  channel.append("two", false);
  channel.append("three", false);
  take(store, local, from);
  expireUnstored(store);
  expect(drain(store, local)).toEqual(["1:one", "gap 2 to 3"]);
});

test("lost references to messages from before the first subscription are nobody's loss", () => {
  const { store, channel, local, from } = setUp(2);
  channel.append("one", false);
  channel.append("two", false);
  take(store, local, from);
  expireUnstored(store);
  // Its entry of the ring was not taken yet.
  channel.append("three");
  expect(drain(store, local)).toEqual(["3:three"]);
});

test("a message that is found again and then comes through the ring is carried once", () => {
  const { store, channel, local, from } = setUp();
  channel.append("one", false);
  take(store, local, from);
  expireUnstored(store);
  const later = store.head();
  channel.append("two");
  expect(drain(store, local)).toEqual(["gap 1 to 1", "2:two"]);
  take(store, local, later);
  expect(drain(store, local)).toEqual([]);
});

test("the end comes after what was published before it, with its text", () => {
  const { store, channel, local, from } = setUp();
  channel.append("one");
  store.deleteChannel(bytes("c"), bytes("bye"), NOW_MS);
  take(store, local, from);
  expect(drain(store, local)).toEqual(["1:one", "end bye"]);
});

test("an end whose own message was evicted is an end all the same", () => {
  const { store, channel, local, from } = setUp();
  channel.append("one");
  store.deleteChannel(bytes("c"), bytes("bye"), NOW_MS);
  take(store, local, from);
  expireUnstored(store);
  expect(drain(store, local).at(-1)).toBe("end");
});

test("an end that was found out otherwise waits for the messages that are there", () => {
  const { store, channel, local, from } = setUp();
  channel.append("one");
  take(store, local, from);
  local.gone = true;
  expect(drain(store, local)).toEqual(["1:one", "end"]);
});

test("a channel whose entries went with the ring is read all the same", () => {
  const { store, channel, local } = setUp();
  for (const data of ["one", "two"]) channel.append(data);
  local.due = true;
  expect(drain(store, local)).toEqual(["1:one 2:two"]);
});

test("at most 64 messages, and no more once 128 KiB are reached", () => {
  const store = newStore({}, { ringSize: 128 });
  const channel = new Channel(store, "c");
  const [local, from] = [localOf(channel), store.head()];
  for (let i = 0; i < 65; i++) channel.append("x");
  take(store, local, from);
  expect(drain(store, local).map((batch) => batch.split(" ").length)).toEqual([64, 1]);

  const roomy = newStore({}, { size: 4 * 1024 * 1024 });
  const large = new Channel(roomy, "large");
  const start = roomy.head();
  for (let i = 0; i < 6; i++) large.append(new Uint8Array(100 * 1024));
  const other = localOf(large);
  take(roomy, other, start);
  expect(drain(roomy, other).map((batch) => batch.split(" ").length)).toEqual([2, 2, 2]);
});

test("a large message's buffer is let go", () => {
  const store = newStore({}, { size: 4 * 1024 * 1024 });
  const channel = new Channel(store, "large");
  const from = store.head();
  channel.append(new Uint8Array(500 * 1024));
  const local = localOf(channel);
  take(store, local, from);
  const batch = new Batch();
  batch.fill(store, local);
  expect(batch.messages[0]?.bytes.length).toBeGreaterThanOrEqual(500 * 1024);
  batch.release();
  expect(batch.messages[0]?.bytes.length).toBeLessThanOrEqual(64 * 1024);
});
