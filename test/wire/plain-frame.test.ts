/**
 * Frames that are read from their bytes are what JSON.parse makes of them: over random ones, and what looks
 * nearly plain.
 */
import { expect, test } from "bun:test";
import { readJsonFrame } from "../../src/wire/client-frame.ts";
import { readPlainFrame } from "../../src/wire/plain-frame.ts";
import { randomBelow } from "../random.ts";

const SEED = 20_261_129;
const FRAMES = 20_000;

/** The same frames in each run. */
const below = randomBelow(SEED);
const oneOf = (values: readonly string[]): string => values[below(values.length)] ?? "";

const PIECES = [
  "a",
  "Z9",
  "ü",
  "🙂",
  " ",
  "{",
  "}",
  ",",
  ":",
  "\u007f",
  "\u2028",
  "x".repeat(300),
  '"',
  "\\",
  "\n",
];
const text = (): string =>
  Array.from({ length: below(4) }, () => oneOf(PIECES.slice(0, 12 + below(4)))).join("");
const RAW = ['"', "\n", "\t", "\u0000", "\\", "\\u0061", '","data":"x'];
const quoted = (): string => (below(12) === 0 ? `"${text()}${oneOf(RAW)}"` : JSON.stringify(text()));
const REFS = [
  "0",
  "7",
  "42",
  "007",
  "-1",
  "1.5",
  "1e3",
  '"7"',
  "null",
  "",
  "999999999999999",
  "9".repeat(16),
  "9".repeat(25),
];
const BLANKS = ["", "", "", "", "", "", "", " "];
const FIELDS: readonly (() => string)[] = [
  () => '"kind":"publish"',
  () => `"data":${quoted()}`,
  () => `"channel":${quoted()}`,
  () => `"ref":${oneOf(REFS)}`,
];
const RARE: readonly (() => string)[] = [
  () => `"kind":"${oneOf(["publis", "publishe", "token", ""])}"`,
  () => `"data_base64":"eA=="`,
  () => `"key":${quoted()}`,
  () => '"data":{"a":1}',
  () => '"channel":null',
];
const ENDS = ["}", "}", "}", "}", "}", "}", "}}", ",}", "} ", ""];

function frame(): string {
  const fields = FIELDS.filter((_, at) => at < 2 || below(2) === 0).map((field) => field());
  // Of two of a name the last counts.
  if (below(5) === 0) fields.push((FIELDS[below(FIELDS.length)] ?? FIELDS[0])?.() ?? "");
  if (below(8) === 0) fields.push((RARE[below(RARE.length)] ?? RARE[0])?.() ?? "");
  fields.sort(() => below(3) - 1);
  return `{${oneOf(BLANKS)}${fields.join(oneOf([",", ",", ",", ",", ";", ", ", ""]))}${oneOf(ENDS)}`;
}

test("frames that are read from their bytes are what JSON.parse reads", () => {
  let plain = 0;
  for (let count = 0; count < FRAMES; count++) {
    const said = frame();
    const bytes = Buffer.from(said);
    const read = readPlainFrame(bytes, bytes.length);
    if (read === null) continue;
    plain++;
    const own = { ...read, data: Buffer.from(read.data), channel: read.channel && Buffer.from(read.channel) };
    const parsed = readJsonFrame(said);
    expect(JSON.stringify(own), said).toBe(JSON.stringify(parsed));
  }
  expect(plain).toBeGreaterThan(FRAMES / 20);
});

test("a plain frame keeps nothing of the bytes it came in but a view of its data", () => {
  const bytes = Buffer.from('{"kind":"publish","channel":"a","data":"x"}');
  const read = readPlainFrame(bytes, bytes.length);
  expect(read?.data.buffer).toBe(bytes.buffer);
  bytes.fill(0);
  expect(Buffer.from(read?.channel ?? []).toString()).toBe("a");
});
