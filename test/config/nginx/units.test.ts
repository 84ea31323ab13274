/** The value syntaxes of push-stream spec 1.1, as tables. */
import { describe, expect, test } from "bun:test";
import {
  parseFlag,
  parseMilliseconds,
  parseNumber,
  parseOffset,
  parseSeconds,
  parseSize,
} from "../../../src/config/nginx/units.ts";

const MAX = Number.MAX_SAFE_INTEGER;
const MONTH = 30 * 86_400;
const YEAR = 365 * 86_400;

describe("flag", () => {
  test.each([
    ["on", true],
    ["ON", true],
    ["oN", true],
    ["off", false],
    ["OFF", false],
    ["Off", false],
    ["", null],
    ["true", null],
    ["1", null],
    ["on ", null],
    ["yes", null],
  ])("%j is %p", (text, value) => expect(parseFlag(text)).toBe(value));
});

describe("number", () => {
  test.each([
    ["0", 0],
    ["007", 7],
    ["65536", 65_536],
    [String(MAX), MAX],
    ["9007199254740992", null],
    ["9".repeat(40), null],
    ["", null],
    ["-1", null],
    ["+1", null],
    ["1.5", null],
    ["1k", null],
    ["0x10", null],
    [" 1", null],
    ["1e3", null],
    ["٣", null],
  ])("%j is %p", (text, value) => expect(parseNumber(text)).toBe(value));
});

describe("size", () => {
  test.each([
    ["0", 0],
    ["4096", 4096],
    ["1k", 1024],
    ["1K", 1024],
    ["10m", 10_485_760],
    ["32M", 33_554_432],
    ["128k", 131_072],
    ["", null],
    ["k", null],
    ["1g", null],
    ["1G", null],
    ["1kb", null],
    ["1 k", null],
    ["-1k", null],
    ["1.5m", null],
    ["1MiB", null],
    ["10\u212a", null], // the Kelvin sign, whose lower case is k
    ["8589934592m", null],
    ["9".repeat(40), null],
  ])("%j is %p", (text, value) => expect(parseSize(text)).toBe(value));

  test.each([
    ["2g", 2_147_483_648],
    ["1G", 1_073_741_824],
    ["10m", 10_485_760],
    ["7", 7],
    ["g", null],
    ["99999999g", null],
  ])("offset %j is %p", (text, value) => expect(parseOffset(text)).toBe(value));
});

/** null, null: neither kind takes it. */
const TIMES: readonly (readonly [text: string, seconds: number | null, milliseconds: number | null])[] = [
  ["0", 0, 0],
  ["30", 30, 30_000],
  ["30s", 30, 30_000],
  ["5m", 300, 300_000],
  ["1h30m", 5400, 5_400_000],
  ["1h 30m", 5400, 5_400_000],
  ["1h30", 3630, 3_630_000],
  ["1d", 86_400, 86_400_000],
  ["1w", 604_800, 604_800_000],
  ["1M", MONTH, MONTH * 1000],
  ["1y", YEAR, null],
  ["1y2M3w4d5h6m7s", YEAR + 2 * MONTH + 3 * 604_800 + 4 * 86_400 + 5 * 3600 + 6 * 60 + 7, null],
  ["500ms", null, 500],
  ["0ms", null, 0],
  ["1s500ms", null, 1500],
  ["1m500ms", null, 60_500],
  ["1m1s1ms", null, 61_001],
  ["1500ms", null, 1500],
  ["", null, null],
  ["s", null, null],
  ["ms", null, null],
  ["-1s", null, null],
  [" 1s", null, null],
  ["1.5s", null, null],
  ["1S", null, null],
  ["1H", null, null],
  ["1D", null, null],
  ["1m1h", null, null],
  ["1s1s", null, null],
  ["1ms1s", null, null],
  ["1h1h", null, null],
  ["1x", null, null],
  ["1sec", null, null],
  ["s1", null, null],
  ["1h-30m", null, null],
  ["9".repeat(16), null, null],
  ["9".repeat(40), null, null],
  ["9007199254740991", MAX, null],
  ["300000000y", null, null],
];

describe("time", () => {
  test.each(TIMES)("%j is %p seconds, %p milliseconds", (text, seconds, milliseconds) => {
    expect(parseSeconds(text)).toBe(seconds);
    expect(parseMilliseconds(text)).toBe(milliseconds);
  });
});
