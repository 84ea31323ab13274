/**
 * Reading a channel on, and finding a place in it: from every id, over holes, while messages go, and how many
 * looks it takes.
 */
import { afterAll, describe, expect, test } from "bun:test";
import { blockWord, channelWord } from "../../src/store/memory/arena.ts";
import { CH_LAST_ID, CH_VERSION } from "../../src/store/memory/layout-channel.ts";
import { MSG_NEWER, MSG_OLDER, MSG_STAMP } from "../../src/store/memory/layout-message.ts";
import { Message } from "../../src/store/message/message-view.ts";
import { END, FOUND, GONE } from "../../src/store/message/reader.ts";
import { AT_PLACE, DISTURBED, look, NOTHING_NEWER, Sight } from "../../src/store/message/seek.ts";
import { openStore } from "../../src/store/opening.ts";
import { BUSY } from "../../src/store/outcome.ts";
import type { Store } from "../../src/store/store.ts";
import {
  bytes,
  Channel,
  NOW_MS,
  NOW_SEC,
  newStore,
  POLICY,
  removeTempFolders,
  smallShape,
} from "./fixture.ts";

afterAll(removeTempFolders);

/** Ids 1 … 9, every third one unstored. */
function mixed(): Channel {
  const channel = new Channel(newStore(), "a");
  for (let id = 1; id <= 9; id++) channel.append(`m${id}`, id % 3 !== 0);
  return channel;
}

const ids = (found: string[] | "gone"): string =>
  found === "gone" ? found : found.map((line) => line[0]).join("");

/** Every word of the store that is read, counted: a look costs so many, whatever the machine does. */
function countedReads(store: Store, work: () => void): number {
  const { arena } = store;
  const { u32 } = arena;
  let reads = 0;
  const counting = new Proxy(u32, {
    get(target, property) {
      reads++;
      return Reflect.get(target, property, target);
    },
  });
  Reflect.set(arena, "u32", counting);
  const { load } = Atomics;
  Reflect.set(Atomics, "load", (array: Uint32Array, at: number) => {
    reads++;
    return load(array === counting ? u32 : array, at);
  });
  try {
    work();
  } finally {
    Reflect.set(Atomics, "load", load);
    Reflect.set(arena, "u32", u32);
  }
  return reads;
}

describe("reading on", () => {
  test.each([
    [0, false, "124578"],
    [0, true, "123456789"],
    [2, false, "4578"],
    [2, true, "3456789"],
    [8, true, "9"],
    [8, false, ""],
    [9, true, ""],
    [1e12, true, ""],
  ])("after %d, unstored %p: %s", (afterId, unstored, expected) => {
    expect(ids(mixed().after(afterId, unstored))).toBe(expected);
  });

  test.each([
    [1, "8"],
    [3, "578"],
    [100, "124578"],
  ])("the last %d: %s", (count, expected) => {
    expect(ids(mixed().last(count))).toBe(expected);
  });

  test("it goes on behind what it took, also when that and more has gone", () => {
    const store = newStore({ unstoredTtlSec: 5 });
    const channel = new Channel(store, "a");
    for (const data of ["1", "2", "3"]) channel.append(data, data === "3");
    const reader = store.history.reader(channel.index, channel.incarnation, 0);
    const message = new Message();
    expect(reader.next(message)).toBe(FOUND);
    expect([message.id, reader.lastId]).toEqual([1, 0]);
    reader.accept(message);
    store.sweep(NOW_MS + 6000);
    expect(reader.next(message)).toBe(FOUND);
    expect([message.id, reader.lastId]).toEqual([3, 1]);
    reader.accept(message);
    expect(reader.next(message)).toBe(END);
    channel.append("4", true, NOW_MS + 6000);
    expect([reader.next(message), message.id]).toEqual([FOUND, 4]);
  });

  test("a deleted channel is read to its end, and its record is nobody else's for it", () => {
    const store = newStore({}, { channels: 1 });
    const channel = new Channel(store, "a");
    channel.append("1");
    const reader = store.history.reader(channel.index, channel.incarnation, 0);
    const message = new Message();
    store.deleteChannel(bytes("a"), bytes("bye"), NOW_MS);
    expect(reader.next(message)).toBe(FOUND);
    reader.accept(message);
    expect(reader.next(message)).toBe(GONE);
    for (let sec = 1; sec < 20; sec++) store.sweep(NOW_MS + sec * 1000);
    const other = new Channel(store, "b", NOW_SEC + 20);
    expect(other.index).toBe(channel.index);
    for (let id = 1; id <= 3; id++) other.append("secret");
    expect(reader.next(message)).toBe(GONE);
    expect(store.history.reader(channel.index, channel.incarnation, 0).next(message)).toBe(GONE);
  });

  test("a message whose publish is not over is not there yet, or its position would be ahead", () => {
    const channel = mixed();
    const { arena } = channel.store;
    arena.u32[channelWord(arena.layout, channel.index) + CH_LAST_ID] = 8;
    expect(ids(channel.after(0, true))).toBe("12345678");
    arena.u32[channelWord(arena.layout, channel.index) + CH_LAST_ID] = 9;
  });
});

describe("somebody stands still in the middle of a change", () => {
  test("what follows without a hole is read all the same; a hole and an end have to wait", () => {
    const store = newStore({ unstoredTtlSec: 5 });
    const channel = new Channel(store, "a");
    for (let id = 1; id <= 5; id++) channel.append(`m${id}`, id !== 4);
    store.sweep(NOW_MS + 6000);
    const { arena } = store;
    const version = channelWord(arena.layout, channel.index) + CH_VERSION;
    const before = arena.u32[version]!;
    arena.u32[version] = before | 1;
    const reader = store.history.reader(channel.index, channel.incarnation, 0);
    const message = new Message();
    for (const id of [1, 2, 3]) {
      expect([reader.next(message), message.id]).toEqual([FOUND, id]);
      reader.accept(message);
    }
    expect(reader.next(message)).toBe(BUSY);
    arena.u32[version] = before;
    expect([reader.next(message), message.id]).toEqual([FOUND, 5]);
    reader.accept(message);
    arena.u32[version] = before | 1;
    expect(reader.next(message)).toBe(BUSY);
    arena.u32[version] = before;
    expect(reader.next(message)).toBe(END);
  });

  test("an evicted message that is still linked is never given, and ends no search", () => {
    const channel = mixed();
    const { arena } = channel.store;
    const message = new Message();
    channel.store.history.reader(channel.index, channel.incarnation, 4).next(message);
    const at = blockWord(arena.layout, message.block) + MSG_STAMP;
    arena.u32[at] = 0;
    const reader = channel.store.history.reader(channel.index, channel.incarnation, 4);
    expect([reader.next(message), ids(channel.after(5, true))]).toEqual([BUSY, "6789"]);
    arena.u32[at] = message.stamp;
    expect([reader.next(message), message.id]).toEqual([FOUND, 5]);
  });

  test("a header that is overwritten in the middle of its copy is not believed", () => {
    const channel = mixed();
    const { arena } = channel.store;
    const { u32 } = arena;
    const message = new Message();
    channel.store.history.reader(channel.index, channel.incarnation, 6).next(message);
    const at = blockWord(arena.layout, message.block);
    // Evicted, and its block used for the channel's next message, while a search copies what it says of its
    // elder.
    const torn = new Proxy(u32, {
      get(target, property) {
        const value = Reflect.get(target, property, target);
        if (property === String(at + MSG_OLDER)) {
          target[at + MSG_STAMP] = 0;
          return 0;
        }
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    const { load } = Atomics;
    Reflect.set(Atomics, "load", (array: Uint32Array, word: number) =>
      load(array === torn ? u32 : array, word),
    );
    Reflect.set(arena, "u32", torn);
    const sight = new Sight();
    const isSeen = look(arena, channel.index, channel.incarnation, message.block, sight);
    Reflect.set(arena, "u32", u32);
    Reflect.set(Atomics, "load", load);
    expect(isSeen).toBe(false);
    u32[at + MSG_STAMP] = message.stamp;
    expect(look(arena, channel.index, channel.incarnation, message.block, sight)).toBe(true);
  });

  test("links that lead round in a circle end", () => {
    const channel = mixed();
    const { arena } = channel.store;
    const message = new Message();
    const reader = channel.store.history.reader(channel.index, channel.incarnation, 8);
    reader.next(message);
    reader.accept(message);
    arena.u32[blockWord(arena.layout, message.block) + MSG_NEWER] = message.block;
    expect(reader.next(message)).toBe(BUSY);
  });
});

describe("finding a place", () => {
  const COUNT = 9000;
  function long(keep: (id: number) => boolean = () => true): Channel {
    const store = newStore({ unstoredTtlSec: 5 }, { size: 4 << 20 });
    const channel = new Channel(store, "a");
    for (let id = 1; id <= COUNT; id++) channel.append(`${id}`, keep(id));
    if (keep(0) === false) for (let sec = 6; sec < 9; sec++) store.sweep(NOW_MS + sec * 1000);
    return channel;
  }

  test.each([
    ["whole", () => true],
    ["with a hole each ten", (id: number) => id % 10 !== 0],
    ["without what a search would skip to", (id: number) => id % 64 !== 0],
    ["without its older half", (id: number) => id > COUNT / 2],
  ] as const)("after any id of a channel %s", (_, keep) => {
    const channel = long(keep);
    const message = new Message();
    for (const after of [0, 1, 62, 63, 64, 65, 127, 128, 4095, 4096, 4097, 4500, 8191, 8192, 8998, 8999]) {
      let expected = after + 1;
      while (!keep(expected) && expected <= COUNT) expected++;
      const outcome = channel.store.history.reader(channel.index, channel.incarnation, after).next(message);
      if (expected > COUNT) expect(outcome).toBe(END);
      else expect([after, outcome, message.id]).toEqual([after, FOUND, expected]);
    }
  });

  test("a recovered store is searched as well as it was", () => {
    const shape = smallShape({ size: 4 << 20 });
    const first = openStore(shape, POLICY).store;
    const channel = new Channel(first, "a");
    for (let id = 1; id <= COUNT; id++) channel.append(`${id}`);
    const { store, report } = openStore(shape, POLICY);
    expect(report.kind).toBe("recovered");
    const message = new Message();
    const reads = countedReads(store, () => {
      expect(store.history.reader(channel.index, channel.incarnation, 1).next(message)).toBe(FOUND);
    });
    expect([message.id, reads < 20_000]).toEqual([2, true]);
  });

  test("the way to an old message does not grow with what is stored, nor with how old it is", () => {
    const few = newStore({}, { size: 1 << 20 });
    const many = newStore({}, { size: 16 << 20 });
    const lookAt = (store: Store, count: number): number => {
      const channel = new Channel(store, "a");
      for (let id = 1; id <= count; id++) channel.append("x");
      const message = new Message();
      const reader = store.history.reader(channel.index, channel.incarnation, 10);
      const reads = countedReads(store, () => expect(reader.next(message)).toBe(FOUND));
      expect(message.id).toBe(11);
      return reads;
    };
    const [short, tall] = [lookAt(few, 2000), lookAt(many, 50_000)];
    // 25 times as many messages: some 12 more of the long skips, and as many short ones as before at most.
    expect(tall).toBeLessThan(short * 6);
  });

  test("the last thousand, and the next step, cost the same whether 2,000 or 50,000 are stored", () => {
    const cost = (count: number): readonly [number, number] => {
      const store = newStore({}, { size: 16 << 20 });
      const channel = new Channel(store, "a");
      for (let id = 1; id <= count; id++) channel.append("x");
      const last = countedReads(store, () =>
        expect(channel.store.history.beforeLastStored(channel.index, channel.incarnation, 1000, count)).toBe(
          count - 1000,
        ),
      );
      const reader = store.history.reader(channel.index, channel.incarnation, count / 2);
      const message = new Message();
      reader.next(message);
      reader.accept(message);
      return [last, countedReads(store, () => expect(reader.next(message)).toBe(FOUND))];
    };
    expect(cost(50_000)).toEqual(cost(2000));
  });

  test("a time and a tag", () => {
    const store = newStore({ messageTtlSec: 0 }, { size: 4 << 20 });
    const channel = new Channel(store, "a");
    for (let id = 0; id < COUNT; id++) channel.append("x", true, NOW_MS + Math.floor(id / 3) * 1000);
    const sight = new Sight();
    const find = (sec: number, tag: number | null): number =>
      store.history.seekTime(channel.index, channel.incarnation, NOW_SEC + sec, tag, sight) === AT_PLACE
        ? sight.id
        : 0;
    // Three in each second: ids 3s + 1 to 3s + 3, tags 1 to 3.
    expect([
      find(-1, null),
      find(0, null),
      find(100, 2),
      find(100, 9),
      find(2999, 3),
      find(2999, null),
    ]).toEqual([1, 4, 302, 304, 9000, 0]);
    expect(store.history.seekTime(channel.index, channel.incarnation, NOW_SEC + 3000, 0, sight)).toBe(
      NOTHING_NEWER,
    );
  });

  test("nothing is believed of a channel in which every link is broken", () => {
    const channel = mixed();
    const { store } = channel;
    const message = new Message();
    store.history.reader(channel.index, channel.incarnation, 8).next(message);
    store.arena.u32[blockWord(store.arena.layout, message.block) + MSG_STAMP] = 0;
    expect(store.history.seekTime(channel.index, channel.incarnation, 0, null, new Sight())).toBe(DISTURBED);
  });
});
