/** Entries of the engine's log, word by word, and where they lie in what the engine answered. */
import { expect, test } from "bun:test";
import { Entries } from "../../src/cluster/entries.ts";
import { readEntry, readMessage } from "../../src/cluster/entry.ts";
import { piecesOf, type RawEntry } from "../../src/cluster/entry-pieces.ts";
import { LoggedMessage } from "../../src/cluster/logged-message.ts";
import { entriesOf, replyOf } from "./reply.ts";

const into = new LoggedMessage();
/** As the reader of the log does. */
function entry(head: string, ...more: string[]): unknown {
  const pieces = piecesOf([Buffer.from("7-42"), [head, ...more].map((text) => Buffer.from(text, "latin1"))]);
  return readMessage(3, pieces, into) ? { ...into } : readEntry(3, pieces);
}
const message = (flags: string, ...more: string[]) =>
  entry(`m 100 2 9 8 5 4 6 ${flags} node 11\nchannel`, "data", ...more);
const place = { shard: 3, term: 7, n: 42, sec: 100, tag: 2, total: 9, top: 8 };
const TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "latin1"));
const plain = {
  ...place,
  channel: bytes("channel"),
  data: bytes("data"),
  position: 5,
  base: 4,
  published: 6,
  isStored: false,
  eventId: null,
  eventType: null,
  marks: null,
};
const nobody = { by: Buffer.alloc(0), isUntold: false, trace: null };

test.each<[string, string[], object]>([
  ["-", [], {}],
  ["s", [], { isStored: true }],
  ["sit", ["id", "type"], { isStored: true, eventId: Buffer.from("id"), eventType: Buffer.from("type") }],
  ["t", ["", "type"], { eventType: Buffer.from("type") }],
  ["su", [], { isStored: true, marks: { ...nobody, isUntold: true } }],
  ["s~616e", [], { isStored: true, marks: { ...nobody, by: Buffer.from("an") } }],
  ["xyz", [], {}],
])("a message with the flags %s", (flags, more, expected) => {
  expect(message(flags, ...more)).toEqual({ ...plain, ...expected });
});

test("a message in a trace", () => {
  const read = message(`s^${TRACE.toUpperCase()}u`);
  expect(read).toMatchObject({ isStored: true, marks: { isUntold: true } });
  expect(into.marks?.trace).not.toBeNull();
});

test.each([
  ["a word is missing", "m 100 2 9"],
  ["no channel", "m 100 2 9 8 5 4 6 s node 11\n"],
  ["no line end", "m 100 2 9 8 5 4 6 s node 11"],
  ["a base that is not before the position", "m 100 2 9 8 5 5 6 s node 11\nchannel"],
  ["a number beyond all", `m 100 2 9 8 ${"9".repeat(30)} 4 6 s node 11\nchannel`],
  ["a kind nobody knows", "z 100 2 9 8"],
  ["no space behind the kind", "m100 2 9 8 5 4 6 s node 11\nchannel"],
  ["nothing", ""],
])("%s: null", (_name, head) => expect(entry(head, "data")).toBeNull());

test.each<[string, string[], object]>([
  ["d 100 2 9 8 node 11\nchannel", ["text"], { channel: Buffer.from("channel"), text: Buffer.from("text") }],
  ["i 100 2 9 8 6 41 1000 99 3 77", [], { base: 1000, epoch: 77, fork: { term: 6, n: 41, sec: 99, tag: 3 } }],
  ["h 100 2 9 8 node-a", ["said"], { who: "node-a", said: Buffer.from("said") }],
  ["g 100 2 9 8 node-a", [], { kind: "gone", node: "node-a" }],
  ["r 100 2 9 8 1 2 3 4", [], { mark: { low: 1, high: 2, issuedBeforeSec: 3, untilSec: 4 } }],
  [
    "p 100 2 9 8 node life a\nb",
    ["x"],
    { note: { node: "node", life: "life", channel: Buffer.from("a\nb") } },
  ],
])("%j", (head, more, expected) => {
  expect(entry(head, ...more)).toMatchObject({ place, ...expected });
});

test("numbers of any length are what they are", () => {
  for (const value of [0, 9, 10, 999_999_999, 1_000_000_000, 61_697_132_336_129, Number.MAX_SAFE_INTEGER])
    expect(entry(`g ${value} 0${value} 00 ${value} node`)).toMatchObject({
      place: { sec: value, tag: value, total: 0, top: value },
    });
  expect(entry(`g ${Number.MAX_SAFE_INTEGER + 1} 1 1 1 node`)).toBeNull();
});

// --- where they lie ----------------------------------------------------------------------------------------

/** What is read of it; each message as its channel and data. */
function all(entries: Entries): string[] {
  const found: string[] = [];
  while (entries.next())
    found.push(
      readMessage(0, entries.pieces, into)
        ? `${into.term}-${into.n} ${Buffer.from(into.channel)}: ${Buffer.from(into.data)}`
        : entries.pieces.id,
    );
  return found;
}

const logged = (n: number, channel: string, data: string): RawEntry => [
  Buffer.from(`7-${n}`),
  [Buffer.from(`m 100 2 9 8 5 4 6 s node 11\n${channel}`), Buffer.from(data)],
];

test("a reply's entries, one after the other, also behind another reply", () => {
  const raw = [
    logged(1, "a", "one"),
    logged(2, "longer", ""),
    // Of the same length as before: what is read of one is not what was read of another.
    logged(3, "b", "two"),
    [Buffer.from("7-4"), [Buffer.from("h 1 1 1 1 node")]] as const,
    logged(5, "c".repeat(300), "d".repeat(3000)),
  ];
  const expected = ["7-1 a: one", "7-2 longer: ", "7-3 b: two", "7-4"];
  const last = `7-5 ${"c".repeat(300)}: ${"d".repeat(3000)}`;
  expect(all(entriesOf(raw))).toEqual([...expected, last]);
  const behind = Buffer.concat([Buffer.from("+OK\r\n"), replyOf(raw)]);
  expect(all(new Entries(behind, 5))).toEqual([...expected, last]);
  expect(entriesOf(raw).count).toBe(5);
});

test("nothing came, or somebody wrote an entry with more fields than one of ours ever has", () => {
  expect(new Entries(Buffer.from("*-1\r\n"), 0).count).toBe(0);
  expect(entriesOf([]).next()).toBe(false);
  const many = Array.from({ length: 100 }, (_, at) => Buffer.from(`field ${at}`));
  expect(all(entriesOf([[Buffer.from("7-1"), many], logged(2, "a", "x")]))).toEqual(["7-1", "7-2 a: x"]);
});

test.each([
  ["a number", ":1\r\n"],
  ["a string", "$1\r\na\r\n"],
  ["a list of strings", "*1\r\n$1\r\na\r\n"],
  ["a stream of three parts", "*1\r\n*3\r\n$1\r\na\r\n*0\r\n*0\r\n"],
  ["an entry of one part", "*1\r\n*2\r\n$1\r\na\r\n*1\r\n*1\r\n$3\r\n1-1\r\n"],
  ["an id that is null", "*1\r\n*2\r\n$1\r\na\r\n*1\r\n*2\r\n$-1\r\n*0\r\n"],
  ["a field that is a list", "*1\r\n*2\r\n$1\r\na\r\n*1\r\n*2\r\n$3\r\n1-1\r\n*1\r\n*0\r\n"],
])("%s instead of entries is refused", (_name, reply) => {
  expect(() => all(new Entries(Buffer.from(reply), 0))).toThrow("no list of entries");
});
