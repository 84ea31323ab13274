/**
 * Keeps evaluated values fit for a header. Values are made of what clients send ($uri is decoded, so it may
 * hold any byte), and Bun throws on some bytes rather than answer. Called wherever front/ puts a complex
 * value into a header.
 */

/** Everything RFC 9110 5.5 does not allow in a field value. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what has to go
const FORBIDDEN = /[\x00-\x08\x0a-\x1f\x7f]|[^\x00-\xff]/g;

/** The value without control characters: a CR or LF of a client cannot begin a header of its own. */
export const fieldValue = (binary: string): string => binary.replace(FORBIDDEN, "").trim();

/** What must be escaped in a Location: everything but visible ASCII, and the three a URL never holds bare. */
const UNSAFE_IN_URL = /[^\x21-\x7e]|["<>]/gu;

/**
 * A URL as a binary string, its bytes that cannot stand in one percent-encoded; what is escaped already stays
 * as it is.
 */
export const urlValue = (url: string): string => url.replace(UNSAFE_IN_URL, percentEncoded);

/** The decoded path as a client has to write it: "%", "?" and "#" are ordinary bytes in it. */
export const pathUrl = (path: string): string => urlValue(path.replace(/[%?#]/g, percentEncoded));

/** A character beyond bytes is none of a binary string; it counts as the UTF-8 it would be. */
function percentEncoded(character: string): string {
  const bytes = Buffer.from(character, character > "\xff" ? "utf8" : "latin1");
  let text = "";
  for (const byte of bytes) text += `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  return text;
}
