/**
 * One entry of the log as it comes from the engine: an id `term-n`, and one field, or two. The name of the
 * first is what script.ts writes: words with spaces between, and behind a line end the channel, whose bytes
 * are anything; its value is the data. (Names of their own for both would be two more pieces an entry for the
 * engine and every node to cut.) Read by log-applier.ts, hundred thousands a second when a node starts, so
 * they are read where they lie (entry-pieces.ts), and messages, which nearly all of them are, into one object
 * (logged-message.ts). What cannot be read is null: another version wrote it, or somebody else.
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
import { type Marks, MOST_BY_BYTES } from "../message.ts";
import type { Fork, LogPlace, RevokedMark } from "../store/replica/replica-store.ts";
import {
  DATA,
  type EntryPieces,
  EVENT_ID,
  EVENT_TYPE,
  HEAD,
  piecesOf,
  type RawEntry,
} from "./entry-pieces.ts";
import type { LoggedMessage } from "./logged-message.ts";
import type { Note } from "./notes.ts";

/** Any but a message. */
export type Entry =
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

/** Who put a message or deletion there, and in which of its requests. */
export interface Authorship {
  readonly who: string;
  readonly request: number;
  readonly term: number;
  readonly n: number;
  /** Of a message. */
  readonly position: number;
}

const NOTHING = Buffer.alloc(0);
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
const WITH_ID = 0x69;
const WITH_TYPE = 0x74;
const UNTOLD = 0x75;
const BY = 0x7e;
const TRACE = 0x5e;

/** Where the words below read on, and the end of the field they are in; one entry is read at a time. */
let bytes: Buffer = NOTHING;
let at = 0;
let end = 0;
let isFaulty = false;

/** Digits of a group, which a small whole number holds: arithmetic of large ones costs three times that. */
const GROUP = 9;
const SCALES = Array.from({ length: GROUP + 1 }, (_, digits) => 10 ** digits);

/** Digits up to anything else, which is passed over. */
function number(): number {
  // Of its own while it reads: what belongs to the file is written to memory at each step.
  const from = bytes;
  const last = end;
  let place = at;
  let value = 0;
  for (let digits = GROUP; digits === GROUP; ) {
    const begun = place;
    const until = Math.min(last, place + GROUP);
    let group = 0;
    for (; place < until; place++) {
      const digit = (from[place] ?? 0) - ZERO;
      if (digit < 0 || digit > 9) break;
      group = (group * 10 + digit) | 0;
    }
    digits = place - begun;
    value = value === 0 ? group : value * (SCALES[digits] ?? 1) + group;
  }
  if (place === at || value > Number.MAX_SAFE_INTEGER) isFaulty = true;
  at = place + 1;
  return value;
}

/** The end of the word that begins here. */
function wordEnd(): number {
  const from = bytes;
  const last = end;
  let place = at;
  while (place < last && from[place] !== SPACE && from[place] !== LINE_END) place++;
  return place;
}

function word(): string {
  const to = wordEnd();
  const text = bytes.toString("latin1", at, to);
  at = to + 1;
  return text;
}

function begin(of: Buffer, from: number, to: number): void {
  bytes = of;
  at = from;
  end = to;
  isFaulty = false;
}

/** The term of an id `term-n`, behind which `number` reads the other. */
function beginId({ bytes: of, idFrom, idTo }: EntryPieces): number {
  begin(of, idFrom, idTo);
  const term = number();
  if (at > end || bytes[at - 1] !== DASH) isFaulty = true;
  return term;
}

/** At the first word behind the kind; false: there is no such thing. */
function beginHead(pieces: EntryPieces): boolean {
  at = pieces.from(HEAD) + 2;
  end = pieces.to(HEAD);
  return !isFaulty && at <= end && bytes[at - 1] === SPACE;
}

/** Of an id: `term-n`. */
export function readId(id: Buffer): { term: number; n: number } {
  const term = beginId(piecesOf([id, []]));
  return { term, n: number() };
}

/**
 * Where an entry stands that cannot be read, and whether it is a message's; null: nothing of it can be read.
 */
export function readPlace(pieces: EntryPieces): { term: number; n: number; isMessage: boolean } | null {
  const term = beginId(pieces);
  const n = number();
  return isFaulty ? null : { term, n, isMessage: isMessage(pieces) };
}

const isMessage = (pieces: EntryPieces): boolean =>
  pieces.has(HEAD) && pieces.bytes[pieces.from(HEAD)] === MESSAGE;

/** null: it cannot be read, or it is a message. */
export function readEntry(shard: number, pieces: EntryPieces): Entry | null {
  const term = beginId(pieces);
  const n = number();
  if (!beginHead(pieces)) return null;
  const place: LogPlace = { shard, term, n, sec: number(), tag: number(), total: number(), top: number() };
  const entry = readRest(place, pieces);
  return isFaulty ? null : entry;
}

function readRest(place: LogPlace, pieces: EntryPieces): Entry | null {
  switch (pieces.bytes[pieces.from(HEAD)]) {
    case DELETION:
      return { kind: "deletion", place, channel: channel(), text: pieces.copy(DATA) };
    case INCARNATION: {
      const [previous, n, base] = [number(), number(), number()];
      const fork = { term: previous, n, sec: number(), tag: number() };
      return { kind: "incarnation", place, fork, base, epoch: number() };
    }
    case HEARTBEAT:
      return { kind: "heartbeat", place, who: word(), said: pieces.copy(DATA) };
    case REVOCATION: {
      const [low, high, issuedBeforeSec, untilSec] = [number(), number(), number(), number()];
      return { kind: "revocation", place, mark: { low, high, issuedBeforeSec, untilSec } };
    }
    case NOTE: {
      const [node, life] = [word(), word()];
      return { kind: "note", place, note: { node, life, channel: rest(), said: pieces.copy(DATA), place } };
    }
    case GONE:
      return { kind: "gone", place, node: word() };
    default:
      return null;
  }
}

/** False: it is no message, or one that cannot be read. */
export function readMessage(shard: number, pieces: EntryPieces, into: LoggedMessage): boolean {
  if (!isMessage(pieces)) return false;
  into.shard = shard;
  into.term = beginId(pieces);
  into.n = number();
  if (!beginHead(pieces)) return false;
  into.sec = number();
  into.tag = number();
  into.total = number();
  into.top = number();
  into.position = number();
  into.base = number();
  into.published = number();
  readFlags(pieces, into);
  const from = channelFrom();
  if (from >= end || into.base >= into.position) isFaulty = true;
  if (isFaulty) return false;
  into.take(bytes, from, end, pieces.from(DATA), pieces.to(DATA));
  return true;
}

function readFlags(pieces: EntryPieces, into: LoggedMessage): void {
  into.isStored = false;
  into.eventId = null;
  into.eventType = null;
  let isUntold = false;
  let by: Uint8Array = NOTHING;
  let trace: Uint8Array | null = null;
  for (const to = wordEnd(); at < to; at++) {
    const flag = bytes[at];
    if (flag === STORED) into.isStored = true;
    else if (flag === UNTOLD) isUntold = true;
    else if (flag === WITH_ID) into.eventId = view(pieces, EVENT_ID);
    else if (flag === WITH_TYPE) into.eventType = view(pieces, EVENT_TYPE);
    else if (flag === TRACE) {
      trace = traceOf(
        bytes.toString("latin1", at + 1, Math.min(to, at + 1 + TRACEPARENT_BYTES)).toLowerCase(),
      );
      at = Math.min(to - 1, at + TRACEPARENT_BYTES);
    } else if (flag === BY) {
      // Behind it nothing but hexadecimal digits.
      by = Buffer.from(bytes.toString("latin1", at + 1, to), "hex").subarray(0, MOST_BY_BYTES);
      at = to - 1;
    }
  }
  const isMarked = isUntold || by.length > 0 || trace !== null;
  const marks: Marks | null = isMarked ? { by, isUntold, trace } : null;
  into.marks = marks;
}

const view = (pieces: EntryPieces, field: number): Uint8Array =>
  bytes.subarray(pieces.from(field), pieces.to(field));

/** Behind the line end; the end, where there is none. */
function channelFrom(): number {
  const from = bytes;
  const last = end;
  let place = at;
  while (place < last && from[place] !== LINE_END) place++;
  return Math.min(last, place + 1);
}

const channel = (): Buffer => Buffer.from(bytes.subarray(channelFrom(), end));
const rest = (): Buffer => Buffer.from(bytes.subarray(Math.min(at, end), end));

/** null: neither a message nor a deletion. For publisher.ts, which looks for its own. */
export function readAuthorship([id, fields]: RawEntry): Authorship | null {
  const head = fields[HEAD];
  if (head === undefined || (head[0] !== MESSAGE && head[0] !== DELETION)) return null;
  const line = head.subarray(0, head.indexOf(LINE_END)).toString("latin1").split(" ");
  return { ...readId(id), who: line.at(-2) ?? "", request: Number(line.at(-1)), position: Number(line[5]) };
}
