/**
 * Options of a location that are lists of small texts: content types, access rules, added headers, access
 * logs. Each has one reader, used by the checks (through LIST_FAULTS) and by build.ts.
 */
import { isIP, isIPv4 } from "node:net";
import type { AccessRule } from "../model/access.ts";
import type { AccessLogConfig, AddedHeader } from "../model/answers.ts";
import type { ErrorPageConfig } from "../model/steps.ts";
import { parseDuration, parseSize } from "../units.ts";

type Read<Value> = { readonly value: Value } | { readonly sentence: string };

const wrong = (sentence: string) => ({ sentence });

/** "text/html html htm": the type and the extensions it is for. */
export function readTypes(
  text: string,
): Read<{ readonly type: string; readonly extensions: readonly string[] }> {
  const [type = "", ...extensions] = text.trim().split(/\s+/);
  // It becomes a header value.
  if (!/^[\x21-\x7e]+$/.test(type)) return wrong("a content type is plain ASCII.");
  return extensions.length === 0
    ? wrong("extensions must follow the content type.")
    : { value: { type, extensions: extensions.map((extension) => extension.toLowerCase()) } };
}

/** "allow 10.0.0.0/8", "deny all". */
export function readAccess(text: string): Read<AccessRule> {
  const parts = /^\s*(allow|deny)\s+(\S+)\s*$/.exec(text);
  if (parts === null) return wrong('an access rule is "allow" or "deny" and "all", an address or a network.');
  const network = parts[2] ?? "";
  return network === "all" || network === "unix:" || isNetwork(network)
    ? { value: { allow: parts[1] === "allow", network } }
    : wrong(`invalid parameter "${network}".`);
}

/** An address, or a network in CIDR form. */
export function isNetwork(text: string): boolean {
  const [address = "", bits, rest] = text.split("/");
  if (isIP(address) === 0 || rest !== undefined) return false;
  if (bits === undefined) return true;
  const least = MAPPED.test(address) ? MAPPED_BITS : 0;
  return /^\d{1,3}$/.test(bits) && Number(bits) >= least && Number(bits) <= (isIPv4(address) ? 32 : 128);
}

/** An IPv4 address in its IPv6 form: what is not in these bits is a network of neither kind. */
const MAPPED = /^[0:]*:ffff:(?:[\d.]+|[\da-f]{1,4}:[\da-f]{1,4})$/i;
const MAPPED_BITS = 96;

/** "X-Frame-Options DENY", "always X-Served-By sluice". */
export function readAddedHeader(text: string): Read<AddedHeader> {
  const parts = /^\s*(always\s+)?(\S+)(?:\s+(.*))?$/s.exec(text);
  const name = parts?.[2] ?? "";
  // RFC 9110 5.1: a field name is a token.
  if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name)) return wrong("a header needs a name.");
  const value = parts?.[3] ?? "";
  return /[\r\n\0]/.test(value)
    ? wrong("a header's value has no line breaks.")
    : { value: { name, value, always: parts?.[1] !== undefined } };
}

/** "404 =200 /page", "500 502 @name", "403 https://example.org/". */
export function readErrorPage(text: string): Read<ErrorPageConfig> {
  const parts = /^\s*((?:\d{3}\s+)+)(?:=(\d{3})?\s+)?(\S.*?)\s*$/s.exec(text);
  if (parts === null)
    return wrong('an error page is statuses, maybe "=status", and "/path", "@name" or a URL.');
  const statuses = (parts[1] ?? "").trim().split(/\s+/).map(Number);
  const bad = statuses.find((status) => status < 300 || status > 599);
  if (bad !== undefined) return wrong(`an error page is for statuses between 300 and 599, not ${bad}.`);
  const hasStatus = /^\s*(?:\d{3}\s+)+=/.test(text);
  const status = hasStatus ? Number(parts[2] ?? 0) : null;
  return { value: { statuses, status, target: parts[3] ?? "" } };
}

const COMBINED =
  '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" ' +
  '"$http_user_agent"';

/** "name text" of each format, by name; `combined` is always there. */
export function readLogFormats(texts: readonly string[]): ReadonlyMap<string, string> {
  const formats = new Map([["combined", COMBINED]]);
  for (const text of texts) {
    const parts = /^\s*(\S+)\s+(.*)$/s.exec(text);
    if (parts !== null) formats.set(parts[1] ?? "", parts[2] ?? "");
  }
  return formats;
}

/** "/path combined buffer=64k flush=1s". `formats` null: names are not looked at. */
export function readAccessLog(
  text: string,
  formats: ReadonlyMap<string, string> | null,
): Read<AccessLogConfig> {
  const [path = "", ...words] = text.trim().split(/\s+/);
  if (path === "") return wrong("an access log needs a path.");
  let name = "combined";
  let bufferBytes = 0;
  let flushMs = 0;
  for (const word of words) {
    const [key = "", setting] = word.split("=", 2);
    const size = key === "buffer" ? parseSize(setting) : 0;
    const time = key === "flush" ? parseDuration(setting) : 0;
    if (size === null || time === null) return wrong(`invalid parameter "${word}".`);
    if (key === "buffer") bufferBytes = size;
    else if (key === "flush") flushMs = time;
    else if (setting === undefined) name = word;
    else return wrong(`invalid parameter "${word}".`);
  }
  const format = formats === null ? "" : formats.get(name);
  return format === undefined
    ? wrong(`unknown log format "${name}".`)
    : { value: { path, format, bufferBytes, flushMs } };
}

const faultOf =
  (read: (text: string) => Read<unknown>) =>
  (text: string): string | null => {
    const outcome = read(text);
    return "sentence" in outcome ? outcome.sentence : null;
  };

/** By key of the location: what is wrong with one of its texts, or null. */
export const LIST_FAULTS: ReadonlyMap<string, (text: string) => string | null> = new Map([
  ["types", faultOf(readTypes)],
  ["access", faultOf(readAccess)],
  ["limit_except_access", faultOf(readAccess)],
  ["error_page", faultOf(readErrorPage)],
  ["add_header", faultOf(readAddedHeader)],
  ["access_log", faultOf((text) => readAccessLog(text, null))],
]);

/** What was read, for texts that were checked. */
export function readAll<Value>(texts: readonly string[], read: (text: string) => Read<Value>): Value[] {
  return texts.flatMap((text) => {
    const outcome = read(text);
    return "value" in outcome ? [outcome.value] : [];
  });
}
