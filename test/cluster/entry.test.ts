/** Entries of the engine's log, word by word. */
import { expect, test } from "bun:test";
import { readEntry } from "../../src/cluster/entry.ts";

const entry = (head: string, ...more: string[]) =>
  readEntry(3, [Buffer.from("7-42"), [head, ...more].map((text) => Buffer.from(text, "latin1"))]);
const message = (flags: string, ...more: string[]) =>
  entry(`m 100 2 9 8 5 4 6 ${flags} node 11\nchannel`, "data", ...more);
const place = { shard: 3, term: 7, n: 42, sec: 100, tag: 2, total: 9, top: 8 };
const TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

const plain = {
  ...place,
  channel: Buffer.from("channel"),
  data: Buffer.from("data"),
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
  expect(message(flags, ...more)).toEqual({ kind: "message", place, message: { ...plain, ...expected } });
});

test("a message in a trace", () => {
  const read = message(`s^${TRACE.toUpperCase()}u`);
  expect(read).toMatchObject({ message: { isStored: true, marks: { isUntold: true } } });
  expect(read?.kind === "message" && read.message.marks?.trace).not.toBeNull();
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
