// The engine's protocol, in bytes: https://redis.io/docs/latest/develop/reference/protocol-spec/
import { expect, test } from "bun:test";
import {
  asBuffers,
  asNumbers,
  asText,
  beginCommand,
  pushJoined,
  pushWord,
  ReplyGatherer,
  refusalAt,
} from "../../src/cluster/resp.ts";
import { ByteWriter } from "../../src/wire/byte-writer.ts";
import { randomFraction } from "../random.ts";

/** What is read of bytes that come in pieces of such lengths. */
function readIn(bytes: Buffer, piece: () => number): unknown[] {
  const gatherer = new ReplyGatherer();
  const values: unknown[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = Math.min(bytes.length, at + Math.max(1, piece()));
    // A socket's bytes are its own.
    gatherer.push(Buffer.from(bytes.subarray(at, end)));
    at = end;
    for (let from = gatherer.next(); from >= 0; from = gatherer.next())
      values.push(refusalAt(gatherer.bytes, from) ?? asBuffers(gatherer.bytes, from));
  }
  return values.map(plain);
}

const plain = (value: unknown): unknown => {
  if (value instanceof Buffer) return value.toString("latin1");
  if (value instanceof Error) return `refused: ${value.message}`;
  return Array.isArray(value) ? value.map(plain) : value;
};

const REPLIES: readonly (readonly [bytes: string, value: unknown])[] = [
  ["+OK\r\n", "OK"],
  ["-OOM command not allowed\r\n", "refused: OOM command not allowed"],
  [":-12\r\n", -12],
  ["$0\r\n\r\n", ""],
  ["$-1\r\n", null],
  ["*-1\r\n", null],
  ["*0\r\n", []],
  ["$6\r\na\r\nb\r\xff\r\n", "a\r\nb\r\xff"],
  ["*3\r\n$1\r\n7\r\n*2\r\n:1\r\n$-1\r\n*1\r\n-ERR x\r\n", ["7", [1, null], ["refused: ERR x"]]],
];

test("replies are what the protocol says", () => {
  for (const [bytes, value] of REPLIES)
    expect(readIn(Buffer.from(bytes, "latin1"), () => 1e6)).toEqual([value]);
});

test("replies that come in pieces of any length are the same replies", () => {
  const random = randomFraction(20261129);
  for (let round = 0; round < 300; round++) {
    const some = Array.from({ length: 30 }, () => REPLIES[Math.floor(random() * REPLIES.length)] ?? ["", ""]);
    // One that is longer than what is read at once.
    const long = "x".repeat(Math.floor(random() * 300_000));
    some.splice(Math.floor(random() * 30), 0, [`$${long.length}\r\n${long}\r\n`, long]);
    const bytes = Buffer.from(some.map(([text]) => text).join(""), "latin1");
    const most = 1 + Math.floor(random() * (round % 2 === 0 ? 9000 : 60_000));
    expect(readIn(bytes, () => Math.floor(random() * most))).toEqual(some.map(([, value]) => value));
  }
  for (const [bytes, value] of REPLIES)
    expect(readIn(Buffer.from(bytes, "latin1"), () => 1)).toEqual([value]);
});

test("what was read stays what it was, whatever comes behind it", () => {
  const gatherer = new ReplyGatherer();
  const kept: unknown[] = [];
  for (let at = 0; at < 2000; at++) {
    const bytes = Buffer.from(`$8\r\n${String(at).padStart(8)}\r\n$8`);
    gatherer.push(bytes.subarray(0, 5));
    gatherer.push(bytes.subarray(5, 14));
    const from = gatherer.next();
    kept.push(asBuffers(gatherer.bytes, from));
    expect(gatherer.next()).toBe(-1);
  }
  expect(kept.map((value) => Number(plain(value)))).toEqual(kept.map((_, at) => at));
});

test("bytes that were given back are written again, and nobody else's are", () => {
  const gatherer = new ReplyGatherer();
  const reply = (letter: string, more = ""): Buffer =>
    Buffer.from(`$100000\r\n${letter.repeat(1e5)}\r\n${more}`);
  const take = (bytes: Buffer): Buffer => {
    for (const piece of [bytes.subarray(0, 60_000), bytes.subarray(60_000)])
      gatherer.push(Buffer.from(piece));
    gatherer.next();
    return gatherer.bytes;
  };
  const first = take(reply("a"));
  const kept = take(reply("b"));
  expect(kept).not.toBe(first);
  gatherer.giveBack(kept);
  expect(take(reply("c"))).toBe(kept);
  // Not twice, and not what another reply lies in, or has begun in.
  expect(take(reply("d"))).not.toBe(kept);
  const half = take(reply("e", "$3"));
  gatherer.giveBack(half);
  gatherer.push(Buffer.from(`\r\nabc\r\n`));
  expect(asText(gatherer.bytes, gatherer.next())).toBe("abc");
  gatherer.giveBack(half);
  expect(take(reply("f"))).not.toBe(half);
});

test("numbers and text", () => {
  const list = Buffer.from(
    "*6\r\n$16\r\n1764393600000123\r\n$2\r\n-2\r\n:7\r\n$-1\r\n$2\r\n4x\r\n$0\r\n\r\n",
  );
  expect(asNumbers(list, 0)).toEqual([1764393600000123, -2, 7, Number.NaN, Number.NaN, Number.NaN]);
  expect(asNumbers(Buffer.from("+OK\r\n"), 0)).toEqual([]);
  expect(asText(Buffer.from("*2\r\n$2\r\nä\r\n+b\r\n"), 0)).toEqual(["ä", "b"]);
});

test("what is no reply ends it: other protocols, lengths and lines without end, deep lists", () => {
  for (const bytes of [
    "HTTP/1.1 400 Bad Request\r\n",
    "$x\r\n",
    "*99999999999\r\n",
    `+${"x".repeat(70_000)}`,
  ])
    expect(() => readIn(Buffer.from(bytes), () => 1e6)).toThrow("no RESP");
  expect(() => readIn(Buffer.from(`${"*1\r\n".repeat(5000)}+x\r\n`), () => 1e6)).toThrow("too deep");
});

test("commands are lists of strings of bytes", () => {
  const out = new ByteWriter();
  beginCommand(out, 4);
  for (const word of ["GET", "ä", Uint8Array.of(13, 10, 255)]) pushWord(out, word);
  pushJoined(out, Buffer.from("c:"), Uint8Array.of(200));
  expect(Buffer.from(out.view()).toString("latin1")).toBe(
    "*4\r\n$3\r\nGET\r\n$2\r\n\xc3\xa4\r\n$3\r\n\r\n\xff\r\n$3\r\nc:\xc8\r\n",
  );
});
