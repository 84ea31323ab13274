/**
 * Checks of single values that a kind and its bounds cannot express. Called through the option table; each
 * returns every issue it finds, so that a list with two bad addresses reports two faults.
 */
import { isIPv4, isIPv6 } from "node:net";
import type { Issue } from "../fault.ts";
import { parseListen } from "../server/listen-text.ts";

/**
 * sun_path holds 108 bytes with its final NUL; workers bind "<path>.<slot>" first and rename, which takes a
 * few more.
 */
const MAX_UNIX_PATH_BYTES = 100;
const UNIX_PREFIX = "unix:";

const issue = (value: unknown, sentence: string, suffix = ""): Issue => ({ suffix, value, sentence });

/** Each address must be well formed and stand once; two spellings of one IPv6 address count as the same. */
export function listenIssues(addresses: readonly string[]): readonly Issue[] {
  if (addresses.length === 0) return [issue(addresses, "listen needs at least one address.")];
  const issues: Issue[] = [];
  const seen = new Map<string, number>();
  addresses.forEach((text, index) => {
    const { address, unknown } = parseListen(text);
    const outcome = canonicalAddress(address);
    if (unknown !== null) issues.push(issue(text, `invalid parameter "${unknown}".`, `[${index}]`));
    const first = seen.get(outcome.canonical);
    if (outcome.sentence !== null) issues.push(issue(address, outcome.sentence, `[${index}]`));
    else if (first !== undefined)
      issues.push(issue(address, `duplicate listen address, the same as listen[${first}].`, `[${index}]`));
    // The kernel picks another port for each port 0, so those never collide.
    else if (!outcome.canonical.endsWith(":0")) seen.set(outcome.canonical, index);
  });
  return issues;
}

export function tlsProtocolIssues(protocols: readonly string[]): readonly Issue[] {
  if (protocols.length === 0) return [issue(protocols, "it is TLSv1.2, TLSv1.3 or both.")];
  return protocols.flatMap((name, i) =>
    /^TLSv1\.[23]$/.test(name) ? [] : [issue(name, "it is TLSv1.2 or TLSv1.3.", `[${i}]`)],
  );
}

/** At least one candidate, and what serves without any. */
export function tryFilesIssues(entries: readonly string[]): readonly Issue[] {
  const last = entries.at(-1) ?? "";
  if (entries.length === 1)
    return [issue(entries, "try_files needs a candidate and what serves without one.")];
  return /^(?:=[1-5]\d\d|@\S+|[/$].*)$/s.test(last) || entries.length === 0
    ? []
    : [issue(last, 'the last entry is "/path", "@name" or "=status".', `[${entries.length - 1}]`)];
}

type AddressOutcome = { readonly canonical: string; readonly sentence: string | null };

function canonicalAddress(address: string): AddressOutcome {
  const bad = (sentence: string): AddressOutcome => ({ canonical: address, sentence });
  if (address.startsWith(UNIX_PREFIX)) return unixAddress(address);
  const parts = /^(?:\[([^\]]*)\]|([^:]*)):([0-9]+)$/.exec(address);
  if (parts === null) {
    const hint = isIPv6(address.replace(/:\d+$/, "")) ? " An IPv6 address stands in brackets." : "";
    return bad(`an address is "host:port", "[::1]:port" or "unix:/path".${hint}`);
  }
  const port = Number(parts[3]);
  if (port > 65_535) return bad(`port ${parts[3]} is out of range, the largest is 65535.`);
  const inBrackets = parts[1];
  if (inBrackets !== undefined) {
    if (!isIPv6(inBrackets) || inBrackets.includes("%"))
      return bad(`[${inBrackets}] is not an IPv6 address.`);
    return { canonical: `${new URL(`http://[${inBrackets}]`).hostname}:${port}`, sentence: null };
  }
  const host = (parts[2] ?? "").toLowerCase();
  const sentence = hostSentence(host);
  return { canonical: `${host}:${port}`, sentence };
}

function hostSentence(host: string): string | null {
  if (host === "" || host === "*")
    return 'the host is missing; "0.0.0.0" or "[::]" listens on every address.';
  if (isIPv4(host)) return null;
  // Digits and dots alone can only have been meant as an IPv4 address (RFC 1123 2.1).
  if (/^[\d.]+$/.test(host)) return `${host} is not an IPv4 address.`;
  const label = "[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?";
  return new RegExp(`^${label}(?:\\.${label})*$`).test(host) && host.length <= 253
    ? null
    : `${host} is not a host name.`;
}

function unixAddress(address: string): AddressOutcome {
  const path = address.slice(UNIX_PREFIX.length);
  let sentence: string | null = null;
  if (!path.startsWith("/") || path.endsWith("/") || path.includes("\0"))
    sentence = 'a unix address is "unix:/absolute/path/of/the.socket".';
  else if (Buffer.byteLength(path) > MAX_UNIX_PATH_BYTES)
    sentence = `the path of a unix address must be at most ${MAX_UNIX_PATH_BYTES} bytes.`;
  return { canonical: address, sentence };
}

/** A file path: not empty, no NUL byte, not a folder by its spelling. */
export function pathIssues(path: string): readonly Issue[] {
  const good = path !== "" && !path.includes("\0") && !path.endsWith("/");
  return good ? [] : [issue(path, "path must name a file.")];
}

/** A folder, or the beginning of a path: whether there is a "/" at its end means something to `alias`. */
export function folderIssues(path: string): readonly Issue[] {
  return path !== "" && !path.includes("\0") ? [] : [issue(path, "path must not be empty.")];
}

/** Blocks begin on cache lines, which processors we run on have of 64 bytes. */
export const multipleOf64Issues = (value: number): readonly Issue[] =>
  value % 64 === 0
    ? []
    : [
        issue(
          value,
          `must be a multiple of 64, such as ${value - (value % 64)} or ${value - (value % 64) + 64}.`,
        ),
      ];

/** Sizes the store uses as masks. */
export function powerOfTwoIssues(value: number): readonly Issue[] {
  if (Number.isInteger(Math.log2(value))) return [];
  const below = 2 ** Math.floor(Math.log2(value));
  return [issue(value, `must be a power of two, such as ${below} or ${below * 2}.`)];
}

/** It becomes a header value: a line break in it would end the header, an empty one is no type at all. */
export function contentTypeIssues(type: string): readonly Issue[] {
  return /^[\x20-\x7e]+$/.test(type.trim())
    ? []
    : [issue(type, "default_type must be plain ASCII on one line, not empty.")];
}

/** "name", "name group". */
export const userIssues = (value: string): readonly Issue[] =>
  /^[\w.-]+(?: [\w.-]+)?$/.test(value) && !value.startsWith("-")
    ? []
    : [{ suffix: "", value, sentence: "user must be the name of a user, and maybe of a group." }];
