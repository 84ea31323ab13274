/** Sizes and times as people write them, as tables. */
import { expect, test } from "bun:test";
import { parseDuration, parseSize } from "../../src/config/units.ts";

const SIZES: readonly (readonly [raw: unknown, bytes: number | null])[] = [
  [4096, 4096],
  [0, 0],
  ["4096", 4096],
  ["64MiB", 67_108_864],
  ["64 MiB", 67_108_864],
  ["32M", 33_554_432],
  ["32m", 33_554_432],
  ["1k", 1024],
  ["1K", 1024],
  ["2KiB", 2048],
  ["2kib", 2048],
  ["1kB", 1000],
  ["1MB", 1_000_000],
  ["1G", 1_073_741_824],
  ["1g", 1_073_741_824],
  ["2GiB", 2_147_483_648],
  ["3GB", 3_000_000_000],
  ["7B", 7],
  ["", null],
  ["k", null],
  ["-1", null],
  [-1, null],
  [1.5, null],
  ["1.5M", null],
  ["1T", null],
  ["1kk", null],
  ["9007199254740993", null],
  ["99999999G", null],
  [Number.NaN, null],
  [Number.POSITIVE_INFINITY, null],
  [true, null],
  [[1], null],
];

test.each(SIZES)("size %p is %p bytes", (raw, bytes) => {
  expect(parseSize(raw)).toBe(bytes);
});

const DURATIONS: readonly (readonly [raw: unknown, ms: number | null])[] = [
  [15, 15_000],
  ["15", 15_000],
  ["15s", 15_000],
  ["30m", 1_800_000],
  ["1h30m", 5_400_000],
  ["1h 30m", 5_400_000],
  ["500ms", 500],
  ["1s500ms", 1500],
  ["1m1ms", 60_001],
  ["1d", 86_400_000],
  ["2w", 1_209_600_000],
  ["0", 0],
  [0, 0],
  ["0s", 0],
  ["", null],
  ["s", null],
  ["30m1h", null],
  ["1h1h", null],
  ["1.5s", null],
  [0.5, null],
  [-1, null],
  ["-1s", null],
  ["5x", null],
  ["5 minutes", null],
  ["1h30", null],
  ["99999999999999999w", null],
  [Number.NaN, null],
  [false, null],
  [null, null],
];

test.each(DURATIONS)("time %p is %p ms", (raw, ms) => {
  expect(parseDuration(raw)).toBe(ms);
});
