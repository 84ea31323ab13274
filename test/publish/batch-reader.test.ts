/**
 * Lines of a batch that are found in the bytes say what JSON.parse says of them: over random lines, with
 * what looks nearly plain among them.
 */
import { expect, test } from "bun:test";
import { linesOf } from "../../src/publish/batch-reader.ts";
import { randomBelow } from "../random.ts";

const SEED = 20_261_129;
const BODIES = 3000;

/** The same bodies in each run. */
const below = randomBelow(SEED);
const oneOf = <T>(values: readonly T[]): T => values[below(values.length)] as T;

const PIECES = ["a", "Z9", "ü", "…", "🙂", " ", "{", "}", ",", ":", "'", "/", "\u007f", "\u2028", "\ufeff"];
const RARE = ['"', "\\", "\n", "\t", "\u0000", "\ud800"];
const textOf = (rare: boolean): string =>
  Array.from({ length: below(6) }, () => (rare && below(4) === 0 ? oneOf(RARE) : oneOf(PIECES))).join("");
const quoted = (rare: boolean): string => JSON.stringify(textOf(rare));
const NESTED = ['{"a":"b"}', '["x"]', "7", "null", "true", '""'];
const NAMES = ["channel", "data", "channel", "data", "key", "event_id", "data_base64", "__proto__", "dat"];
const BLANKS = ["", "", "", "", " ", "\t", "\r"];
const BROKEN = [
  "",
  " ",
  "{",
  "{}",
  '{"channel":"a"',
  '{"data":"',
  '"a"',
  "[]",
  '{"channel":"a",}',
  "\ufeff{}",
];

/** Batches go to the same channel again and again. */
let lastChannel = '"a"';
function channel(): string {
  if (below(2) === 0) lastChannel = quoted(false);
  return lastChannel;
}

function line(rare: boolean): string {
  const kind = below(10);
  if (kind < 5) return `{"channel":${channel()},"data":${quoted(rare)}}`;
  if (kind < 6) return `{"data":${quoted(rare)},"channel":${quoted(false)}}`;
  if (kind < 7) return oneOf(BROKEN);
  // A raw character where an escape should be, or a cut.
  if (kind < 8) return `{"channel":"${textOf(rare)}","data":"${textOf(rare)}"}`.slice(0, 20 + below(30));
  const blank = (): string => oneOf(BLANKS);
  const field = (): string =>
    `${blank()}"${oneOf(NAMES)}"${blank()}:${blank()}${below(4) === 0 ? oneOf(NESTED) : quoted(rare)}`;
  return `{${Array.from({ length: below(4) }, field).join(",")}${blank()}}${blank()}`;
}

interface Said {
  readonly number: number;
  /** Of a line that is no object: null. */
  readonly fields: unknown;
}

function parsed(body: Buffer): Said[] {
  const said: Said[] = [];
  for (const [at, text] of body.toString().split("\n").entries()) {
    if (/^[ \t\r]*$/.test(text)) continue;
    let fields: unknown = null;
    try {
      fields = JSON.parse(text);
    } catch {
      // No JSON.
    }
    if (typeof fields !== "object" || Array.isArray(fields)) fields = null;
    said.push({ number: at + 1, fields });
  }
  return said;
}

function read(body: Buffer): { said: Said[]; found: number } {
  const said: Said[] = [];
  let found = 0;
  for (const raw of linesOf(body, "json")) {
    if ("found" in raw) {
      found++;
      const fields = {
        channel: raw.channel,
        data: body.subarray(raw.found, raw.found + raw.length).toString(),
      };
      said.push({ number: raw.number, fields });
    } else {
      const isFault = "status" in raw.fields && "code" in raw.fields;
      said.push({ number: raw.number, fields: isFault ? null : raw.fields });
    }
  }
  return { said, found };
}

test("lines found in the bytes of a batch are what JSON.parse reads", () => {
  let found = 0;
  let all = 0;
  for (let count = 0; count < BODIES; count++) {
    const rare = count % 3 === 0;
    const text =
      Array.from({ length: 1 + below(5) }, () => line(rare)).join("\n") + oneOf(["", "\n", "\n\n"]);
    const body = Buffer.from(text);
    const outcome = read(body);
    expect(outcome.said, JSON.stringify(text)).toEqual(parsed(body));
    found += outcome.found;
    all += outcome.said.length;
  }
  // Or the other road alone was tried.
  expect(found).toBeGreaterThan(all / 10);
  expect(found).toBeLessThan(all);
});

test("a batch whose plain lines are not UTF-8 names the line", () => {
  const plain = '{"channel":"a","data":"x"}\n';
  const body = Buffer.concat([Buffer.from(plain), Buffer.from('{"channel":"a","data":"\xff"}\n', "latin1")]);
  const { said } = read(body);
  expect(said).toEqual([
    { number: 1, fields: { channel: "a", data: "x" } },
    { number: 2, fields: null },
  ]);
});
