/**
 * Binary strings: one character per byte, char codes 0 to 255. Paths and variables are kept so, because
 * channel names are bytes (push-stream spec 3.1), percent escapes can spell any byte, and string operations
 * are far cheaper than views.
 */

/**
 * The UTF-8 bytes of a text as a binary string. Text from the config file goes through here once, at start.
 */
export const toBinary = (text: string): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: is all of it ASCII?
  /[^\x00-\x7f]/.test(text) ? Buffer.from(text, "utf8").toString("latin1") : text;

/** The bytes of a binary string. */
export const binaryBytes = (binary: string): Uint8Array => Buffer.from(binary, "latin1");

/** The value of one hexadecimal digit, -1 for anything else (and for the NaN of charCodeAt past the end). */
export function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x61 + 10 : -1;
}
