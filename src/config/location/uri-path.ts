/**
 * From the path of a request line to the path locations are matched against: percent-decoded and normalised,
 * as nginx does before it looks for a location. Called by locations.ts for each request.
 *
 * Decoding comes first and an escaped slash or dot acts like a plain one, so "/a/%2e%2e/b" is "/b"; escaped
 * "%", "#" and "?" are ordinary characters. WHATWG URL does not decode and does not merge slashes, so it is
 * of no use here.
 */
import { hexDigit } from "../binary-text.ts";

const SLASH = 0x2f;
const DOT = 0x2e;
const PERCENT = 0x25;
const QUESTION = 0x3f;
const HASH = 0x23;

/**
 * The decoded, normalised path as a binary string; null = 400: no leading slash, a bad percent escape, %00,
 * an unescaped blank or control character, or ".." above the root (nginx refuses the same).
 */
export function decodePath(raw: string): string | null {
  if (raw === "") return "/";
  return isPlain(raw) ? raw : decodeSlowly(raw);
}

/** Whether the path is its own decoded form. Most are, and then this scan is all the work. */
function isPlain(raw: string): boolean {
  if (raw.charCodeAt(0) !== SLASH) return false;
  for (let at = 1; at < raw.length; at++) {
    const code = raw.charCodeAt(at);
    if (code === SLASH || code === DOT) {
      if (raw.charCodeAt(at - 1) === SLASH) return false;
    } else if (code === PERCENT || code === QUESTION || code === HASH || code <= 0x20 || code >= 0x7f)
      return false;
  }
  return true;
}

function decodeSlowly(raw: string): string | null {
  if (raw.charCodeAt(0) !== SLASH) return null;
  const segments: string[] = [];
  let segment = "";
  for (let at = 1; at < raw.length; at++) {
    let code = raw.charCodeAt(at);
    if (code === QUESTION || code === HASH) break;
    // Bytes above 0x7e come escaped from the runtime; a wider character cannot be a byte and is no path.
    if (code <= 0x20 || code === 0x7f || code > 0xff) return null;
    if (code === PERCENT) {
      code = escapedByte(raw, at + 1);
      if (code <= 0) return null;
      at += 2;
    }
    if (code !== SLASH) segment += String.fromCharCode(code);
    else if (pushSegment(segments, segment)) segment = "";
    else return null;
  }
  // "/a/.." and "/a/." end in a folder, so a slash stays: the last segment is kept empty.
  if (!pushSegment(segments, segment)) return null;
  const last = segment === "." || segment === ".." ? "" : segment;
  const isFolder = last === "" && segments.length > 0;
  return `/${segments.join("/")}${isFolder ? "/" : ""}`;
}

/** Takes one segment: empty ones and "." vanish, ".." takes one away; false when there is none to take. */
function pushSegment(segments: string[], segment: string): boolean {
  if (segment === "..") return segments.pop() !== undefined;
  if (segment !== "" && segment !== ".") segments.push(segment);
  return true;
}

/** The byte two hexadecimal digits spell; -1 when they are none. */
function escapedByte(raw: string, at: number): number {
  const high = hexDigit(raw.charCodeAt(at));
  const low = hexDigit(raw.charCodeAt(at + 1));
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}
