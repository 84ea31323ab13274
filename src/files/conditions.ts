/**
 * Conditional requests and ranges (RFC 9110 13 and 14) for a file with an ETag and a time. Pure; called by
 * endpoint.ts.
 */
import { parseHttpDate } from "../wire/http-date.ts";

export interface Validators {
  /** A strong one, in its quotes; null: the file has none. */
  readonly etag: string | null;
  readonly mtimeSec: number;
}

/** Reads a header of the request by its lower-case name. */
export type HeaderReader = (name: string) => string | null;

/** nginx's: time and size in hexadecimal. */
export const fileEtag = (mtimeSec: number, size: number): string =>
  `"${mtimeSec.toString(16)}-${size.toString(16)}"`;

/** 304 or 412 instead of the file; null: the file. In the order of RFC 9110 13.2.2. */
export function preconditionStatus(
  header: HeaderReader,
  { etag, mtimeSec }: Validators,
  ifModifiedSince: "exact" | "before" | "off" = "before",
): 304 | 412 | null {
  const match = header("if-match");
  if (match !== null) {
    if (!isListed(match, etag, false)) return 412;
  } else {
    const unmodified = dateOf(header("if-unmodified-since"));
    if (unmodified !== null && mtimeSec > unmodified) return 412;
  }
  const noneMatch = header("if-none-match");
  if (noneMatch !== null) return isListed(noneMatch, etag, true) ? 304 : null;
  const modified = dateOf(header("if-modified-since"));
  if (modified === null || ifModifiedSince === "off") return null;
  return (ifModifiedSince === "exact" ? mtimeSec === modified : mtimeSec <= modified) ? 304 : null;
}

const dateOf = (text: string | null): number | null => (text === null ? null : parseHttpDate(text));

/** "*", or a list of tags; a weak one counts where `isWeak` allows. */
function isListed(list: string, etag: string | null, isWeak: boolean): boolean {
  if (list.trim() === "*") return true;
  if (etag === null) return false;
  for (const item of list.split(",")) {
    const tag = item.trim();
    if (tag === etag || (isWeak && tag === `W/${etag}`)) return true;
  }
  return false;
}

/** Positions of the first and last byte. */
export interface ByteRange {
  readonly first: number;
  readonly last: number;
}

/**
 * The one range that is asked for. "whole": none is, or what is asked for is none or several (RFC 9110 14.2
 * lets a server ignore it). "unsatisfiable": it lies behind the end (416).
 */
export function askedRange(
  header: HeaderReader,
  { etag, mtimeSec }: Validators,
  size: number,
): ByteRange | "whole" | "unsatisfiable" {
  const text = header("range");
  if (text === null) return "whole";
  const condition = header("if-range");
  if (condition !== null && condition !== etag && parseHttpDate(condition) !== mtimeSec) return "whole";
  const parts = /^bytes=\s*(\d{0,15})-(\d{0,15})\s*$/i.exec(text);
  const [, from = "", to = ""] = parts ?? [];
  if (from === "" && to === "") return "whole";
  if (from === "") return suffix(Number(to), size);
  const first = Number(from);
  const last = to === "" ? size - 1 : Math.min(Number(to), size - 1);
  if (to !== "" && Number(to) < first) return "whole";
  return first >= size ? "unsatisfiable" : { first, last };
}

/** The last so many bytes. */
const suffix = (count: number, size: number): ByteRange | "unsatisfiable" =>
  count === 0 || size === 0 ? "unsatisfiable" : { first: Math.max(size - count, 0), last: size - 1 };
