/**
 * The target of a request as the application may see it. Called by connection.ts for each request.
 */
import { CLASS, PLAIN_NAME, SP } from "../http1/octets.ts";
import type { RequestHead } from "../http1/request-head.ts";
import { isRefusedPath } from "../raw-path.ts";

const NUMBER_SIGN = 0x23;
const SLASH = 0x2f;
const QUESTION_MARK = 0x3f;
const UNDERSCORE = 0x5f;
const DEL = 0x7f;
/** What a URL cannot hold as it is. */
const NO_URL = /[^\x21-\x7e]|#/;
const EVERY_NO_URL = /[^\x21-\x7e]|#/g;

/** The last target that was looked at: publishers repeat theirs. Longer ones are not kept. */
const MOST_KEPT_BYTES = 1024;
const lastRaw = Buffer.alloc(MOST_KEPT_BYTES);
let lastLength = 0;
let lastTarget: string | null = null;
const copyRange = Buffer.prototype.copy;

/**
 * Path and query as the application may see them; null: a path that is refused as it stands (raw-path.ts).
 */
export function readableTarget(head: RequestHead, bytes: Buffer): string | null {
  const { pathStart, targetEnd, isAbsolute } = head;
  if (!isAbsolute && isLast(bytes, pathStart, targetEnd)) return lastTarget;
  const raw = head.target(bytes);
  const target = isPlainTarget(bytes, pathStart, targetEnd) ? raw : lookedAt(raw);
  if (isAbsolute || raw.length > MOST_KEPT_BYTES) return target;
  copyRange.call(bytes, lastRaw, 0, pathStart, targetEnd);
  lastLength = targetEnd - pathStart;
  lastTarget = target;
  return target;
}

/**
 * Nothing in it that could be read in two ways, or has no place in a URL: of most. Others are looked at as
 * texts.
 */
function isPlainTarget(bytes: Buffer, start: number, end: number): boolean {
  let before = 0;
  let at = start;
  for (; at < end; at++) {
    const byte = bytes[at]!;
    if (byte === QUESTION_MARK) break;
    // Segments begin with a slash, and are not empty.
    if ((CLASS[byte]! & PLAIN_NAME) === 0 && byte !== UNDERSCORE && (byte !== SLASH || before === SLASH))
      return false;
    before = byte;
  }
  if (before === SLASH || bytes[start] !== SLASH) return false;
  for (; at < end; at++) {
    const byte = bytes[at]!;
    if (byte <= SP || byte >= DEL || byte === NUMBER_SIGN) return false;
  }
  return true;
}

function lookedAt(raw: string): string | null {
  const mark = raw.indexOf("?");
  const path = mark < 0 ? raw : raw.slice(0, mark);
  return !path.startsWith("/") || isRefusedPath(path) ? null : escaped(raw);
}

function isLast(bytes: Buffer, start: number, end: number): boolean {
  if (end - start !== lastLength || lastLength === 0) return false;
  for (let i = lastLength - 1; i >= 0; i--) if (bytes[start + i] !== lastRaw[i]) return false;
  return true;
}

/** Bytes that are no ASCII, and the number sign, which a query may have on the line and not in a URL. */
const escaped = (target: string): string =>
  NO_URL.test(target)
    ? target.replace(EVERY_NO_URL, (character) => {
        const code = character.charCodeAt(0) & 0xff;
        return `%${code.toString(16).padStart(2, "0")}`;
      })
    : target;
