/**
 * `allowed_origins`: which origins besides its own a location answers. front/origin-check.ts refuses the
 * others; publish/ and subscribe/ announce the one that asks (CORS). One origin, several, or `*`.
 *
 * Without `check_origin`, as from an nginx.conf, the value is announced as it stands and nobody is refused
 * (push-stream spec 4.11).
 */

import type { CompiledValue } from "../location/variables.ts";
import type { LocationConfig } from "../model.ts";

const SEPARATOR = /[\s,]+/;

export const EVERY_ORIGIN = "*";

/** Whether the text names the origin. Origins have no case (RFC 6454 4). */
export const namesOrigin = (text: string, origin: string): boolean =>
  text.split(SEPARATOR).some((one) => one === EVERY_ORIGIN || one.toLowerCase() === origin.toLowerCase());

/**
 * Whether the cookies of a browser's user decide what he may do here: in a token, or as a backend is told of
 * them.
 */
export const readsCookies = ({ grants }: Pick<LocationConfig, "grants">): boolean =>
  grants !== null &&
  (grants.places.some(({ kind }) => kind === "cookie") ||
    grants.question?.headers.includes("cookie") === true);

/** What Access-Control-Allow-Origin says, which can be one origin only: of several the one that asks. */
export function announcedOrigin({ checkOrigin }: LocationConfig, value: CompiledValue): CompiledValue {
  if (!checkOrigin) return value;
  return (facts) => {
    const text = value(facts).trim();
    if (!SEPARATOR.test(text)) return text;
    const origin = facts.header("origin") ?? "";
    return namesOrigin(text, origin) ? origin : "";
  };
}
