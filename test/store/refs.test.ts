import { expect, test } from "bun:test";
import { RefList } from "../../src/store/refs.ts";

const pairs = (refs: RefList): number[][] =>
  Array.from({ length: refs.length }, (_, at) => [refs.block(at), refs.stamp(at)]);

test("grows and keeps what was pushed", () => {
  const refs = new RefList();
  for (let at = 0; at < 1000; at++) refs.push(at, 0xffffffff - at);
  expect(refs.length).toBe(1000);
  expect([refs.block(999), refs.stamp(999)]).toEqual([999, 0xffffffff - 999]);
  expect([refs.block(0), refs.stamp(0)]).toEqual([0, 0xffffffff]);
});

test("reverses only the part asked for, cuts back, clears", () => {
  const refs = new RefList();
  for (let at = 1; at <= 5; at++) refs.push(at, at * 10);
  refs.reverseFrom(2);
  expect(pairs(refs)).toEqual([
    [1, 10],
    [2, 20],
    [5, 50],
    [4, 40],
    [3, 30],
  ]);
  refs.truncate(9);
  expect(refs.length).toBe(5);
  refs.truncate(1);
  expect(pairs(refs)).toEqual([[1, 10]]);
  refs.reverseFrom(1);
  refs.clear();
  expect(pairs(refs)).toEqual([]);
});
