/**
 * One entry of the log as it comes from the engine: an id `term-n`, and one field, or two. The name of the
 * first is what script.ts writes: words with spaces between, and behind a line end the channel, whose bytes
 * are anything; its value is the data. (Names of their own for both would be two more pieces an entry for the
 * engine and every node to cut.) Read by log-applier.ts, hundred thousands a second when a node starts, so
 * numbers are read from the bytes, without a string in between. What cannot be read is null: another version
 * wrote it, or somebody else.
 *
 *   m sec tag total top position base published flags who request LF channel
 *     data; and where there is one, event id and event type
 *     flags: s stored, i event id, t event type, e event, u no webhook is told; ^ and its `traceparent` in
 *     capitals; ~ and hexadecimal digits: who published it. Others are passed over, so nodes of the version
 *     before read what a new one wrote.
 *   d sec tag total top who request LF channel                                   text
 *   i sec tag total top previous fork base forkSec forkTag epoch
 *   h sec tag total top node                                                     what it says
 *   g sec tag total top node
 *   r sec tag total top low high issuedBefore until
 *   p sec tag total top node life LF channel                                     what it says (notes.ts)
 */

import { TRACEPARENT_BYTES, traceOf } from "../http/traceparent.ts";
import { MOST_BY_BYTES } from "../message.ts";
import type { Fork, LogMessage, LogPlace, RevokedMark } from "../store/replica/replica-store.ts";
import type { Note } from "./notes.ts";

export type Entry =
  | { readonly kind: "message"; readonly place: LogPlace; readonly message: LogMessage }
  | {
      readonly kind: "deletion";
      readonly place: LogPlace;
      readonly channel: Uint8Array;
      readonly text: Uint8Array;
    }
  | {
      readonly kind: "incarnation";
      readonly place: LogPlace;
      readonly fork: Fork;
      readonly base: number;
      readonly epoch: number;
    }
  | { readonly kind: "heartbeat"; readonly place: LogPlace; readonly who: string; readonly said: Uint8Array }
  | { readonly kind: "revocation"; readonly place: LogPlace; readonly mark: RevokedMark }
  | { readonly kind: "note"; readonly place: LogPlace; readonly note: Note }
  | { readonly kind: "gone"; readonly place: LogPlace; readonly node: string };

export type RawEntry = readonly [id: Buffer, fields: readonly Buffer[]];

/** Who put a message or deletion there, and in which of its requests. */
export interface Authorship {
  readonly who: string;
  readonly request: number;
  readonly term: number;
  readonly n: number;
  /** Of a message. */
  readonly position: number;
}

/** Places in an entry's list of fields and values. */
const HEAD = 0;
const DATA = 1;
const ID = 2;
const TYPE = 3;

const NOTHING = new Uint8Array(0);
const SPACE = 0x20;
const DASH = 0x2d;
const ZERO = 0x30;
const LINE_END = 0x0a;
const INCARNATION = 0x69;
const DELETION = 0x64;
const GONE = 0x67;
const HEARTBEAT = 0x68;
const REVOCATION = 0x72;
const MESSAGE = 0x6d;
const NOTE = 0x70;
const STORED = 0x73;
const EVENT_ID = 0x69;
const EVENT_TYPE = 0x74;
const UNTOLD = 0x75;
const BY = 0x7e;
const TRACE = 0x5e;

/** Where the words below read on; one entry is read at a time. */
let bytes: Uint8Array = NOTHING;
let at = 0;
let isFaulty = false;

/** Digits up to anything else, which is passed over. */
function number(): number {
  let value = 0;
  const start = at;
  for (; at < bytes.length; at++) {
    const digit = (bytes[at] ?? 0) - ZERO;
    if (digit < 0 || digit > 9) break;
    value = value * 10 + digit;
  }
  if (at === start || value > Number.MAX_SAFE_INTEGER) isFaulty = true;
  at++;
  return value;
}

/** The end of the word that begins here. */
function wordEnd(): number {
  let end = at;
  while (end < bytes.length && bytes[end] !== SPACE && bytes[end] !== LINE_END) end++;
  return end;
}

function word(): string {
  const end = wordEnd();
  const text = latin1(bytes, at, end);
  at = end + 1;
  return text;
}

const latin1 = (of: Uint8Array, from: number, to: number): string =>
  Buffer.from(of.buffer, of.byteOffset + from, to - from).toString("latin1");

function begin(of: Uint8Array, from: number): void {
  bytes = of;
  at = from;
  isFaulty = false;
}

/** Of an id: `term-n`. */
export function readId(id: Buffer): { term: number; n: number } {
  begin(id, 0);
  const term = number();
  if (id[at - 1] !== DASH) isFaulty = true;
  return { term, n: number() };
}

/**
 * Where an entry stands that cannot be read, and whether it is a message's; null: nothing of it can be read.
 */
export function readPlace([id, fields]: RawEntry): { term: number; n: number; isMessage: boolean } | null {
  const { term, n } = readId(id);
  return isFaulty ? null : { term, n, isMessage: fields[HEAD]?.[0] === MESSAGE };
}

export function readEntry(shard: number, [id, fields]: RawEntry): Entry | null {
  const { term, n } = readId(id);
  const head = fields[HEAD];
  if (head === undefined || isFaulty || head[1] !== SPACE) return null;
  begin(head, 2);
  const place: LogPlace = { shard, term, n, sec: number(), tag: number(), total: number(), top: number() };
  const entry = readRest(head, place, fields);
  return isFaulty ? null : entry;
}

function readRest(head: Uint8Array, place: LogPlace, fields: readonly Buffer[]): Entry | null {
  switch (head[0]) {
    case MESSAGE:
      return { kind: "message", place, message: readMessage(head, place, fields) };
    case DELETION:
      return { kind: "deletion", place, channel: channelOf(head), text: fields[DATA] ?? NOTHING };
    case INCARNATION: {
      const [previous, n, base] = [number(), number(), number()];
      const fork = { term: previous, n, sec: number(), tag: number() };
      return { kind: "incarnation", place, fork, base, epoch: number() };
    }
    case HEARTBEAT:
      return { kind: "heartbeat", place, who: word(), said: fields[DATA] ?? NOTHING };
    case REVOCATION: {
      const [low, high, issuedBeforeSec, untilSec] = [number(), number(), number(), number()];
      return { kind: "revocation", place, mark: { low, high, issuedBeforeSec, untilSec } };
    }
    case NOTE: {
      const [node, life] = [word(), word()];
      return {
        kind: "note",
        place,
        note: { node, life, channel: head.subarray(at), said: fields[DATA] ?? NOTHING, place },
      };
    }
    case GONE:
      return { kind: "gone", place, node: word() };
    default:
      return null;
  }
}

function readMessage(head: Uint8Array, place: LogPlace, fields: readonly Buffer[]): LogMessage {
  const { shard, term, n, sec, tag, total, top } = place;
  const position = number();
  const base = number();
  const published = number();
  let isStored = false;
  let hasId = false;
  let hasType = false;
  let isUntold = false;
  let by = NOTHING;
  let trace: Uint8Array | null = null;
  for (const end = wordEnd(); at < end; at++) {
    if (head[at] === UNTOLD) isUntold = true;
    if (head[at] === TRACE) {
      trace = traceOf(latin1(head, at + 1, Math.min(end, at + 1 + TRACEPARENT_BYTES)).toLowerCase());
      at = Math.min(end - 1, at + TRACEPARENT_BYTES);
      continue;
    }
    // Behind it nothing but hexadecimal digits.
    if (head[at] === BY) by = Buffer.from(latin1(head, at + 1, end), "hex");
    if (head[at] === BY) at = end - 1;
    if (head[at] === STORED) isStored = true;
    if (head[at] === EVENT_ID) hasId = true;
    if (head[at] === EVENT_TYPE) hasType = true;
  }
  const channel = channelOf(head);
  if (channel.length === 0 || base >= position) isFaulty = true;
  const data = fields[DATA] ?? NOTHING;
  const eventId = hasId ? (fields[ID] ?? NOTHING) : null;
  const eventType = hasType ? (fields[TYPE] ?? NOTHING) : null;
  return {
    shard,
    term,
    n,
    sec,
    tag,
    total,
    top,
    channel,
    position,
    base,
    published,
    isStored,
    data,
    eventId,
    eventType,
    marks:
      isUntold || by.length > 0 || trace !== null
        ? { by: by.subarray(0, MOST_BY_BYTES), isUntold, trace }
        : null,
  };
}

/** Behind the line end. */
function channelOf(head: Uint8Array): Uint8Array {
  const end = head.indexOf(LINE_END, at);
  return end < 0 ? NOTHING : head.subarray(end + 1);
}

/** null: neither a message nor a deletion. For publisher.ts, which looks for its own. */
export function readAuthorship([id, fields]: RawEntry): Authorship | null {
  const head = fields[HEAD];
  if (head === undefined || (head[0] !== MESSAGE && head[0] !== DELETION)) return null;
  const line = head.subarray(0, head.indexOf(LINE_END)).toString("latin1").split(" ");
  return { ...readId(id), who: line.at(-2) ?? "", request: Number(line.at(-1)), position: Number(line[5]) };
}
