/**
 * The fields of a backend's answer that its client gets: not those that are for the connection only (RFC 9110
 * 7.6.1), not those that nginx keeps to itself, and redirects with the address that the client knows.
 * Compiled with a location, used by pass.ts.
 */

import type { LocatedRequest } from "../config/location/located-request.ts";
import type { ProxyConfig } from "../config/model/proxy.ts";
import type { LocationConfig } from "../config/model.ts";
import { SERVER } from "../http/answer.ts";
import type { PassedFields } from "../http/direct-answer.ts";
import { compileRedirects } from "./redirects.ts";
import type { ResponseHead } from "./response-head.ts";

type Field = readonly [name: string, value: string];

const OF_CONNECTION: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
]);
/** As in nginx, unless proxy_pass_header says otherwise. */
const HIDDEN = [
  "date",
  "server",
  "x-pad",
  "x-accel-expires",
  "x-accel-redirect",
  "x-accel-limit-rate",
  "x-accel-buffering",
  "x-accel-charset",
];

export type AnswerFields = (head: ResponseHead, located: LocatedRequest) => PassedFields;

export function compileAnswerFields(location: LocationConfig, proxy: ProxyConfig): AnswerFields {
  const lower = (names: readonly string[]): string[] => names.map((name) => name.toLowerCase());
  const passed = new Set(lower(proxy.passHeaders));
  const hidden = new Set([...HIDDEN, ...lower(proxy.hideHeaders)].filter((name) => !passed.has(name)));
  const redirects = compileRedirects(location, proxy.redirects);
  return ({ fields, hops, isChunked, status }, located) => {
    const list: Field[] = [];
    let text = "";
    let hasServer = false;
    let hasLength = false;
    let hasDate = false;
    const keep = (name: string, value: string): void => {
      list.push([name, value]);
      text += `${name}: ${value}\r\n`;
    };
    for (const [name, value, low] of fields) {
      if (OF_CONNECTION.has(low) || hidden.has(low) || hops.has(low)) continue;
      if (low === "content-length" && (isChunked || status === 204)) continue;
      if (low === "server") hasServer = true;
      else if (low === "content-length") hasLength = true;
      else if (low === "date") hasDate = true;
      if (redirects !== null && low === "location") keep(name, redirects(value, located));
      else if (redirects !== null && low === "refresh") keep(name, refreshed(value, redirects, located));
      else keep(name, value);
    }
    if (!hasServer) keep("Server", SERVER.Server);
    return { list, text, hasLength, hasDate };
  };
}

/** "5; url=http://backend/" */
function refreshed(
  value: string,
  redirects: (url: string, located: LocatedRequest) => string,
  located: LocatedRequest,
): string {
  const at = value.search(/url=/i);
  if (at < 0) return value;
  const start = at + "url=".length;
  return value.slice(0, start) + redirects(value.slice(start), located);
}
