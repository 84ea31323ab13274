import { afterAll, describe, expect, test } from "bun:test";
import { channelWord } from "../../src/store/arena.ts";
import { CH_VERSION } from "../../src/store/layout.ts";
import { RefList } from "../../src/store/refs.ts";
import { Channel, newStore, readAll, removeTempFolders } from "./fixture.ts";

afterAll(removeTempFolders);

/** Ids 1 … 9, every third one unstored. */
function mixed(): Channel {
  const channel = new Channel(newStore(), "a");
  for (let id = 1; id <= 9; id++) channel.append(`m${id}`, id % 3 !== 0);
  return channel;
}

const ids = (found: string[] | "gone"): string =>
  found === "gone" ? found : found.map((line) => line[0]).join("");

describe("collect", () => {
  test.each([
    [0, false, 100, "124578"],
    [0, true, 100, "123456789"],
    [0, false, 2, "12"],
    [2, false, 100, "4578"],
    [2, true, 100, "3456789"],
    [3, false, 3, "457"],
    [6, true, 2, "78"],
    [8, true, 100, "9"],
    [8, false, 100, ""],
    [9, true, 100, ""],
    [1e12, true, 100, ""],
    [0, true, 0, ""],
  ])("after %d, unstored %p, limit %d: %s", (afterId, unstored, limit, expected) => {
    expect(ids(mixed().after(afterId, unstored, limit))).toBe(expected);
  });

  test.each([
    [0, ""],
    [1, "8"],
    [3, "578"],
    [100, "124578"],
  ])("the last %d: %s", (count, expected) => {
    expect(ids(mixed().last(count))).toBe(expected);
  });

  test("adds to a list that has something in it already", () => {
    const channel = mixed();
    const refs = new RefList();
    channel.store.collectLast(channel.index, channel.incarnation, 2, refs);
    channel.store.collectLast(channel.index, channel.incarnation, 2, refs);
    expect(readAll(channel.store, refs)).toEqual(["7:m7", "8:m8", "7:m7", "8:m8"]);
  });

  test("finds its place in a long channel from either end", () => {
    const channel = new Channel(newStore({}, { size: 1 << 20 }), "a");
    for (let id = 1; id <= 1000; id++) channel.append(`${id}`);
    for (const after of [0, 1, 2, 400, 499, 500, 501, 998, 999]) {
      expect(channel.after(after, false, 1)).toEqual([`${after + 1}:${after + 1}`]);
    }
  });

  test("takes the lock when messages keep being unlinked, and still answers", () => {
    const channel = mixed();
    const { arena } = channel.store;
    const version = channelWord(arena.layout, channel.index) + CH_VERSION;
    arena.u32[version] = 1;
    expect(ids(channel.after(0))).toBe("124578");
    expect(ids(channel.last(2))).toBe("78");
    arena.u32[version] = 2;
  });
});
