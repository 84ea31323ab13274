/**
 * Checks of single values about access, and the readers of their small forms. Called through the option
 * table, by build.ts and by src/access.
 */
import type { Issue } from "../fault.ts";
import { patternFault } from "../grant/patterns.ts";
import type { RateConfig, TokenPlace } from "../model/access.ts";

const issue = (value: unknown, sentence: string, suffix = ""): Issue => ({ suffix, value, sentence });

/** Of each text that is at fault. */
const each = (texts: readonly string[], faultOf: (text: string) => string | null): readonly Issue[] =>
  texts.flatMap((text, i) => {
    const sentence = faultOf(text);
    return sentence === null ? [] : [issue(text, sentence, `[${i}]`)];
  });

// --- patterns ----------------------------------------------------------------------------------------------

export const patternsIssues = (texts: readonly string[]): readonly Issue[] => each(texts, patternFault);

// --- where tokens are --------------------------------------------------------------------------------------

/** RFC 6265 4.1.1: a token; the names of query arguments are compared the same way. */
const NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/;

export function readPlace(text: string): TokenPlace | null {
  if (text === "header" || text === "protocol") return { kind: text, name: "" };
  const [kind = "", ...rest] = text.split(":");
  const name = rest.join(":");
  return (kind === "cookie" || kind === "query") && NAME.test(name) ? { kind, name } : null;
}

export function placesIssues(texts: readonly string[]): readonly Issue[] {
  if (texts.length === 0) return [issue(texts, "a token has to be somewhere.")];
  return each(texts, (text) =>
    readPlace(text) === null ? 'a place is "header", "cookie:NAME", "query:NAME" or "protocol".' : null,
  );
}

// --- issuers -----------------------------------------------------------------------------------------------

export const ALGORITHMS: readonly string[] = [
  ...["HS256", "HS384", "HS512"],
  ...["RS256", "RS384", "RS512"],
  ...["PS256", "PS384", "PS512"],
  ...["ES256", "ES384", "ES512"],
  ...["EdDSA", "Ed25519"],
];

export const isSymmetric = (algorithm: string): boolean => algorithm.startsWith("HS");

export function algorithmsIssues(texts: readonly string[]): readonly Issue[] {
  if (texts.length === 0) return [issue(texts, "an issuer signs with at least one algorithm.")];
  // RFC 8725 3.1: a public key must never be taken for the secret of an HS token.
  if (texts.some(isSymmetric) && !texts.every(isSymmetric))
    return [issue(texts, "algorithms with a secret (HS) and with key pairs are two issuers.")];
  return each(texts, (text) =>
    ALGORITHMS.includes(text) ? null : `there is no such algorithm; there are ${ALGORITHMS.join(", ")}.`,
  );
}

export const envName = (text: string): string | null => /^env:([A-Za-z_]\w*)$/.exec(text)?.[1] ?? null;

/** The value is not shown: somebody may have written the secret itself. */
export const keyIssues = (text: string): readonly Issue[] =>
  envName(text) === null
    ? [issue("…", "key is env:NAME, a variable of the environment; a secret does not belong in this file.")]
    : [];

export function keySetIssues(text: string): readonly Issue[] {
  if (!isUrl(text))
    return text === "" || text.includes("\0") || text.endsWith("/")
      ? [issue(text, "jwks must be a URL or name a file.")]
      : [];
  const sentence = urlFault(text) ?? plainHttpFault(text);
  return sentence === null ? [] : [issue(text, sentence)];
}

export const isUrl = (text: string): boolean => /^[a-z][a-z\d+.-]*:\/\//i.test(text);

export function urlFault(text: string): string | null {
  if (!URL.canParse(text)) return "that is no URL.";
  const { protocol, username, password, hash } = new URL(text);
  if (protocol !== "http:" && protocol !== "https:") return "the URL must begin with https:// or http://.";
  if (username !== "" || password !== "") return "the URL must not have a password in it.";
  return hash === "" ? null : "the URL must not have a fragment.";
}

/** Whoever could change the keys on their way could make tokens. */
function plainHttpFault(text: string): string | null {
  const { protocol, hostname } = new URL(text);
  const isHere = hostname === "localhost" || hostname === "[::1]" || /^127\./.test(hostname);
  return protocol === "https:" || isHere ? null : "keys are fetched by https, except from this machine.";
}

// --- who is asked ------------------------------------------------------------------------------------------

export function questionIssues(text: string): readonly Issue[] {
  if (text.startsWith("/") && !text.includes("?")) return [];
  const sentence = isUrl(text) ? urlFault(text) : "auth_request is a URL, or the path of a location.";
  return sentence === null ? [] : [issue(text, sentence)];
}

// --- rates -------------------------------------------------------------------------------------------------

const RATE = /^(\d{1,7})(?:r)?\/(s|m|h)(?:\s+burst\s+(\d{1,7}))?(?:\s+status\s+(\d{3}))?$/;
const PERIOD_SEC = { s: 1, m: 60, h: 3600 } as const;

/**
 * `100/s burst 200 status 503`; null: it is none. Without a burst as many at once as in a second, and at
 * least one.
 */
export function readRate(text: string): RateConfig | null {
  const parts = RATE.exec(text.trim());
  if (parts === null) return null;
  const [, count, period = "s", burst, status = "429"] = parts;
  const perSec = Number(count) / PERIOD_SEC[period as keyof typeof PERIOD_SEC];
  const isStatus = Number(status) >= 400 && Number(status) <= 599;
  if (perSec === 0 || !isStatus) return null;
  const most = burst === undefined ? Math.max(1, perSec) : Number(burst) + 1;
  return { perSec, most, status: Number(status) };
}

export const rateIssues = (text: string): readonly Issue[] =>
  readRate(text) === null
    ? [
        issue(
          text,
          'a rate is "100/s", "10/m" or "100/s burst 200", with "status 503" behind it if 429 will not do.',
        ),
      ]
    : [];
