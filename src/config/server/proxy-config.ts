/**
 * What a location of role `proxy` and an `[[upstream]]` must fulfil, and what is made of them. The checks are
 * called by document.ts, the rest by build.ts.
 */

import type { Issue } from "../fault.ts";
import { parseMatch } from "../location/match-syntax.ts";
import type { NamedValue, ProxyConfig, UpstreamConfig, UpstreamServer } from "../model/proxy.ts";
import type { LocationValues, UpstreamValues } from "../options.ts";
import { boundedRegex } from "../regex/bounded-regex.ts";
import { parseDuration } from "../units.ts";
import { hasVariables, parseAddress, parseProxyTarget } from "./proxy-target.ts";

type Table = Readonly<Record<string, unknown>>;

/** Ours to say: how long a body is, and whether the connection goes on, follows from what is sent. */
const OURS = ["content-length", "transfer-encoding"];
const NEXT_STATUS = "http_(?:500|502|503|504|403|404|429)";
const NEXT = new RegExp(
  `^(?:error|timeout|invalid_header|${NEXT_STATUS}|non_idempotent|off|denied|updating)$`,
);
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const NO_VALUE = /[\r\n\0]/;

/** "X-Real-IP $remote_addr" */
export function readSetHeader(text: string): NamedValue {
  const found = /^\s*(\S+)\s*(.*?)\s*$/s.exec(text);
  return { name: found?.[1] ?? "", value: found?.[2] ?? "" };
}

/** `valueAt` gives a key's value, undefined if it was faulty. */
export function proxyIssues(written: Table, valueAt: (key: string) => unknown): readonly Issue[] {
  const issues: Issue[] = [];
  const note = (suffix: string, value: unknown, sentence: string | null): void => {
    if (sentence !== null) issues.push({ suffix, value, sentence });
  };
  const to = valueAt("proxy");
  if (typeof to === "string") note(".proxy", to, targetFault(to, valueAt("match")));
  for (const [key, fault] of TEXT_FAULTS) {
    if (written[key] === undefined) continue;
    const texts = valueAt(key);
    if (Array.isArray(texts))
      texts.forEach((text: string, i) => {
        note(`.${key}[${i}]`, text, fault(text));
      });
    if (typeof written["proxy"] !== "string")
      note(`.${key}`, written[key], `${key} is for a location with proxy.`);
  }
  return issues;
}

function targetFault(text: string, match: unknown): string | null {
  if (hasVariables(text))
    return /^(?:https?:\/\/|\$)/i.test(text) ? null : "it must begin with http:// or https://.";
  const target = parseProxyTarget(text);
  if (target === null)
    return "it must be http:// or https:// and a host, host:port, unix:/path or an upstream.";
  if (target.uri === null || typeof match !== "string") return null;
  const outcome = parseMatch(match);
  return outcome.ok && (outcome.match.form === "regex" || outcome.match.form === "named")
    ? "it cannot have a path where the location is a regular expression or has a name: nothing says " +
        "which part it stands for."
    : null;
}

const nameFault = (text: string): string | null => (TOKEN.test(text) ? null : "it is no name of a field.");

const TEXT_FAULTS: ReadonlyMap<string, (text: string) => string | null> = new Map([
  [
    "proxy_set_header",
    (text: string) => {
      const { name, value } = readSetHeader(text);
      if (!TOKEN.test(name)) return "a field needs a name.";
      if (NO_VALUE.test(value)) return "a field's value has no line breaks.";
      return OURS.includes(name.toLowerCase()) && value !== ""
        ? `${name} follows from the body and cannot be set.`
        : null;
    },
  ],
  ["proxy_hide_header", nameFault],
  ["proxy_pass_header", nameFault],
  ["proxy_next_upstream", (text: string) => (NEXT.test(text) ? null : `invalid value "${text}".`)],
  ["proxy_redirect", redirectFault],
]);

function redirectFault(text: string): string | null {
  if (text === "default" || text === "off") return null;
  const [from = "", ...to] = text.trim().split(/\s+/);
  if (to.length !== 1) return 'it is "default", "off", "from to" or "~regex to".';
  if (!from.startsWith("~")) return null;
  const outcome = boundedRegex(from.replace(/^~\*?/, ""), from.startsWith("~*") ? "si" : "s");
  return outcome.ok ? null : outcome.sentence;
}

export function upstreamIssues(values: Table, names: Set<string>): readonly Issue[] {
  const issues: Issue[] = [];
  const name = values["upstream[].name"];
  const servers = values["upstream[].server"];
  if (name === null) issues.push({ suffix: ".name", value: undefined, sentence: "name must be set." });
  else if (typeof name === "string") {
    if (!/^[\w.-]+$/.test(name))
      issues.push({ suffix: ".name", value: name, sentence: "a name is letters, digits, _, . and -." });
    if (names.has(name.toLowerCase()))
      issues.push({ suffix: ".name", value: name, sentence: "duplicate upstream." });
    names.add(name.toLowerCase());
  }
  if (!Array.isArray(servers)) return issues;
  servers.forEach((text: string, i) => {
    const server = readServer(text);
    if (typeof server === "string") issues.push({ suffix: `.server[${i}]`, value: text, sentence: server });
  });
  const isUsable = servers.some((text: string) => {
    const server = readServer(text);
    return typeof server === "string" || !server.isBackup;
  });
  if (!isUsable)
    issues.push({ suffix: ".server", value: servers, sentence: "it needs a server that is no backup." });
  return issues;
}

/** Defaults are nginx's. A sentence: what is wrong with it. */
export function readServer(text: string): UpstreamServer | string {
  const [place = "", ...words] = text.trim().split(/\s+/);
  const address = parseAddress(place);
  if (address === null) return `"${place}" is no address: host:port or unix:/path.`;
  const server = { address, weight: 1, maxFails: 1, failMs: 10_000, isBackup: false, isDown: false };
  for (const word of words) {
    const [key = "", value = ""] = word.split("=", 2);
    const count = /^\d{1,9}$/.test(value) ? Number(value) : null;
    if (key === "weight" && count !== null && count > 0) server.weight = count;
    else if (key === "max_fails" && count !== null) server.maxFails = count;
    else if (key === "fail_timeout" && parseDuration(value) !== null)
      server.failMs = parseDuration(value) ?? 0;
    else if (key === "max_fails" || key === "weight" || key === "fail_timeout")
      return `invalid value in "${word}".`;
    else if (word === "backup") server.isBackup = true;
    else if (word === "down") server.isDown = true;
    else return `invalid parameter "${word}".`;
  }
  return server;
}

// --- the model ---------------------------------------------------------------------------------------------

export function buildProxy(location: LocationValues): ProxyConfig | null {
  const { proxy: to } = location;
  if (to === null) return null;
  return {
    to,
    setHeaders: location.proxy_set_header.map(readSetHeader),
    hideHeaders: location.proxy_hide_header,
    passHeaders: location.proxy_pass_header,
    passesFields: location.proxy_pass_request_headers,
    passesBody: location.proxy_pass_request_body,
    minor: location.proxy_http_version === "1.0" ? 0 : 1,
    redirects: location.proxy_redirect,
    connectMs: location.proxy_connect_timeout,
    sendMs: location.proxy_send_timeout,
    readMs: location.proxy_read_timeout,
    interceptsErrors: location.proxy_intercept_errors,
    next: new Set(location.proxy_next_upstream),
    nextTries: location.proxy_next_upstream_tries,
    nextMs: location.proxy_next_upstream_timeout,
    ignoresAbort: location.proxy_ignore_client_abort,
    tls: {
      tellsName: location.proxy_ssl_server_name,
      name: location.proxy_ssl_name,
      verifies: location.proxy_ssl_verify,
      trusted: location.proxy_ssl_trusted_certificate,
    },
  };
}

export const buildUpstream = (values: UpstreamValues): UpstreamConfig => ({
  name: values.name.toLowerCase(),
  servers: values.server.map(readServer).filter((server) => typeof server !== "string"),
  balance: values.balance,
  keepalive: values.keepalive,
  keepaliveMs: values.keepalive_timeout,
  keepaliveRequests: values.keepalive_requests,
});
