/**
 * The request line (RFC 9112, 3): method, target, version, each walked once. Used by parse-head.ts. Several
 * spaces between the parts and behind the version are accepted, as nginx does (RFC 9112, 3: MAY); a space
 * inside the target never is. HTTP/0.9 is refused: its answers have no head, so nobody could be told
 * anything.
 */
import { isHost } from "./host.ts";
import {
  CLASS,
  COLON,
  CR,
  DIGIT,
  INCOMPLETE,
  LF,
  LOWER,
  latin1,
  pastLineEnd,
  SCHEME,
  SP,
  TARGET,
  TOKEN,
} from "./octets.ts";
import { AT_FIELDS, type RequestHead } from "./request-head.ts";

const SLASH = 0x2f;
const QUERY = 0x3f;
const STAR = 0x2a;
const DOT = 0x2e;
const ONE = 0x31;

/** RFC 9112, 2.2: a client may send one behind a body. More than these are not a client. */
const MOST_EMPTY_LINES = 8;

/** Past the line, INCOMPLETE, or minus a status. */
export function parseRequestLine(bytes: Uint8Array, start: number, stop: number, head: RequestHead): number {
  const lineStart = skipEmptyLines(bytes, start, stop);
  if (lineStart < 0 || lineStart >= stop) return lineStart < 0 ? lineStart : INCOMPLETE;
  const afterMethod = parseMethod(bytes, lineStart, stop, head);
  if (afterMethod <= 0) return afterMethod;
  const afterTarget = parseTarget(bytes, skipSpaces(bytes, afterMethod, stop), stop, head);
  if (afterTarget <= 0) return afterTarget;
  const afterVersion = parseVersion(bytes, skipSpaces(bytes, afterTarget, stop), stop, head);
  if (afterVersion <= 0) return afterVersion;
  const lineEnd = skipSpaces(bytes, afterVersion, stop);
  if (lineEnd >= stop) return INCOMPLETE;
  const next = pastLineEnd(bytes, lineEnd, stop);
  if (next <= 0) return next;
  head.requestLineStart = lineStart;
  head.requestLineEnd = lineEnd;
  head.stage = AT_FIELDS;
  return next;
}

function skipSpaces(bytes: Uint8Array, start: number, stop: number): number {
  let at = start;
  while (at < stop && bytes[at] === SP) at++;
  return at;
}

function skipEmptyLines(bytes: Uint8Array, start: number, stop: number): number {
  let at = start;
  for (let lines = 0; at < stop && (bytes[at] === CR || bytes[at] === LF); lines++) {
    if (lines >= MOST_EMPTY_LINES) return -400;
    const next = pastLineEnd(bytes, at, stop);
    if (next < 0) return next;
    at = next === INCOMPLETE ? stop : next;
  }
  return at;
}

function parseMethod(bytes: Uint8Array, start: number, stop: number, head: RequestHead): number {
  let at = start;
  while (at < stop && (CLASS[bytes[at]!]! & TOKEN) !== 0) at++;
  if (at >= stop) return INCOMPLETE;
  if (at === start || bytes[at] !== SP) return -400;
  head.method = methodOf(bytes, start, at);
  return at + 1;
}

const word = (text: string): number =>
  (text.charCodeAt(0) << 24) | (text.charCodeAt(1) << 16) | (text.charCodeAt(2) << 8) | text.charCodeAt(3);

const GET = word("GET ");
const POST = word("POST");
const PUT = word("PUT ");
const HEAD = word("HEAD");
const DELE = word("DELE");
const OPTI = word("OPTI");

/**
 * Without a new text for the usual ones. Methods are case-sensitive (RFC 9110, 9.1). There is a space at
 * `end`.
 */
function methodOf(bytes: Uint8Array, start: number, end: number): string {
  const first =
    (bytes[start]! << 24) | (bytes[start + 1]! << 16) | (bytes[start + 2]! << 8) | bytes[start + 3]!;
  const length = end - start;
  if (first === GET && length === 3) return "GET";
  if (first === POST && length === 4) return "POST";
  if (first === PUT && length === 3) return "PUT";
  if (first === HEAD && length === 4) return "HEAD";
  const text = latin1(bytes, start, end);
  if (first === DELE && text === "DELETE") return "DELETE";
  if (first === OPTI && text === "OPTIONS") return "OPTIONS";
  return text;
}

function parseTarget(bytes: Uint8Array, start: number, stop: number, head: RequestHead): number {
  if (start >= stop) return INCOMPLETE;
  let at = start;
  const byte = bytes[start]!;
  head.isAbsolute = false;
  if (byte === STAR && head.method === "OPTIONS") at++;
  else if (byte !== SLASH) at = parseAuthority(bytes, start, stop, head);
  if (at <= 0) return at;
  head.targetStart = start;
  head.pathStart = at === start + 1 ? start : at;
  if (byte !== STAR) while (at < stop && (CLASS[bytes[at]!]! & TARGET) !== 0) at++;
  if (at >= stop) return INCOMPLETE;
  head.targetEnd = at;
  return bytes[at] === SP ? at + 1 : -400;
}

/**
 * absolute-form: scheme and authority (RFC 9112, 3.2.2), up to the path; the authority is the request's host.
 * Anything else, also the authority-form of CONNECT, is -400, as in nginx.
 */
function parseAuthority(bytes: Uint8Array, start: number, stop: number, head: RequestHead): number {
  // RFC 3986, 3.1: it begins with a letter.
  const first = LOWER[bytes[start]!]!;
  if (first < 0x61 || first > 0x7a) return -400;
  let at = start + 1;
  while (at < stop && (CLASS[bytes[at]!]! & SCHEME) !== 0) at++;
  for (const wanted of [COLON, SLASH, SLASH]) {
    if (at >= stop) return INCOMPLETE;
    if (bytes[at++] !== wanted) return -400;
  }
  const authority = at;
  while (at < stop && bytes[at] !== SLASH && bytes[at] !== QUERY && bytes[at] !== SP) {
    if ((CLASS[bytes[at++]!]! & TARGET) === 0) return -400;
  }
  if (at >= stop) return INCOMPLETE;
  if (!isHost(bytes, authority, at)) return -400;
  head.isAbsolute = true;
  head.hostStart = authority;
  head.hostEnd = at;
  return at;
}

const NAME = [0x48, 0x54, 0x54, 0x50, SLASH] as const;

function parseVersion(bytes: Uint8Array, start: number, stop: number, head: RequestHead): number {
  for (let i = 0; i < NAME.length; i++) {
    if (start + i >= stop) return INCOMPLETE;
    if (bytes[start + i] !== NAME[i]) return -400;
  }
  const at = start + NAME.length;
  if (at >= stop) return INCOMPLETE;
  const major = bytes[at]!;
  if ((CLASS[major]! & DIGIT) === 0 || major < ONE) return -400;
  if (major > ONE) return -505;
  if (at + 1 >= stop) return INCOMPLETE;
  if (bytes[at + 1] !== DOT) return -400;
  if (at + 2 >= stop) return INCOMPLETE;
  if ((CLASS[bytes[at + 2]!]! & DIGIT) === 0) return -400;
  head.minor = bytes[at + 2] === 0x30 ? 0 : 1;
  return at + 3;
}
