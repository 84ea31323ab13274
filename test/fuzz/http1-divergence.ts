/**
 * A request that two parsers do not read alike, and the questions that tell why. Used by the lists of
 * differences (http1-differences-nginx.ts, http1-differences-llhttp.ts) and by http1-compare.ts, which finds
 * it.
 */
import { BODY_BOUNDS } from "../listen/http1-fixture.ts";

export type Peer = "nginx" | "llhttp";

/** The first request of a connection that is not read alike. */
export interface Divergence {
  /** What stands from its start on. */
  readonly rest: string;
  /** Its request line, without its end. */
  readonly line: string;
  /** Its fields, line by line without their ends. */
  readonly fields: readonly string[];
  /** What stands behind its head. */
  readonly body: string;
  /** The fields and the body of the request before it, which both have read. */
  readonly before: readonly string[];
  readonly bodyBefore: string;
  readonly weRead: boolean;
  readonly theyRead: boolean;
}

export interface Difference {
  readonly peer: Peer;
  readonly what: string;
  readonly who: "only we read it" | "only they read it" | "read otherwise";
  readonly why: string;
  readonly example: string;
  readonly isCause: (found: Divergence) => boolean;
}

export const HOST = "Host: a\r\n";
export const get = (fields: string): string => `GET / HTTP/1.1\r\n${HOST}${fields}\r\n`;
export const lineOf = (line: string): string => `${line}\r\n${HOST}\r\n`;
export const chunked = (body: string): string =>
  `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n${body}`;

export const inFields = (pattern: RegExp) => (found: Divergence) =>
  found.fields.some((field) => pattern.test(field));
export const inLine = (pattern: RegExp) => (found: Divergence) => pattern.test(found.line);
export const values = (fields: readonly string[], name: string): string[] =>
  fields
    .filter((field) => field.toLowerCase().startsWith(`${name}:`))
    .map((field) => field.slice(name.length + 1));
export const isChunked = (found: Divergence): boolean => inFields(/^transfer-encoding:/i)(found);

export const methodOf = (found: Divergence): string => found.line.split(" ")[0] ?? "";

/** Host as RFC 3986 has it, and not empty: what is left when these are taken away is refused by us. */
export const GOOD_HOST =
  /^ *(\[[\w.:~!$&'()*+,;=%-]+\]|(?!\.?(:| *$))(?!.*\.\.)[\w.~!$&'()*+,;=%-]+)(:\d*)? *$/;
export const hasBadHost = (found: Divergence): boolean =>
  values(found.fields, "host").some((value) => !GOOD_HOST.test(value));
export const hasBadAuthority = inLine(
  /^\S+ +[a-z][a-z0-9+.-]*:\/\/(?!(\[[\w.:]+\]|(?![^/? ]*\.\.)[a-z0-9.-]+)(:\d*)?[/? ])/i,
);

/** Any that no value may have, and nginx reads. */
export const hasControls = (text: string): boolean =>
  Array.from(text, (char) => char.charCodeAt(0)).some(
    (code) => code === 0x7f || (code < 0x20 && !HARMLESS.has(code)),
  );
/** NUL is refused by all; CR and LF are looked at elsewhere. */
const HARMLESS = new Set([0x00, 0x09, 0x0a, 0x0d]);

/**
 * Not as RFC 9112, 7.1 has chunks: a line of a size that is no such line, or data that does not end with
 * CRLF.
 */
export function hasLooseChunks(body: string): boolean {
  let at = 0;
  for (;;) {
    const line = /^([0-9a-f]{1,16})[ \t]*(;[\t\x20-\x7e\x80-\xff]*)?\r\n/i.exec(body.slice(at));
    if (line === null) return true;
    const bytes = Number.parseInt(line[1] ?? "", 16);
    if (bytes === 0) return false;
    at += line[0].length + bytes + 2;
    if (body.slice(at - 2, at) !== "\r\n") return true;
  }
}

const trailersOf = (body: string): string =>
  /(?:^|\n)0+[ \t]*(?:;.*)?\r?\n([\s\S]*?)(?:\r\n\r\n|$)/.exec(body)?.[1] ?? "";

/** Size lines or trailers that the bounds of this test do not allow. */
export const hasLongLines = (body: string): boolean =>
  trailersOf(body).length + 2 > BODY_BOUNDS.trailerBytes ||
  body.split("\r\n").some((line) => line.length >= BODY_BOUNDS.chunkLineBytes);

/** Some line behind the last chunk is no field. */
export function hasLooseTrailers(body: string): boolean {
  const trailers = trailersOf(body);
  return !/^([\w!#$%&'*+.^`|~-]+:[\t\x20-\x7e\x80-\xff]*\r\n)*$/.test(`${trailers}\r\n`);
}
