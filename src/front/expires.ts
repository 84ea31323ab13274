/**
 * `expires` of a location, compiled: Expires and Cache-Control as nginx says them. Called by front.ts beside
 * the headers that are added, for the same statuses.
 */
import type { LocatedRequest } from "../config/location/located-request.ts";
import { rawLocationValue } from "../config/location/location-values.ts";
import type { LocationConfig } from "../config/model.ts";
import { log } from "../log.ts";
import { formatHttpDate, parseHttpDate } from "../wire/http-date.ts";

export type ExpiresAdder = (located: LocatedRequest, response: Response) => void;

type Expiry =
  | { readonly kind: "off" }
  | { readonly kind: "fixed"; readonly expires: string; readonly cacheControl: string }
  | { readonly kind: "after" | "modified" | "daily"; readonly seconds: number };

const OFF: Expiry = { kind: "off" };
const FIXED: Readonly<Record<string, Expiry>> = {
  off: OFF,
  "": OFF,
  epoch: { kind: "fixed", expires: "Thu, 01 Jan 1970 00:00:01 GMT", cacheControl: "no-cache" },
  max: { kind: "fixed", expires: "Thu, 31 Dec 2037 23:55:55 GMT", cacheControl: "max-age=315360000" },
};
const UNIT_SECONDS: Readonly<Record<string, number>> = {
  y: 31_536_000,
  M: 2_592_000,
  w: 604_800,
  d: 86_400,
  h: 3600,
  m: 60,
  s: 1,
};
const DAY_SECONDS = 86_400;
const DAY_MS = DAY_SECONDS * 1000;

/** null: nothing is said. */
export function compileExpires(location: LocationConfig): ExpiresAdder | null {
  const { expires } = location;
  if (expires === null) return null;
  if (!expires.includes("$")) {
    const expiry = readExpiry(expires);
    if (expiry === null) log("error", "expires: this is no time", { expires });
    return expiry === null || expiry.kind === "off" ? null : (_, response) => say(expiry, response);
  }
  const value = rawLocationValue(location, expires);
  return (located, response) => say(readExpiry(value(located)) ?? OFF, response);
}

/** null: it is none. "30d", "-1", "1h30m", "modified +1h", "@15h30m", epoch, max, off. */
export function readExpiry(text: string): Expiry | null {
  if (Object.hasOwn(FIXED, text)) return FIXED[text] ?? null;
  const parts = /^(modified\s+|@)?([+-]?)((?:\d+(?:[yMwdhms]\s*|$))+)$/.exec(text.trim());
  if (parts === null) return null;
  const [, kind = "", sign, amount = ""] = parts;
  let seconds = 0;
  for (const [, count, unit = "s"] of amount.matchAll(/(\d+)([yMwdhms]?)/g))
    seconds += Number(count) * (UNIT_SECONDS[unit || "s"] ?? 1);
  if (kind === "@") return seconds <= DAY_SECONDS && sign === "" ? { kind: "daily", seconds } : null;
  return { kind: kind === "" ? "after" : "modified", seconds: sign === "-" ? -seconds : seconds };
}

function say(expiry: Expiry, { headers }: Response): void {
  if (expiry.kind === "off") return;
  if (expiry.kind === "fixed") {
    headers.set("Expires", expiry.expires);
    headers.set("Cache-Control", expiry.cacheControl);
    return;
  }
  const nowSec = Math.floor(Date.now() / 1000);
  const endSec = endOf(expiry.kind, expiry.seconds, nowSec, headers);
  headers.set("Expires", formatHttpDate(endSec));
  const maxAge = endSec - nowSec;
  const isPast = expiry.kind === "after" ? expiry.seconds < 0 : maxAge < 0;
  headers.set("Cache-Control", isPast ? "no-cache" : `max-age=${maxAge}`);
}

function endOf(
  kind: "after" | "modified" | "daily",
  seconds: number,
  nowSec: number,
  headers: Headers,
): number {
  if (kind === "after") return nowSec + seconds;
  if (kind === "modified") {
    const modified = parseHttpDate(headers.get("last-modified") ?? "");
    return (modified ?? nowSec) + seconds;
  }
  const midnight = new Date().setHours(0, 0, 0, 0);
  const todaySec = Math.floor(midnight / 1000) + seconds;
  return todaySec > nowSec ? todaySec : todaySec + DAY_MS / 1000;
}
