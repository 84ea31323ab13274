/**
 * Keys of programs that publish, and the lines of the file that has them, hashed. Used by publisher-keys.ts
 * and `sluice key`.
 *
 *   key     slk_<id: 12 letters and digits>_<secret: 32 random bytes, base64url>
 *   line    <name> <id> <sha256 of the key, base64url> publish=<patterns> subscribe=<patterns>
 *
 * The secret is as long as its hash, so no slow hash is needed: there is nothing to guess. The id finds the
 * line, so that the secret alone is compared, and in constant time. Patterns are percent-encoded, with commas
 * between.
 */
import { randomBytes, timingSafeEqual } from "node:crypto";
import { patternFault, SUB } from "../config/grant/patterns.ts";

export const KEY_PREFIX = "slk_";
const ID_CHARS = 12;
const KEY = /^slk_([a-z0-9]{12})_([A-Za-z0-9_-]{43})$/;
const NAME = /^[\w.@+-]{1,64}$/;
const HASH = /^[A-Za-z0-9_-]{43}$/;

export interface KeyLine {
  readonly name: string;
  readonly id: string;
  readonly hash: string;
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
}

export const keyNameFault = (name: string): string | null =>
  NAME.test(name) ? null : "a name has 1 to 64 letters, digits and . _ - @ +";

/** The id in a key; null: it is none. */
export const idOfKey = (key: string): string | null => KEY.exec(key)?.[1] ?? null;

export function newKey(): { readonly key: string; readonly id: string } {
  const letters = "abcdefghijklmnopqrstuvwxyz0123456789";
  let id = "";
  // 252 is a multiple of 36: no letter comes more often than another.
  while (id.length < ID_CHARS) for (const byte of randomBytes(32)) if (byte < 252) id += letters[byte % 36];
  id = id.slice(0, ID_CHARS);
  return { key: `${KEY_PREFIX}${id}_${randomBytes(32).toString("base64url")}`, id };
}

/** Bytes: what is compared with each request. */
const DIGEST_BYTES = 32;

/** By the runtime itself, which takes half the time of node:crypto: it is done for each publish. */
export function digestOfKey(key: string): Uint8Array {
  const digest = new Uint8Array(DIGEST_BYTES);
  Bun.SHA256.hash(key, digest);
  return digest;
}

export const hashOfKey = (key: string): string => Buffer.from(digestOfKey(key)).toString("base64url");

/** In the same time, wherever they differ; how long the right one is, is no secret. */
export function isSameText(one: string, other: string): boolean {
  if (one.length !== other.length) return false;
  let differing = 0;
  for (let at = 0; at < one.length; at++) differing |= one.charCodeAt(at) ^ other.charCodeAt(at);
  return differing === 0;
}

/** In the same time, wherever they differ. */
export const isSameDigest = (one: Uint8Array, other: Uint8Array): boolean =>
  one.length === other.length && timingSafeEqual(one, other);

export function printKeyLine({ name, id, hash: text, publish, subscribe }: KeyLine): string {
  const list = (patterns: readonly string[]): string =>
    patterns.map((pattern) => encodeURIComponent(pattern).replaceAll(encodeURIComponent(SUB), SUB)).join(",");
  return `${name} ${id} ${text} publish=${list(publish)} subscribe=${list(subscribe)}`;
}

/** null: an empty line or a comment. A text: what is wrong with it. */
export function readKeyLine(line: string): KeyLine | string | null {
  const text = line.trim();
  if (text === "" || text.startsWith("#")) return null;
  const [name = "", id = "", digest = "", ...lists] = text.split(/\s+/);
  if (keyNameFault(name) !== null) return "it begins with no name";
  if (!/^[a-z0-9]{12}$/.test(id) || !HASH.test(digest)) return "there is no id and hash of a key in it";
  const patterns = { publish: [] as readonly string[], subscribe: [] as readonly string[] };
  for (const list of lists) {
    const [kind = "", value = ""] = list.split("=", 2);
    if (kind !== "publish" && kind !== "subscribe") return `"${kind.slice(0, 20)}" has no meaning`;
    const read = readList(value);
    if (read === null) return `its ${kind} has something in it that is no pattern`;
    patterns[kind] = read;
  }
  return { name, id, hash: digest, ...patterns };
}

function readList(value: string): readonly string[] | null {
  if (value === "") return [];
  try {
    const patterns = value.split(",").map(decodeURIComponent);
    return patterns.every((pattern) => patternFault(pattern) === null) ? patterns : null;
  } catch {
    // A percent sign that begins no escape.
    return null;
  }
}
