import { afterAll, describe, expect, test } from "bun:test";
import { CHANNEL_DELETED_ID, FLAG_DELETION, FLAG_STORED } from "../../src/message.ts";
import { Message } from "../../src/store/message/message-view.ts";
import { FOUND } from "../../src/store/message/reader.ts";
import { RingEntry } from "../../src/store/message/ring.ts";
import { OWED_BEHIND, OWED_LIVE, OWED_NOTHING } from "../../src/store/slots.ts";
import {
  bytes,
  Channel,
  dataOf,
  NOW_MS,
  NOW_SEC,
  newestOf,
  newStore,
  removeTempFolders,
  text,
} from "./fixture.ts";
import { checkInvariants } from "./invariants.ts";

afterAll(removeTempFolders);

describe("append", () => {
  test.each([0, 1, 24, 25, 168, 169, 412, 413, 20_000])("%d bytes come back as they were", (length) => {
    const channel = new Channel(newStore(), "a");
    const data = Uint8Array.from({ length }, (_, at) => (at * 7) & 255);
    expect(channel.append(data)).toBe(1);
    const message = newestOf(channel);
    expect(message.bytes.subarray(message.dataOffset, message.dataOffset + message.dataLength)).toEqual(data);
    expect(checkInvariants(channel.store.arena)).toEqual([]);
  });

  test.each([
    ["neither", null, null, [-1, -1, 0]],
    ["an empty id", "", null, [0, -1, 0]],
    ["an empty type", null, "", [-1, 0, 0]],
    ["both", "id", "kind", [2, 4, 6]],
    ["a type that runs over the block", "id", "k".repeat(300), [2, 300, 302]],
  ] as const)("keeps event id and type: %s", (_what, id, type, expected) => {
    const store = newStore();
    const channel = new Channel(store, "a");
    const [eventId, eventType] = [id === null ? null : bytes(id), type === null ? null : bytes(type)];
    store.append(channel.index, channel.incarnation, bytes("data"), eventId, eventType, true, NOW_MS);
    const message = newestOf(channel);
    expect([message.eventIdLength, message.eventTypeLength, message.dataOffset]).toEqual([...expected]);
    expect(text(message.bytes.subarray(0, message.dataOffset))).toBe((id ?? "") + (type ?? ""));
    expect(dataOf(message)).toBe("data");
  });

  test("the header alone has event id and type, and leaves out the data", () => {
    const store = newStore();
    const channel = new Channel(store, "a");
    store.append(
      channel.index,
      channel.incarnation,
      bytes("d".repeat(5000)),
      bytes("id"),
      null,
      true,
      NOW_MS,
    );
    const message = new Message();
    expect(store.history.reader(channel.index, channel.incarnation, 0).next(message, false)).toBe(FOUND);
    expect(text(message.bytes.subarray(0, 2))).toBe("id");
    expect([message.dataLength, message.bytes.length < 5000]).toEqual([5000, true]);
  });

  test("an event id beyond 65,534 bytes is refused before anything is changed", () => {
    const store = newStore({}, { size: 512 * 1024 });
    const { index, incarnation } = new Channel(store, "a");
    const long = new Uint8Array(65_535);
    expect(() => store.append(index, incarnation, bytes(""), long, null, true, NOW_MS)).toThrow(RangeError);
    expect(store.append(index, incarnation, bytes(""), long.subarray(1), null, true, NOW_MS)).toBe(1);
  });

  test("ids count a channel, tags count a second over all channels, time does not go back", () => {
    const store = newStore();
    const [a, b] = [new Channel(store, "a"), new Channel(store, "b")];
    const seen: number[][] = [];
    for (const [channel, ms] of [
      [a, 0],
      [b, 999],
      [a, 1000],
      [b, -5000],
      [a, 2000],
    ] as const) {
      channel.append("x", true, NOW_MS + ms);
      const message = newestOf(channel);
      seen.push([message.id, message.time - NOW_SEC, message.tag]);
      expect([store.lastTime(channel.index), store.lastTag(channel.index)]).toEqual([
        message.time,
        message.tag,
      ]);
    }
    expect(seen).toEqual([
      [1, 0, 1],
      [1, 0, 2],
      [2, 1, 1],
      [2, 1, 2],
      [3, 2, 1],
    ]);
  });

  test("expiry and flags follow the ttl of the kind", () => {
    const channel = new Channel(newStore({ messageTtlSec: 100, unstoredTtlSec: 5 }), "a");
    channel.append("s");
    expect([newestOf(channel).expires, newestOf(channel).flags]).toEqual([NOW_SEC + 100, FLAG_STORED]);
    channel.append("u", false);
    expect([newestOf(channel).expires, newestOf(channel).flags]).toEqual([NOW_SEC + 5, 0]);
  });

  test("a gone channel gets 0, a message larger than the store -1, and neither changes anything", () => {
    const store = newStore();
    const channel = new Channel(store, "a");
    channel.append("kept");
    expect(channel.append(new Uint8Array(store.maxMessageBytes + 1))).toBe(-1);
    // The name takes a block, so the largest possible message does not fit either.
    expect(channel.append(new Uint8Array(store.maxMessageBytes))).toBe(-1);
    expect(channel.after(0)).toEqual(["1:kept"]);
    store.deleteChannel(bytes("a"), bytes(""), NOW_MS);
    const head = store.head();
    expect(channel.append("x")).toBe(0);
    expect(store.append(channel.index, channel.incarnation + 1, bytes("x"), null, null, true, NOW_MS)).toBe(
      0,
    );
    expect(store.head()).toBe(head);
  });

  test("the limit a channel is enforced at once, oldest first; unstored messages do not count", () => {
    const channel = new Channel(newStore({ maxStoredPerChannel: 2 }), "a");
    for (const name of ["1", "2"]) channel.append(name);
    channel.append("u", false);
    channel.append("3");
    expect(channel.after(0)).toEqual(["2:2", "4:3"]);
    expect(channel.after(0, true)).toEqual(["2:2", "3:u", "4:3"]);
  });

  test.each([
    ["a worker that has not dispatched it", OWED_LIVE, 0, true],
    ["no worker that has dispatched it", OWED_LIVE, 2, false],
    ["a worker where somebody lags", OWED_BEHIND, 2, true],
    ["no worker where nobody stands", OWED_NOTHING, 0, false],
  ] as const)("what is over the limit rests for %s", (_who, owed, dispatched, rests) => {
    const store = newStore({ maxStoredPerChannel: 1 });
    const slot = store.workers.claimSlot(1, 1);
    const channel = new Channel(store, "a");
    const first = store.head();
    channel.append("1");
    store.workers.setCursor(slot, first + dispatched);
    store.workers.setOwed(slot, owed);
    channel.append("2");
    expect(channel.after(0)).toEqual(["2:2"]);
    expect(channel.after(0, true)).toEqual(rests ? ["1:1", "2:2"] : ["2:2"]);
    expect(store.storedCount(channel.index)).toBe(1);
  });
});

describe("deleteChannel", () => {
  test("takes the channel away at once and puts the text into the ring", () => {
    const store = newStore();
    const channel = new Channel(store, "a");
    channel.append("x");
    const cursor = store.head();
    expect(store.deleteChannel(bytes("b"), bytes("bye"), NOW_MS)).toBe(0);
    expect(store.deleteChannel(bytes("a"), bytes("bye"), NOW_MS)).toBe(1);
    expect(store.deleteChannel(bytes("a"), bytes("bye"), NOW_MS)).toBe(0);
    expect(store.find(bytes("a"))).toBe(-1);
    expect(store.isLive(channel.index, channel.incarnation)).toBe(false);
    expect(channel.after(0)).toBe("gone");
    expect(channel.last(1)).toBe("gone");
    const entry = new RingEntry();
    expect(store.entry(cursor, entry)).toBe(true);
    expect([entry.channel, entry.incarnation]).toEqual([channel.index, channel.incarnation]);
    const message = new Message();
    expect(store.history.read(entry.block, entry.stamp, message)).toBe(true);
    expect([message.id, message.time, message.tag, message.flags]).toEqual([
      CHANNEL_DELETED_ID,
      0,
      0,
      FLAG_DELETION,
    ]);
    expect(dataOf(message)).toBe("bye");
    expect(text(store.name(channel.index))).toBe("a");
    expect(store.totals(NOW_MS)).toMatchObject({ channels: 0, channelsInDelete: 1, published: 1 });
    expect(checkInvariants(store.arena)).toEqual([]);
  });

  test("the same name right after is a new channel with ids from 1", () => {
    const store = newStore();
    const old = new Channel(store, "a");
    old.append("old");
    store.deleteChannel(bytes("a"), bytes(""), NOW_MS);
    const fresh = new Channel(store, "a");
    expect(fresh.index).not.toBe(old.index);
    expect(fresh.append("new")).toBe(1);
    expect(fresh.after(0)).toEqual(["1:new"]);
  });

  test("a text larger than the store is a programmer's error and deletes nothing", () => {
    const store = newStore();
    new Channel(store, "a");
    const text = new Uint8Array(store.maxMessageBytes + 1);
    expect(() => store.deleteChannel(bytes("a"), text, NOW_MS)).toThrow(RangeError);
    expect(store.find(bytes("a"))).toBeGreaterThanOrEqual(0);
  });
});

test("read refuses a stamp that is not there, block 0 and blocks outside", () => {
  const store = newStore();
  new Channel(store, "a").append("x");
  const message = new Message();
  for (const [block, stamp] of [
    [0, 1],
    [1, 12345],
    [2, 0],
    [1e9, 1],
  ] as const) {
    expect(store.history.read(block, stamp, message)).toBe(false);
  }
});
