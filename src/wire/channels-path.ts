/**
 * The channels path of a request, `room.b5/news` (push-stream spec 3.3): which channels, and how many old
 * messages of each. Used by publishers, subscribers and statistics alike.
 *
 * Scanned by hand in one pass: the path comes from the network, may be as long as a request line, and may
 * hold any byte.
 */

import { Refusals } from "../http/errors.ts";
import type { Refusal } from "../http/refusal.ts";

const DOT = 0x2e;
const LETTER_B = 0x62;
const STAR = 0x2a;
const ZERO = 0x30;

/** Backtrack of `.b<digits>` too large to count with: every stored message. */
export const ALL_STORED: number = Number.MAX_SAFE_INTEGER;

export interface ChannelsPath {
  readonly names: Uint8Array[];
  /** Per name: how many of the last stored messages are wanted; 0 = none. */
  readonly backtracks: number[];
}

/**
 * Splits a decoded path, one character per byte. maxChannels 0 = any number. Empty ids are dropped when
 * another id is there (`pushstream.js` asks for `/ch1`), kept otherwise (spec 3.3); "empty" only for the
 * empty path.
 */
export function parseChannelsPath(path: string, maxChannels: number): ChannelsPath | "empty" | "too many" {
  if (path.length === 0) return "empty";
  const limit = maxChannels === 0 ? path.length : maxChannels;
  const names: Uint8Array[] = [];
  const backtracks: number[] = [];
  const backtracksOfEmpty: number[] = [];
  for (let start = 0; start < path.length; ) {
    const end = segmentEnd(path, start);
    const nameEnd = backtrackStart(path, start, end);
    const backtrack = backtrackOf(path, nameEnd, end);
    if (nameEnd === start) {
      backtracksOfEmpty.push(backtrack);
    } else {
      if (names.length === limit) return "too many";
      names.push(bytesOf(path, start, nameEnd));
      backtracks.push(backtrack);
    }
    start = end + 1;
  }
  if (names.length > 0) return { names, backtracks };
  if (backtracksOfEmpty.length > limit) return "too many";
  return { names: backtracksOfEmpty.map(() => new Uint8Array(0)), backtracks: backtracksOfEmpty };
}

/** True for the ids nobody may publish or subscribe to: `ALL` and any with a `*` (push-stream spec 3.1). */
export function isForbidden(name: Uint8Array): boolean {
  if (name.length === 3 && name[0] === 0x41 && name[1] === 0x4c && name[2] === 0x4c) return true;
  return name.includes(STAR);
}

const segmentEnd = (path: string, start: number): number => {
  const slash = path.indexOf("/", start);
  return slash < 0 ? path.length : slash;
};

/** Where `.b<digits>` starts at the end of a segment; its end when there is none. */
const backtrackStart = (path: string, start: number, end: number): number => {
  let at = end;
  while (at > start && isDigit(path.charCodeAt(at - 1))) at--;
  if (at === end || at - start < 2) return end;
  return path.charCodeAt(at - 1) === LETTER_B && path.charCodeAt(at - 2) === DOT ? at - 2 : end;
};

const backtrackOf = (path: string, nameEnd: number, end: number): number => {
  let count = 0;
  for (let at = nameEnd + 2; at < end; at++) {
    count = count * 10 + (path.charCodeAt(at) - ZERO);
    if (count > ALL_STORED) return ALL_STORED;
  }
  return count;
};

const bytesOf = (path: string, start: number, end: number): Uint8Array => {
  const bytes = new Uint8Array(end - start);
  for (let at = start; at < end; at++) bytes[at - start] = path.charCodeAt(at);
  return bytes;
};

const isDigit = (unit: number): boolean => unit >= ZERO && unit <= ZERO + 9;

/**
 * Why a name may not be published or subscribed to, in the order of push-stream spec 2.1 (7) and 4.1 (6);
 * null: it may.
 */
export function nameRefusal(name: Uint8Array, maxIdLength: number): Refusal | null {
  if (isForbidden(name)) return Refusals.forbiddenChannel;
  return maxIdLength > 0 && name.length > maxIdLength ? Refusals.channelIdTooLarge : null;
}
