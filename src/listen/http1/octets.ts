/**
 * What each byte may be in an HTTP/1.1 head (RFC 9110, 5.6.2 and 5.5; RFC 3986, 3.2.2), as one table: a line
 * is checked while it is walked, with one load a byte and no string. Used by the parsers of this folder.
 */
export const HTAB = 0x09;
export const LF = 0x0a;
export const CR = 0x0d;
export const SP = 0x20;
export const COMMA = 0x2c;
export const COLON = 0x3a;

/** A letter, a digit or "-": names of which nginx knows that they are fields. */
export const PLAIN_NAME = 1;
/** A token's character. */
export const TOKEN = 2;
/** May stand in a field's value: anything but control characters. Bytes over 0x7f are opaque, and kept. */
export const VALUE = 4;
/**
 * May stand in a request target: no control characters, no space. Bytes over 0x7f are kept, as nginx does.
 */
export const TARGET = 8;
/**
 * A host's character: unreserved, percent, sub-delims, and the brackets and colons of addresses and ports.
 */
export const HOST = 16;
export const DIGIT = 32;
/** In a scheme. */
export const SCHEME = 64;

const among = (text: string, code: number): boolean => code < 128 && text.includes(String.fromCharCode(code));
const isAlpha = (code: number): boolean => (code | 0x20) >= 0x61 && (code | 0x20) <= 0x7a;
const isDigit = (code: number): boolean => code >= 0x30 && code <= 0x39;

function classOf(code: number): number {
  const isWord = isAlpha(code) || isDigit(code);
  let found = 0;
  if (isWord || code === 0x2d) found |= PLAIN_NAME;
  if (isWord || among("!#$%&'*+-.^_`|~", code)) found |= TOKEN;
  if (code === HTAB || (code >= 0x20 && code !== 0x7f)) found |= VALUE;
  if (code > 0x20 && code !== 0x7f) found |= TARGET;
  if (isWord || among("-._~%!$&'()*+,;=:[]", code)) found |= HOST;
  if (isDigit(code)) found |= DIGIT;
  if (isWord || among("+-.", code)) found |= SCHEME;
  return found;
}

export const CLASS: Readonly<Uint8Array> = Uint8Array.from({ length: 256 }, (_, code) => classOf(code));

/** The lower case of each byte. */
export const LOWER: Readonly<Uint8Array> = Uint8Array.from({ length: 256 }, (_, code) =>
  code >= 0x41 && code <= 0x5a ? code | 0x20 : code,
);

/** Whether these bytes are `text` (which is lower case), in any case. */
export function isText(bytes: Uint8Array, start: number, end: number, text: string): boolean {
  const { length } = text;
  if (end - start !== length) return false;
  for (let i = 0; i < length; i++) {
    if (LOWER[bytes[start + i]!] !== text.charCodeAt(i)) return false;
  }
  return true;
}

/**
 * The bytes as text, one character each, as Fetch reads fields. (`TextDecoder("latin1")` would be
 * windows-1252.)
 */
export const latin1 = (bytes: Uint8Array, start: number, end: number): string =>
  Buffer.prototype.toString.call(bytes, "latin1", start, end);

/** A position, as a parser returns it: the line is not whole yet. No line ends at 0. */
export const INCOMPLETE = 0;

/**
 * Past the line end at `at`; INCOMPLETE; or -400. A bare LF ends a line (RFC 9112, 2.2: MAY; nginx and
 * scripts do), a bare CR is refused: some read it as a line end, some as a space, and requests are hidden in
 * the difference.
 */
export function pastLineEnd(bytes: Uint8Array, at: number, stop: number): number {
  const byte = bytes[at]!;
  if (byte === LF) return at + 1;
  if (byte !== CR) return -400;
  if (at + 1 >= stop) return INCOMPLETE;
  return bytes[at + 1] === LF ? at + 2 : -400;
}
