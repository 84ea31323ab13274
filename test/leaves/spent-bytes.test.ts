/** Memory of large bytes that is given back: who may still see what, and what is used again. */
import { beforeEach, expect, test } from "bun:test";
import { lastingPart, lastingSum, letGo, makeLasting } from "../../src/http/lasting-bytes.ts";
import { giveBackSpare, spend, takeRoom } from "../../src/http/spent-bytes.ts";

beforeEach(() => {
  // The first call may only see that something was taken since.
  giveBackSpare();
  giveBackSpare();
});

test("what is spent is gone in every view, and its memory is the next one's", () => {
  const room = takeRoom(100_000);
  const { byteLength } = room.buffer;
  const part = room.fill(7).subarray(10, 90_000);
  spend(part);
  expect([room.length, part.length]).toEqual([0, 0]);
  const next = takeRoom(70_000);
  expect(next.buffer.byteLength).toBe(byteLength);
  // One is kept, and this was it.
  expect(takeRoom(70_000).buffer).not.toBe(next.buffer);
});

test("a part of something that others have is left alone", () => {
  const all = new Uint8Array(200_000).fill(3);
  spend(all.subarray(1));
  expect([all.length, all[199_999]]).toEqual([200_000, 3]);
  spend(all);
  expect(all.length).toBe(0);
});

test("who announces much and sends little costs what he has sent", () => {
  expect(takeRoom(10, 1_000_000_000).buffer.byteLength).toBe(10);
  const kept = takeRoom(300_000);
  spend(kept);
  // It is there already, and large enough.
  expect(takeRoom(10, 300_000).length).toBeGreaterThanOrEqual(300_000);
});

test("bytes that several hold are there until the last lets go of them", () => {
  const all = new Uint8Array(100_000).fill(5);
  const lasting = makeLasting(all);
  lasting?.hold();
  const parts = [lastingPart(all, 10, 100_000), lastingPart(all, 99_999, 100_000)];
  lasting?.letGo();
  expect(parts.map(({ length }) => length)).toEqual([99_990, 1]);
  expect(letGo(parts[0] ?? null)).toBeNull();
  expect(parts[1]?.[0]).toBe(5);
  letGo(parts[1] ?? null);
  expect(all.length).toBe(0);
});

test("more behind a part that is held is a copy, and the part is let go of", () => {
  const all = new Uint8Array(100_000).fill(5);
  makeLasting(all);
  const sum = lastingSum(lastingPart(all, 0, 100_000), Buffer.from("abc"));
  expect(all.length).toBe(0);
  expect([sum.length, sum[0], sum.subarray(-3).toString()]).toEqual([100_003, 5, "abc"]);
});
