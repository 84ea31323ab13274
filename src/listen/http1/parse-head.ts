/**
 * Parses a request's head where it lies (RFC 9112), for the wire listener. Line by line: what a line says is
 * noted once, the line that is not whole is begun again with the next call, but only when its end has come or
 * it has doubled, so that a head that comes byte by byte costs time in proportion to its length.
 *
 * The answer depends on the bytes alone, not on the pieces they came in: each line is walked from its start,
 * up to the bound and no further, and the first fault in the order of the bytes is the one that counts.
 */
import { line, noteField, parseFieldLine } from "./field-line.ts";
import { CLASS, CR, INCOMPLETE, LF, PLAIN_NAME, pastLineEnd } from "./octets.ts";
import { AT_REQUEST_LINE, DONE, type HeadBounds, type RequestHead } from "./request-head.ts";
import { parseRequestLine } from "./request-line.ts";

const UNDERSCORE = 0x5f;

/**
 * The head at `start`. Gives the index past it; INCOMPLETE (call again with more, at the same or at another
 * `start`); or minus the status to refuse it with, after which nothing on the connection can be understood.
 */
export function parseHead(
  bytes: Uint8Array,
  start: number,
  end: number,
  head: RequestHead,
  bounds: HeadBounds,
): number {
  if (head.stage === DONE) head.begin(start);
  else if (head.start !== start) head.moveTo(start);
  const headStop = start + bounds.headBytes;
  while (head.stage !== DONE) {
    const at = head.lineStart;
    const lineStop = Math.min(at + bounds.lineBytes, headStop);
    const stop = Math.min(end, lineStop);
    if (stop !== lineStop && isVain(bytes, at, stop, head)) return INCOMPLETE;
    const isRequestLine = head.stage === AT_REQUEST_LINE;
    const next = isRequestLine
      ? parseRequestLine(bytes, at, stop, head)
      : parseNext(bytes, at, stop, head, bounds);
    if (next < 0) return refuse(head, next);
    if (next === INCOMPLETE) {
      if (stop === lineStop) return refuse(head, isRequestLine ? -414 : -431);
      head.triedBytes = stop - at;
      head.seenBytes = stop - at;
      return INCOMPLETE;
    }
    head.lineStart = next;
    head.triedBytes = 0;
    head.seenBytes = 0;
  }
  return head.lineStart;
}

function refuse(head: RequestHead, status: number): number {
  head.stage = DONE;
  return status;
}

/** Whether the line at `at`, which was tried before, is still without its end and not much longer. */
function isVain(bytes: Uint8Array, at: number, stop: number, head: RequestHead): boolean {
  if (head.triedBytes === 0 || stop - at >= 2 * head.triedBytes) return false;
  const seen = at + head.seenBytes;
  for (let i = seen; i < stop; i++) if (bytes[i] === LF) return false;
  head.seenBytes = stop - at;
  return true;
}

/** A field, or the empty line that ends the head. */
function parseNext(
  bytes: Uint8Array,
  at: number,
  stop: number,
  head: RequestHead,
  bounds: HeadBounds,
): number {
  if (at >= stop) return INCOMPLETE;
  if (bytes[at] === CR || bytes[at] === LF) {
    const next = pastLineEnd(bytes, at, stop);
    return next > 0 ? finish(head, next) : next;
  }
  const next = parseFieldLine(bytes, at, stop);
  // Names with other characters than letters, digits and "-" are left out, as nginx does
  // (`ignore_invalid_headers`, and `underscores_in_headers off`): behind CGI "X_Forwarded_For" and
  // "X-Forwarded-For" are one name.
  if (next <= 0 || !(line.isPlain || isWanted(bytes, at, bounds))) return next;
  const status = noteField(bytes, at, next, head, bounds.fields);
  return status < 0 ? status : next;
}

/** A name that nginx would leave out unless it is told otherwise. */
function isWanted(bytes: Uint8Array, start: number, { names = "plain" }: HeadBounds): boolean {
  if (names !== "underscores") return names === "any";
  for (let at = start; at < line.nameEnd; at++)
    if (bytes[at] !== UNDERSCORE && (CLASS[bytes[at]!]! & PLAIN_NAME) === 0) return false;
  return true;
}

function finish(head: RequestHead, next: number): number {
  // RFC 9112, 3.2: also when the target names the host.
  if (head.minor > 0 && head.hostField < 0) return -400;
  // A server that is no proxy (nginx answers the same).
  if (head.method === "CONNECT") return -405;
  head.keepsAlive = !head.hasClose && (head.minor > 0 || head.hasKeepAlive);
  head.upgradesToWebSocket &&= head.hasConnectionUpgrade && head.minor > 0;
  head.stage = DONE;
  return next;
}
