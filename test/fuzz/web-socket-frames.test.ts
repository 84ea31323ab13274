/**
 * Random frames of a client, good and bad, in random pieces: our decoder hears what the `ws` package's does,
 * and stops at the same frame with the same code. `FUZZ_SEED=123 bun test
 * test/fuzz/web-socket-frames.test.ts` runs one again.
 */
import { expect, test } from "bun:test";
import { FrameDecoder, type HeldFrames } from "../../src/wire/frame-decoder.ts";
import { type Random, seededRandom } from "../random.ts";
import { Heard } from "../wire/heard-frames.ts";
import { wsHeard } from "./ws-receiver.ts";

const ROUNDS = Number(process.env["FUZZ_RUNS"] ?? 3000);
const MAX_MESSAGE = 3000;
const TEXTS = ["a", "ü", "€", "🎉", "\ufeff", "\u0000", "hello ", "x".repeat(150)] as const;
const BROKEN = ["ff", "c3", "eda080", "c0af", "f490"] as const;
const CODES = [1000, 1001, 1003, 1004, 1005, 1007, 1011, 1014, 1015, 2999, 3000, 4999, 5000] as const;

/** One in so many. */
const once = (random: Random, inSoMany: number): boolean => random.below(inSoMany) === 0;

function payload(random: Random, opcode: number): Buffer {
  const parts: Uint8Array[] = [];
  if (opcode === 8) {
    if (once(random, 4)) return Buffer.alloc(0);
    const code = random.pick(CODES);
    parts.push(Uint8Array.of(code >> 8, code & 0xff));
  }
  parts.push(Buffer.from(random.text(TEXTS, opcode >= 8 ? 3 : 12)));
  if (once(random, 25)) parts.push(Buffer.from(random.pick(BROKEN), "hex"));
  if (once(random, 30)) parts.push(new Uint8Array(random.below(MAX_MESSAGE + 200)));
  return Buffer.concat(parts);
}

function frame(random: Random, first: number, data: Buffer): Buffer {
  const isMasked = !once(random, 150);
  const head = [first];
  const bit = isMasked ? 0x80 : 0;
  if (data.length <= 125) head.push(bit | data.length);
  else head.push(bit | 126, data.length >> 8, data.length & 0xff);
  if (!isMasked) return Buffer.concat([Buffer.from(head), data]);
  const mask = Uint8Array.from({ length: 4 }, () => random.below(256));
  return Buffer.concat([Buffer.from(head), mask, data.map((byte, i) => byte ^ (mask[i % 4] ?? 0))]);
}

/** Mostly what a client may send: fragments that follow each other, and control frames among them. */
function session(random: Random): Buffer {
  const frames: Buffer[] = [];
  let isFragmented = false;
  for (let count = random.below(12); count >= 0; count--) {
    const isControl = once(random, 4);
    const wanted = isControl ? random.pick([9, 10, 9, 10, 8]) : isFragmented ? 0 : random.pick([1, 2]);
    const opcode = once(random, 100) ? random.below(16) : wanted;
    const isFinal = isControl || !once(random, 3);
    if (!isControl) isFragmented = !isFinal;
    const reserved = once(random, 200) ? random.pick([0x40, 0x20, 0x10]) : 0;
    frames.push(frame(random, (isFinal ? 0x80 : 0) | reserved | opcode, payload(random, opcode)));
  }
  return Buffer.concat(frames);
}

function heardInPieces(random: Random, bytes: Buffer, largest: number): string[] {
  const decoder = new FrameDecoder(MAX_MESSAGE);
  const heard = new Heard();
  let held: HeldFrames = null;
  for (let at = 0; at < bytes.length; ) {
    const end = Math.min(bytes.length, at + 1 + random.below(largest));
    for (let piece: Buffer | null = Buffer.from(bytes.subarray(at, end)); piece !== null; ) {
      // As a turn that is over.
      heard.patience = random.below(3);
      held = decoder.take(held, piece, heard);
      piece = decoder.rest;
    }
    at = end;
  }
  return heard.said;
}

/** Faults by their code alone. */
const codesOnly = (said: readonly string[]): string[] =>
  said.map((each) => each.replace(/^(fault \d+) .*/, "$1"));

test("any session is heard as the ws package hears it", async () => {
  const random = seededRandom("web-socket-frames");
  let faults = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const bytes = session(random);
    const ours = codesOnly(heardInPieces(random, bytes, random.pick([1, 7, 100, 5000])));
    const theirs = await wsHeard(Buffer.from(bytes), MAX_MESSAGE);
    if (ours.at(-1)?.startsWith("fault") === true) faults++;
    // A text that is wrong is found as soon as it is; they look when the message is whole.
    if (ours.at(-1) === "fault 1007") expect(theirs.slice(0, ours.length - 1)).toEqual(ours.slice(0, -1));
    else expect(ours, `round ${round}`).toEqual(theirs);
  }
  // The sessions are of both kinds.
  expect(faults).toBeGreaterThan(ROUNDS / 20);
  expect(faults).toBeLessThan(ROUNDS / 1.3);
});
