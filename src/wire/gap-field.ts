/**
 * The header field `Sluice-Gap` of polls and long polls: what is missing between the client's position and
 * the answer, for answers whose body has no words for it (promise P2). Written by subscribe/, read by
 * clients.
 *
 *   Sluice-Gap: news=3, chat%2F1=unknown
 *
 * Names are percent-encoded (RFC 3986 2.1) but for its unreserved characters, so that any channel name fits a
 * field.
 */
const UNRESERVED = /^[A-Za-z0-9\-._~]$/;

/**
 * How many channels are named before the rest is summed up as `*`: a field must fit the heads that proxies
 * take.
 */
const MAX_NAMED = 64;

/** One channel's loss; null: it cannot be counted. */
export interface Missing {
  readonly channel: Uint8Array;
  readonly missed: number | null;
}

/** The field's value; null when nothing is missing. */
export function gapField(missing: readonly Missing[]): string | null {
  if (missing.length === 0) return null;
  const named = missing
    .slice(0, MAX_NAMED)
    .map(({ channel, missed }) => `${escaped(channel)}=${missed ?? "unknown"}`);
  if (missing.length > MAX_NAMED) named.push("*=unknown");
  return named.join(", ");
}

function escaped(name: Uint8Array): string {
  let text = "";
  for (const byte of name) {
    const character = String.fromCharCode(byte);
    text += UNRESERVED.test(character) ? character : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return text;
}

/** Reads a field back, as the command-line client does; what cannot be read is left out. */
export function parseGapField(value: string | null): { channel: string | null; missed: number | null }[] {
  if (value === null) return [];
  return value
    .split(",", MAX_NAMED + 1)
    .map((item) => /^\s*([A-Za-z0-9\-._~%*]{1,4096})=(\d{1,16}|unknown)\s*$/.exec(item))
    .filter((found) => found !== null)
    .map(([, name = "", missed = ""]) => ({
      channel: name === "*" ? null : decoded(name),
      missed: missed === "unknown" ? null : Number(missed),
    }));
}

/** Null: no text. */
function decoded(name: string): string | null {
  try {
    return decodeURIComponent(name);
  } catch {
    return null;
  }
}
