/**
 * Requests of one turn of the event loop as calls of the script: messages that follow each other share one,
 * because a call costs the engine and this node more than the message in it. For publisher.ts. What the words
 * mean stands in script.ts.
 */
import type { Answer, MessageCall, Request } from "./request.ts";
import { CONFLICT, DUPLICATE } from "./script.ts";

/** The engine does nothing else meanwhile: some 1 ms. */
const MOST_MESSAGES = 64;
const MOST_BYTES = 256 * 1024;
const NOTHING = Buffer.alloc(0);

type Word = string | Buffer;

/** In their order. */
export function callsOf(requests: readonly Request[]): Request[][] {
  const calls: Request[][] = [];
  let open: Request[] = [];
  let bytes = 0;
  for (const request of requests) {
    const joins = request.call.kind === "m" && open[0]?.call.kind === "m";
    if (!joins || open.length === MOST_MESSAGES || bytes + request.bytes > MOST_BYTES) {
      open = [];
      bytes = 0;
      calls.push(open);
    }
    open.push(request);
    bytes += request.bytes;
  }
  return calls;
}

export interface Context {
  /** Of the shard: meta, log, nodes. */
  readonly keys: readonly string[];
  /** What this node knows, for every call of a turn: ARGV from the second to the ninth. */
  readonly known: readonly string[];
  /** For messages: how long counters and idempotency keys are kept. */
  readonly kept: readonly string[];
}

/** Number of keys, keys and arguments, as EVALSHA wants them. */
export function wordsOf(requests: readonly Request[], { keys, known, kept }: Context): Word[] {
  const [first] = requests;
  if (first === undefined) throw new Error("a call has a request");
  if (first.call.kind === "m") return messageWords(requests, { keys, known, kept });
  const { kind, counters, rest } = first.call;
  const parts = rest.map((part) => (typeof part === "string" ? part : bufferOf(part)));
  const count = String(keys.length + counters.length);
  return [count, ...keys, ...counters, kind, ...known, String(first.number), ...parts];
}

function messageWords(requests: readonly Request[], { keys, known, kept }: Context): Word[] {
  const words: Word[] = ["", ...keys];
  for (const { call } of requests) if (call.kind === "m") words.push(call.counter);
  for (const { call } of requests) if (call.kind === "m" && call.keyed !== null) words.push(call.keyed.key);
  words[0] = String(words.length - 1);
  words.push("m", ...known, ...kept);
  for (const { call, number } of requests) if (call.kind === "m") pushMessage(words, call, number);
  return words;
}

function pushMessage(words: Word[], call: MessageCall, number: number): void {
  const { name, flags, data, eventId, eventType, keyed } = call;
  words.push(bufferOf(name), flags, bufferOf(data));
  words.push(
    eventId === null ? NOTHING : bufferOf(eventId),
    eventType === null ? NOTHING : bufferOf(eventType),
  );
  words.push(String(number), keyed?.body ?? "");
}

const bufferOf = (bytes: Uint8Array): Buffer =>
  bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);

const UNREADABLE: Answer = { kind: "unknown" };
const TAKEN_BY_ANOTHER: Answer = { kind: "conflict" };

/** What the engine's reply says to the request at `place` of a call. */
export function answerAt(reply: unknown, place: number): Answer {
  if (!Array.isArray(reply)) return UNREADABLE;
  const term = numberOf(reply[0]);
  const n = numberOf(reply[1]);
  if (!(term >= 0 && n >= 0)) return UNREADABLE;
  const position = reply.length > 2 ? numberOf(reply[2 + place * 2]) : 0;
  const count = reply.length > 2 ? numberOf(reply[3 + place * 2]) : 0;
  if (count === CONFLICT) return TAKEN_BY_ANOTHER;
  return { kind: "accepted", term, n, position, isDuplicate: count === DUPLICATE };
}

const [ZERO, MINUS] = [0x30, 0x2d];

/** From its digits, without a string in between; NaN: it is none. */
function numberOf(word: unknown): number {
  if (!(word instanceof Buffer) || word.length === 0) return Number.NaN;
  const isNegative = word[0] === MINUS;
  let value = 0;
  for (let at = isNegative ? 1 : 0; at < word.length; at++) {
    const digit = (word[at] ?? 0) - ZERO;
    if (digit < 0 || digit > 9) return Number.NaN;
    value = value * 10 + digit;
  }
  return isNegative ? -value : value;
}
