/**
 * A channel id as a YAML scalar. Used by statistics-yaml.ts alone.
 *
 * The dialect inserts ids as they are (push-stream spec 5.2), so an id is written plain wherever a reader
 * gets the same text back, and double-quoted where it would break the document or come back as something
 * else: `no` as false, `007` as 7, `a: b` as a mapping.
 */
import type { ByteWriter } from "./byte-writer.ts";

const SPACE = 0x20;
const DELETE = 0x7f;
const COLON = 0x3a;
const HASH = 0x23;
/** Longest of the words below. */
const LONGEST_WORD = 5;

/**
 * Never first in a plain scalar. `-`, `?` and `:` may be, before some characters; `:a` is a symbol to Ruby,
 * `=` and `<<` are types.
 */
const INDICATORS: ReadonlySet<number> = new Set(Buffer.from("-?:,[]{}#&*!|>'\"%@`=<~"));

/** Nulls and booleans of YAML 1.1 and 1.2, in lower case. */
const WORDS: ReadonlySet<string> = new Set(["null", "true", "false", "yes", "no", "on", "off", "y", "n"]);

/**
 * What any YAML may take for a number or a date; a little more than that is quoted for no need. No pattern
 * backtracks.
 */
const NUMBER_LIKE = [
  /^[-+]?[0-9.][0-9_.,:]*(?:[eE][-+]?[0-9_]*)?$/,
  /^[-+]?0[xXoObB][0-9a-fA-F_]*$/,
  /^[-+]?\.(?:inf|nan)$/i,
  /^\d{4}-\d\d?-\d\d?(?:[Tt\s]|$)/,
];
/**
 * Numbers that every reader turns back into the same digits, and the ids of many sites: they stay as the
 * dialect has them.
 */
const CANONICAL_INTEGER = /^(?:0|[1-9]\d{0,14})$/;

/**
 * Characters that must not stand in a YAML stream, or break lines in YAML 1.1; U+FFFD stands for broken
 * bytes.
 */
const NOT_PLAIN = /[\x7f-\x9f\u2028\u2029\ufeff\ufffd-\uffff]/;
const UNPRINTABLE = /[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]/g;

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** Appends the bytes of an id, plain or in double quotes; broken UTF-8 becomes U+FFFD. */
export function pushYamlScalar(writer: ByteWriter, bytes: Uint8Array): void {
  if (isPlain(bytes)) writer.pushBytes(bytes);
  else writer.pushUtf8(quoted(decoder.decode(bytes)));
}

function isPlain(bytes: Uint8Array): boolean {
  const first = bytes[0];
  const last = bytes[bytes.length - 1];
  if (first === undefined || last === undefined) return false;
  if (first === SPACE || INDICATORS.has(first) || last === SPACE || last === COLON) return false;
  let seen = 0;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] ?? 0;
    if (byte < SPACE || byte === DELETE) return false;
    if (byte === SPACE && bytes[at - 1] === COLON) return false;
    if (byte === HASH && bytes[at - 1] === SPACE) return false;
    seen |= byte;
  }
  if (seen >= 0x80 && NOT_PLAIN.test(decoder.decode(bytes))) return false;
  return !readsAsAnotherType(bytes, first);
}

function readsAsAnotherType(bytes: Uint8Array, first: number): boolean {
  // Numbers begin with a digit, a sign or a dot: `+` to `9` in ASCII, where `,` and `/` lie between.
  if (first >= 0x2b && first <= 0x39) {
    const text = decoder.decode(bytes);
    return !CANONICAL_INTEGER.test(text) && NUMBER_LIKE.some((pattern) => pattern.test(text));
  }
  return bytes.length <= LONGEST_WORD && WORDS.has(decoder.decode(bytes).toLowerCase());
}

/** Every JSON string is a YAML one (YAML 1.2, 1.3); readers of YAML 1.1 want some more characters escaped. */
const quoted = (text: string): string =>
  JSON.stringify(text).replace(
    UNPRINTABLE,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
