/**
 * Requests of one turn of the event loop as calls of the script: messages that follow each other share one,
 * because a call costs the engine and this node more than the message in it. For publisher.ts. What the words
 * mean stands in script.ts.
 */
import type { ByteWriter } from "../wire/byte-writer.ts";
import type { Answer, MessageCall, OtherCall, Request } from "./request.ts";
import { beginCommand, pushJoined, pushWord } from "./resp.ts";
import { CONFLICT, DUPLICATE, WORDS_A_MESSAGE } from "./script.ts";

/** The engine does nothing else meanwhile: some 1 ms. */
const MOST_MESSAGES = 64;
const MOST_BYTES = 256 * 1024;

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
  /** By its hash. */
  readonly script: string;
  /** What the key of a channel's counter begins with. */
  readonly counter: Uint8Array;
  /** Of the shard: meta, log, nodes. */
  readonly keys: readonly string[];
  /** What this node knows, for every call of a turn: ARGV from the second to the ninth. */
  readonly known: readonly string[];
  /** For messages: how long counters and idempotency keys are kept. */
  readonly kept: readonly string[];
}

/** One command: EVALSHA, the script, the number of keys, keys and arguments. */
export function writeCall(out: ByteWriter, requests: readonly Request[], context: Context): void {
  const [first] = requests;
  if (first === undefined) throw new Error("a call has a request");
  if (first.call.kind === "m") writeMessages(out, requests, context);
  else writeOther(out, first.number, first.call, context);
}

function writeOther(
  out: ByteWriter,
  number: number,
  { kind, counters, rest }: OtherCall,
  context: Context,
): void {
  const { keys, known } = context;
  begin(out, context, keys.length + counters.length, 1 + known.length + 1 + rest.length);
  for (const counter of counters) pushWord(out, counter);
  pushWord(out, kind);
  for (const word of known) pushWord(out, word);
  pushWord(out, String(number));
  for (const word of rest) pushWord(out, word);
}

function writeMessages(out: ByteWriter, requests: readonly Request[], context: Context): void {
  const { keys, known, kept, counter } = context;
  let keyed = 0;
  for (const { call } of requests) if (call.kind === "m" && call.keyed !== null) keyed++;
  const words = 1 + known.length + kept.length + requests.length * WORDS_A_MESSAGE;
  begin(out, context, keys.length + requests.length + keyed, words);
  for (const { call } of requests) if (call.kind === "m") pushJoined(out, counter, call.name);
  if (keyed > 0)
    for (const { call } of requests)
      if (call.kind === "m" && call.keyed !== null) pushWord(out, call.keyed.key);
  pushWord(out, "m");
  for (const word of known) pushWord(out, word);
  for (const word of kept) pushWord(out, word);
  for (const { call, number } of requests) if (call.kind === "m") pushMessage(out, call, number);
}

function begin(out: ByteWriter, { script, keys }: Context, keyCount: number, words: number): void {
  beginCommand(out, 3 + keyCount + words);
  pushWord(out, "EVALSHA");
  pushWord(out, script);
  pushWord(out, String(keyCount));
  for (const key of keys) pushWord(out, key);
}

function pushMessage(out: ByteWriter, call: MessageCall, number: number): void {
  const { name, flags, data, eventId, eventType, keyed } = call;
  pushWord(out, name);
  pushWord(out, flags);
  pushWord(out, data);
  pushWord(out, eventId ?? "");
  pushWord(out, eventType ?? "");
  pushWord(out, String(number));
  pushWord(out, keyed?.body ?? "");
}

const UNREADABLE: Answer = { kind: "unknown" };
const TAKEN_BY_ANOTHER: Answer = { kind: "conflict" };

/** What the engine's reply says to the request at `place` of a call. */
export function answerAt(reply: readonly number[], place: number): Answer {
  const [term = Number.NaN, n = Number.NaN] = reply;
  if (!(term >= 0 && n >= 0)) return UNREADABLE;
  const position = reply.length > 2 ? (reply[2 + place * 2] ?? Number.NaN) : 0;
  const count = reply.length > 2 ? (reply[3 + place * 2] ?? Number.NaN) : 0;
  if (count === CONFLICT) return TAKEN_BY_ANOTHER;
  return { kind: "accepted", term, n, position, isDuplicate: count === DUPLICATE };
}
