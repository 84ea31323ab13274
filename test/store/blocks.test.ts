import { afterAll, describe, expect, test } from "bun:test";
import { type Arena, blockWord } from "../../src/store/memory/arena.ts";
import {
  blocksForMessage,
  blocksForName,
  ChainWriter,
  givePlanned,
  planGiving,
  planTaking,
  readChain,
  takePlanned,
} from "../../src/store/memory/blocks.ts";
import { HEAD_FREE_BLOCKS } from "../../src/store/memory/layout-header.ts";
import {
  MORE_NEXT,
  MORE_OWNER,
  MORE_WORDS,
  MSG_LAST,
  MSG_WORDS,
} from "../../src/store/memory/layout-message.ts";
import { newStore, removeTempFolders } from "./fixture.ts";
import { checkInvariants } from "./invariants.ts";

afterAll(removeTempFolders);

function takeBlocks(arena: Arena, count: number, owner: number): number {
  const first = planTaking(arena, count, owner);
  takePlanned(arena);
  const last = arena.u32[blockWord(arena.layout, first) + MSG_LAST]!;
  arena.u32[blockWord(arena.layout, last) + MORE_NEXT] = 0;
  return first;
}

const noise = (length: number): Uint8Array<ArrayBuffer> =>
  Uint8Array.from({ length }, (_, at) => (at * 131 + length) & 255);

describe("block counts", () => {
  const { layout } = newStore().arena;
  test.each([
    [0, 1],
    [1, 1],
    [168, 1],
    [169, 2],
    [168 + 244, 2],
    [168 + 244 + 1, 3],
  ])("a message of %d bytes takes %d blocks", (bytes, blocks) => {
    expect(blocksForMessage(layout, bytes)).toBe(blocks);
  });
  test.each([
    [0, 0],
    [1, 1],
    [244, 1],
    [245, 2],
  ])("a name of %d bytes takes %d blocks", (bytes, blocks) => {
    expect(blocksForName(layout, bytes)).toBe(blocks);
  });
});

test("taken blocks form a chain with owner and last; giving them back restores the list", () => {
  const { arena } = newStore();
  const { u32, layout } = arena;
  const before = u32[HEAD_FREE_BLOCKS]!;
  const first = takeBlocks(arena, 3, 77);
  const second = u32[blockWord(layout, first) + MORE_NEXT]!;
  const third = u32[blockWord(layout, second) + MORE_NEXT]!;
  expect(u32[blockWord(layout, first) + MSG_LAST]).toBe(third);
  expect(u32[blockWord(layout, second) + MORE_OWNER]).toBe(77);
  expect(u32[blockWord(layout, third) + MORE_OWNER]).toBe(77);
  expect(u32[blockWord(layout, third) + MORE_NEXT]).toBe(0);
  expect(u32[HEAD_FREE_BLOCKS]).toBe(before - 3);
  planGiving(arena, 3);
  givePlanned(arena, first, third);
  expect(u32[HEAD_FREE_BLOCKS]).toBe(before);
  expect(checkInvariants(arena)).toEqual([]);
});

test.each([0, 1, 23, 24, 25, 171, 168, 169, 416, 417, 5000])(
  "%d bytes come back from a chain as written",
  (length) => {
    const { arena } = newStore();
    const writer = new ChainWriter();
    const first = takeBlocks(arena, blocksForMessage(arena.layout, length + 30), 1);
    writer.begin(arena.layout, first, MSG_WORDS);
    writer.write(arena, noise(30));
    writer.write(arena, noise(length));
    const read = new Uint8Array(length + 30);
    expect(readChain(arena, first, MSG_WORDS, length + 30, read)).toBe(true);
    expect(read.subarray(0, 30)).toEqual(noise(30));
    expect(read.subarray(30)).toEqual(noise(length));
  },
);

test("a chain that ends early or leaves the file is refused, not followed", () => {
  const { arena } = newStore();
  const first = takeBlocks(arena, 1, 1);
  const into = new Uint8Array(1000);
  expect(readChain(arena, first, MORE_WORDS, 1000, into)).toBe(false);
  arena.u32[blockWord(arena.layout, first) + MORE_NEXT] = 0xfffffff0;
  expect(readChain(arena, first, MORE_WORDS, 1000, into)).toBe(false);
});

test("a chain that begins outside of the file is none, and nothing is read or thrown", () => {
  const { arena } = newStore();
  for (const first of [0, arena.layout.blocks + 1, 0x1000_0000])
    expect(readChain(arena, first, MORE_WORDS, 1000, new Uint8Array(1000))).toBe(false);
});
