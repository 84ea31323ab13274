/**
 * Keys and values of a shared dictionary, from what a handler gives to bytes and back. Nothing is taken that
 * would come back as something else: lone surrogates, NaN, functions. Used by shared-dictionary.ts, before it
 * takes the lock.
 */

import { BYTES, JSON_TEXT, MAX_KEY_BYTES, NUMBER, TEXT } from "./shared-layout.ts";
import type { Draft } from "./shared-reading.ts";

export type JsonValue =
  | string
  | number
  | boolean
  | null
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };
export type SharedValue = JsonValue | Uint8Array;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const NOTHING = new Uint8Array(0);
/** Below this a loop in JavaScript beats the native call (names.ts). */
const NATIVE_FROM = 24;
const ASCII = 0x80;

/** The key's bytes and hash, into the draft. Throws TypeError or RangeError. */
export function draftKey(draft: Draft, key: unknown, seed: number): void {
  if (typeof key !== "string") throw new TypeError("a key is a text");
  if (key.length < NATIVE_FROM && draftShortKey(draft, key, seed)) return;
  if (key.length === 0 || key.length > MAX_KEY_BYTES) throw keyLength();
  if (!key.isWellFormed()) throw new TypeError("a key has half of a character in it");
  if (draft.key.length < 3 * key.length) draft.key = new Uint8Array(3 * key.length);
  draft.keyBytes = encoder.encodeInto(key, draft.key).written;
  if (draft.keyBytes > MAX_KEY_BYTES) throw keyLength();
  draft.hash = hashOf(draft, seed);
}

/** The most frequent case in one pass. False: it is not ASCII, or empty. */
function draftShortKey(draft: Draft, key: string, seed: number): boolean {
  const bytes = draft.key;
  for (let at = 0; at < key.length; at++) {
    const code = key.charCodeAt(at);
    if (code >= ASCII) return false;
    bytes[at] = code;
  }
  draft.keyBytes = key.length;
  draft.hash = hashOf(draft, seed);
  return key.length > 0;
}

/** As hashName: seeded, so that nobody outside can prepare keys that all fall on one place. */
function hashOf({ key, keyBytes }: Draft, seed: number): number {
  if (keyBytes >= NATIVE_FROM) return Bun.hash.xxHash32(key.subarray(0, keyBytes), seed);
  let hash = seed | 0;
  for (let at = 0; at < keyBytes; at++) {
    hash = Math.imul(hash ^ key[at]!, 0x01000193);
    hash ^= hash >>> 15;
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

const keyLength = (): RangeError => new RangeError(`a key has 1 to ${MAX_KEY_BYTES} bytes`);

/** Kind and bytes of a value, into the draft. Throws TypeError. */
export function draftValue(draft: Draft, value: unknown): void {
  draft.number = 0;
  draft.value = NOTHING;
  if (typeof value === "number") {
    if (!Number.isFinite(value)) throw new TypeError(`${value} cannot be kept: a number has to be finite`);
    draft.kind = NUMBER;
    draft.number = value;
  } else if (typeof value === "string") {
    if (!value.isWellFormed()) throw new TypeError("the text has half of a character in it");
    draft.kind = TEXT;
    draft.value = encoder.encode(value);
  } else if (value instanceof Uint8Array) {
    draft.kind = BYTES;
    draft.value = value;
  } else {
    draft.kind = JSON_TEXT;
    draft.value = encoder.encode(jsonOf(value));
  }
}

function jsonOf(value: unknown): string {
  const text: unknown = JSON.stringify(value);
  if (typeof text !== "string") throw new TypeError(`a ${typeof value} cannot be kept`);
  return text;
}

/** A kind of bytes back to what was given. `bytes` is the caller's to keep. */
export function keptValue(kind: number, bytes: Uint8Array): SharedValue {
  if (kind === BYTES) return bytes;
  const text = decoder.decode(bytes);
  return kind === TEXT ? text : (JSON.parse(text) as JsonValue);
}

export const textOfKey = (bytes: Uint8Array): string => decoder.decode(bytes);

/** When something ends that lives so many seconds; 0: never. Throws RangeError. */
export function expiryOf(ttlSec: unknown, nowMs: number): number {
  if (ttlSec === undefined || ttlSec === 0) return 0;
  if (typeof ttlSec !== "number" || !(ttlSec > 0) || !Number.isFinite(ttlSec))
    throw new RangeError("a time to live is a number of seconds above 0");
  return nowMs + ttlSec * 1000;
}
