import { afterAll, expect, test } from "bun:test";
import { setWide } from "../../src/store/memory/arena.ts";
import { HEAD_RING_HEAD } from "../../src/store/memory/layout-header.ts";
import { Message } from "../../src/store/message/message-view.ts";
import { RingEntry } from "../../src/store/message/ring.ts";
import { Channel, newStore, removeTempFolders } from "./fixture.ts";

afterAll(removeTempFolders);

test("entries lead to the messages in publish order, over channels", () => {
  const store = newStore();
  const cursor = store.head();
  const a = new Channel(store, "a");
  const b = new Channel(store, "b");
  a.append("1");
  b.append("2");
  a.append("3", false);
  const entry = new RingEntry();
  const message = new Message();
  const seen: string[] = [];
  for (let serial = cursor; serial !== store.head(); serial = (serial + 1) >>> 0) {
    expect(store.entry(serial, entry)).toBe(true);
    expect(store.history.read(entry.block, entry.stamp, message)).toBe(true);
    expect(message.serial).toBe(serial);
    seen.push(`${entry.channel === a.index ? "a" : "b"}${message.id}`);
  }
  expect(seen).toEqual(["a1", "b1", "a2"]);
  expect(store.entry(store.head(), entry)).toBe(false);
});

test("a reader that is a whole ring behind is told so", () => {
  const store = newStore({ maxStoredPerChannel: 5 });
  const channel = new Channel(store, "a");
  const cursor = store.head();
  const entry = new RingEntry();
  for (let at = 0; at < 63; at++) channel.append("x");
  expect(store.entry(cursor, entry)).toBe(true);
  channel.append("x");
  expect(store.entry(cursor, entry)).toBe(false);
  expect(store.entry((cursor + 1) >>> 0, entry)).toBe(true);
});

test("serials wrap at 32 bits without a lost entry, and stamp 0 never occurs", () => {
  const store = newStore();
  const channel = new Channel(store, "a");
  setWide(store.arena.u32, HEAD_RING_HEAD, 0x1fffffffe);
  const entry = new RingEntry();
  const message = new Message();
  for (let at = 0; at < 4; at++) channel.append(`m${at}`);
  const serials: number[] = [];
  for (let serial = 0xfffffffe; serial !== store.head(); serial = (serial + 1) >>> 0) {
    expect(store.entry(serial, entry)).toBe(true);
    expect(entry.stamp).not.toBe(0);
    expect(store.history.read(entry.block, entry.stamp, message)).toBe(true);
    serials.push(message.serial);
  }
  const first = 0x1fffffffe;
  expect(serials).toEqual([first, first + 1, first + 2, first + 3]);
  expect(channel.after(1)).toEqual(["2:m1", "3:m2", "4:m3"]);
});

/** An entry that lets somebody in each time a part of the copy arrives in it. */
const disturbed = (between: (parts: number) => void): RingEntry => {
  let parts = 0;
  return new Proxy(new RingEntry(), {
    set(entry, name, value) {
      const done = Reflect.set(entry, name, value);
      between(++parts);
      return done;
    },
  });
};

/**
 * Copies the newest of two entries while `published` messages come in after the part `after` of it; what came
 * out.
 */
function readWhileOthersPublish(after: number, published: number) {
  const store = newStore({ maxStoredPerChannel: 5 });
  const [first, second] = [new Channel(store, "first"), new Channel(store, "second")];
  first.append("x");
  const serial = store.head();
  second.append("x");
  const whole = new RingEntry();
  expect(store.entry(serial, whole)).toBe(true);
  const entry = disturbed((parts) => {
    if (parts === after) for (let at = 0; at < published; at++) first.append("y");
  });
  const isGiven = store.entry(serial, entry);
  const isWhole = Bun.deepEquals({ ...entry }, { ...whole });
  store.close();
  return { isGiven, isWhole };
}

test("an entry that the ring overwrites in the middle of its copy is refused", () => {
  const parts = Object.keys(new RingEntry()).length;
  for (let after = 1; after <= parts; after++) {
    // A whole lap, and one message less: then the writer may have begun on the entry.
    for (const published of [64, 63])
      expect({ after, published, ...readWhileOthersPublish(after, published) }).toMatchObject({
        after,
        published,
        isGiven: false,
      });
    expect({ after, ...readWhileOthersPublish(after, 62) }).toEqual({ after, isGiven: true, isWhole: true });
  }
  expect(readWhileOthersPublish(1, 64).isWhole).toBe(false);
});
