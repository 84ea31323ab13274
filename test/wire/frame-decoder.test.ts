/**
 * Frames of clients as literal bytes (RFC 6455 5): what is heard of them, whole, cut at every byte, and byte
 * by byte. In the table the mask is 00000000 unless it matters; `w` writes what would be long.
 */
import { expect, test } from "bun:test";
import { DEAF, FrameDecoder, type HeldFrames, isUnfinished } from "../../src/wire/frame-decoder.ts";
import { Heard } from "./heard-frames.ts";

const MAX_MESSAGE = 70_000;
const decoder = new FrameDecoder(MAX_MESSAGE);
const bytes = (hex: string): Buffer => Buffer.from(hex.replaceAll(" ", ""), "hex");
const w = (length: number): string => "77".repeat(length);
const W = (length: number): string => "w".repeat(length);

/** What is heard of bytes in these pieces. */
function heardOf(pieces: readonly Buffer[]): { said: string[]; held: HeldFrames } {
  const heard = new Heard();
  let held: HeldFrames = null;
  // Copies: frames are unmasked where they are.
  for (const piece of pieces) held = decoder.take(held, Buffer.from(piece), heard);
  return { said: heard.said, held };
}

const GOOD: readonly (readonly [string, string, readonly string[]])[] = [
  ["the RFC's masked Hello (5.7)", "8185 37fa213d 7f9f4d5158", ["text Hello"]],
  ["an empty text", "8180 00000000", ["text "]],
  ["binary", "8283 01020304 010203", ["binary 000000"]],
  ["text of 125 bytes", `81fd 00000000 ${w(125)}`, [`text ${W(125)}`]],
  ["text of 126 bytes", `81fe 007e 00000000 ${w(126)}`, [`text ${W(126)}`]],
  ["text of 300 bytes, masked", `81fe 012c 77777777 ${w(300)}`, [`text ${"\0".repeat(300)}`]],
  ["two messages", "8181 00000000 61 8181 00000000 62", ["text a", "text b"]],
  ["two fragments (5.4)", "0181 00000000 61 8081 00000000 62", ["text ab"]],
  [
    "fragments with masks of their own",
    "0183 01020304 606061 0082 05060708 6163 8082 09000000 6f67",
    ["text abbdefg"],
  ],
  ["empty fragments", "0280 00000000 0080 00000000 8080 00000000", ["binary "]],
  [
    "a ping and a pong between fragments",
    "0181 00000000 61 8981 00000000 70 8a80 00000000 8081 00000000 62",
    ["ping p", "pong ", "text ab"],
  ],
  ["a ping of 125 bytes", `89fd 00000000 ${w(125)}`, [`ping ${W(125)}`]],
  ["a character over two fragments", "0181 00000000 c3 8081 00000000 bc", ["text ü"]],
  [
    "a character over four",
    "0181 00000000 f0 0081 00000000 9f 0081 00000000 8e 8081 00000000 89",
    ["text 🎉"],
  ],
  ["a byte order mark", "8184 00000000 efbbbf61", ["text \ufeffa"]],
  ["a close without a code", "8880 00000000 8181 00000000 61", ["close 1005 "]],
  ["a close, and nothing behind it", "8885 00000000 03e8 627965 8181 00000000 61", ["close 1000 bye"]],
  ["a close in the middle of a message", "0181 00000000 61 8882 00000000 03e9", ["close 1001 "]],
  ["the longest reason", `88fd 00000000 0fa0 ${w(123)}`, [`close 4000 ${W(123)}`]],
];

const BAD: readonly (readonly [string, string, number])[] = [
  ["no mask (5.1)", "8101 61", 1002],
  ["no mask on a ping", "8900", 1002],
  ["the first reserved bit (5.2)", "c181 00000000 61", 1002],
  ["the second reserved bit", "a181 00000000 61", 1002],
  ["the third reserved bit", "9181 00000000 61", 1002],
  ["the first reserved bit on a continuation", "0181 00000000 61 c080 00000000", 1002],
  ...[3, 4, 5, 6, 7, 0xb, 0xc, 0xd, 0xe, 0xf].map(
    (opcode) => [`opcode ${opcode}`, `8${opcode.toString(16)}80 00000000`, 1002] as const,
  ),
  ["a fragmented ping (5.5)", "0980 00000000", 1002],
  ["a fragmented close", "0880 00000000", 1002],
  ["a ping of 126 bytes", `89fe 007e 00000000 ${w(126)}`, 1002],
  ["a ping with 8 bytes of length", "89ff 0000000000000001 00000000 61", 1002],
  ["a continuation of nothing (5.4)", "8081 00000000 61", 1002],
  ["a continuation behind a whole message", "8181 00000000 61 8081 00000000 61", 1002],
  ["a text within a message", "0181 00000000 61 8181 00000000 61", 1002],
  ["a binary within a text", "0181 00000000 61 0281 00000000 61", 1002],
  ["125 in two bytes (5.2)", `81fe 007d 00000000 ${w(125)}`, 1002],
  ["65,535 in eight bytes", "81ff 000000000000ffff 00000000", 1002],
  ["a length with its first bit set", "82ff 8000000000000000 00000000", 1009],
  ["more than a message may have", "82ff 0000000000011171 00000000", 1009],
  ["2^63 - 1 bytes", "82ff 7fffffffffffffff 00000000", 1009],
  ["more in fragments", `02fe fffe 00000000 ${w(65_534)} 80fe 1173 00000000`, 1009],
  ["a lone continuation byte (8.1)", "8181 00000000 80", 1007],
  ["text cut in a character", "8182 00000000 61c3", 1007],
  ["text cut in a character of a fragment", "0181 00000000 61 8081 00000000 c3", 1007],
  ["a text that is already wrong in its first fragment", "0182 00000000 c328", 1007],
  ["an overlong slash", "8182 00000000 c0af", 1007],
  ["a surrogate", "8183 00000000 eda080", 1007],
  ["half of a surrogate, which nothing can complete", "0182 00000000 eda0", 1007],
  ["beyond U+10FFFF", "8184 00000000 f4908080", 1007],
  ["a close of one byte (5.5.1)", "8881 00000000 03", 1002],
  ...[0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535].map(
    (code) => [`close code ${code}`, `8882 00000000 ${code.toString(16).padStart(4, "0")}`, 1002] as const,
  ),
  ["a reason that is no text", "8883 00000000 03e8 ff", 1007],
];

/** Every way to cut them in two, and all single bytes; of long ones only the beginning and the end. */
function cuts(whole: Buffer): Buffer[][] {
  const ways = [[whole], [...whole].map((byte) => Buffer.from([byte]))];
  for (let at = 1; at < whole.length; at++) {
    if (at < 200 || at > whole.length - 200) ways.push([whole.subarray(0, at), whole.subarray(at)]);
  }
  return ways;
}

test.each(GOOD)("%s is heard, however it is cut", (_, hex, said) => {
  for (const pieces of cuts(bytes(hex))) {
    const heard = heardOf(pieces);
    expect(heard.said).toEqual([...said]);
    expect(heard.held).toBe(said.some((each) => each.startsWith("close")) ? DEAF : null);
    expect(isUnfinished(heard.held)).toBe(false);
  }
});

test.each(BAD)("%s is a fault, and what came before it is heard", (_, hex, code) => {
  const before = bytes("8181 00000000 62 8981 00000000 70");
  const after = bytes("8181 00000000 63");
  for (const pieces of cuts(Buffer.concat([before, bytes(hex), after]))) {
    const { said, held } = heardOf(pieces);
    expect(said.slice(0, 2)).toEqual(["text b", "ping p"]);
    expect(said.filter((each) => each.startsWith("fault"))).toEqual([said.at(-1) ?? ""]);
    expect(said.at(-1)).toStartWith(`fault ${code} `);
    expect(held).toBe(DEAF);
  }
});

test.each([1000, 1001, 1003, 1007, 1011, 1012, 1013, 1014, 3000, 4999])(
  "close code %i may be said",
  (code) => {
    const frame = bytes(`8882 00000000 ${code.toString(16).padStart(4, "0")}`);
    expect(heardOf([frame]).said).toEqual([`close ${code} `]);
  },
);

test.each([
  ["nothing", "", false],
  ["a byte", "81", true],
  ["a head", "8181 00000000", true],
  ["a frame", "8181 00000000 61", false],
  ["a fragment", "0181 00000000 61", true],
  ["a fragment and a ping", "0181 00000000 61 8980 00000000", true],
  ["an empty fragment", "0180 00000000", true],
  ["a frame and a byte", "8181 00000000 61 81", true],
  ["both fragments", "0181 00000000 61 8081 00000000 61", false],
])("unfinished after %s", (_, hex, expected) => {
  const whole = bytes(hex);
  for (const pieces of [[whole], [...whole].map((byte) => Buffer.from([byte]))])
    expect(isUnfinished(heardOf(pieces).held)).toBe(expected);
});

test.each([
  ["a message", "c183 00000000 ca4804", ["compressed 1 ca4804"]],
  ["bytes that are no UTF-8, cut anywhere", "c282 00000000 ffff", ["compressed 2 ffff"]],
  ["fragments", "4181 00000000 ca 8982 00000000 7070 8082 00000000 4804", ["ping pp", "compressed 1 ca4804"]],
  ["a plain one behind it", "c181 00000000 02 8181 00000000 61", ["compressed 1 02", "text a"]],
  ["a continuation", "0181 00000000 61 c081 00000000 62", ["fault 1002 reserved bits are set"]],
  ["a ping", "c980 00000000", ["fault 1002 reserved bits are set"]],
  ["another bit", "e180 00000000", ["fault 1002 reserved bits are set"]],
] as const)("compressed, where that was agreed on: %s", (_, hex, said) => {
  const whole = bytes(hex);
  for (const pieces of [[whole], [...whole].map((byte) => Buffer.from([byte]))]) {
    const heard = new Heard();
    heard.takesCompressed = true;
    let held: HeldFrames = null;
    for (const piece of pieces) held = decoder.take(held, Buffer.from(piece), heard);
    expect(heard.said).toEqual([...said]);
  }
  expect(heardOf([bytes("c183 00000000 ca4804")]).said).toEqual(["fault 1002 reserved bits are set"]);
});

test("text that cannot become UTF-8 any more is refused before its frame is whole", () => {
  const heard = new Heard();
  expect(decoder.take(null, bytes("81fe 1000 00000000 61c0"), heard)).toBe(DEAF);
  expect(heard.said).toEqual(["fault 1007 text is not UTF-8"]);
});

test("a frame that announces much and brings little holds little", () => {
  const large = new FrameDecoder(2 ** 30);
  const before = process.memoryUsage().arrayBuffers;
  const held: HeldFrames[] = [];
  for (let i = 0; i < 100; i++)
    held.push(large.take(null, bytes("82ff 0000000020000000 00000000 77777777"), new Heard()));
  expect(held.every(isUnfinished)).toBe(true);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1_000_000);
});

test("100,000 bytes that come one by one are gathered in twice their room at most", () => {
  const large = new FrameDecoder(2 ** 30);
  const heard = new Heard();
  let held = large.take(null, bytes("02ff 00000000000186a0 00000000"), heard);
  for (let i = 0; i < 100_000; i++) held = large.take(held, Buffer.from("w"), heard);
  expect(isUnfinished(held)).toBe(true);
  expect(large.take(held, bytes("8080 00000000"), heard)).toBeNull();
  expect(heard.said).toEqual([`binary ${w(100_000)}`]);
  expect(heard.largestBuffer).toBeLessThanOrEqual(200_000);
});

test("a sink that has enough for now is told the rest later, without a frame lost or told twice", () => {
  const heard = new Heard();
  const texts = Array.from({ length: 1000 }, (_, i) => String.fromCharCode(0x61 + (i % 26)));
  let rest: Buffer | null = bytes(
    texts.map((text) => `8181 00000000 ${Buffer.from(text).toString("hex")}`).join(""),
  );
  let turns = 0;
  let held: HeldFrames = null;
  for (; rest !== null; turns++) {
    heard.patience = 2;
    held = decoder.take(held, rest, heard);
    rest = decoder.rest;
  }
  expect(heard.said).toEqual(texts.map((text) => `text ${text}`));
  expect(turns).toBeGreaterThan(20);
  expect(held).toBeNull();
});
