/**
 * The head of the request that goes to a backend. Fields that a location sets come first, then the client's
 * own, but for those that are set and those that were for its connection only (RFC 9110 7.6.1). Compiled with
 * a location, used by endpoint.ts.
 */
import type { LocatedRequest } from "../config/location/located-request.ts";
import { rawLocationValue } from "../config/location/location-values.ts";
import type { CompiledValue } from "../config/location/variables.ts";
import type { ProxyConfig } from "../config/model/proxy.ts";
import type { LocationConfig } from "../config/model.ts";
import { parseProxyTarget } from "../config/server/proxy-target.ts";
import { fieldValue } from "../front/field-value.ts";

/** What of a body a backend is told. */
export interface Framing {
  /** -1: there is none, or it comes in chunks. */
  readonly length: number;
  readonly isChunked: boolean;
}

export interface RequestLines {
  readonly text: string;
  /** The connection is to become another protocol's. */
  readonly wantsUpgrade: boolean;
}

type Compose = (
  located: LocatedRequest,
  where: { readonly uri: string; readonly authority: string },
  framing: Framing,
) => RequestLines;

/** Never the client's: for its connection only, or said anew. */
const OF_CONNECTION: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "te",
  "transfer-encoding",
  "content-length",
  "expect",
  "upgrade",
]);
/**
 * Bun's door has all that it takes for fields; behind CGI "x_forwarded_for" and "x-forwarded-for" are one
 * (nginx drops them).
 */
const PLAIN_NAME = /^[a-z\d-]+$/i;
const PROXY_HOST = /\$(?:proxy_host\b|\{proxy_host\})/gi;

interface SetField {
  readonly name: string;
  /** null: the backend's own name. */
  readonly value: CompiledValue | null;
}

export function compileRequestLines(location: LocationConfig, proxy: ProxyConfig): Compose {
  const known = parseProxyTarget(proxy.to)?.authority ?? "";
  const fields: readonly SetField[] = proxy.setHeaders.map(({ name, value }) => ({
    name,
    value: /^\$(?:proxy_host|\{proxy_host\})$/i.test(value)
      ? null
      : rawLocationValue(
          location,
          value.replace(PROXY_HOST, () => known),
        ),
  }));
  const replaced = new Set([...OF_CONNECTION, ...fields.map(({ name }) => name.toLowerCase())]);
  const saysConnection = fields.some(({ name }) => name.toLowerCase() === "connection");
  const isOurs = (name: string): boolean => /^(?:content-length|transfer-encoding)$/i.test(name);
  return (located, { uri, authority }, { length, isChunked }) => {
    let text = `${located.method} ${uri} HTTP/1.${proxy.minor}\r\n`;
    let hasHost = false;
    let wantsUpgrade = false;
    for (const { name, value } of fields) {
      const said = value === null ? authority : fieldValue(value(located));
      if (said === "" || isOurs(name)) continue;
      text += `${name}: ${said}\r\n`;
      const low = name.toLowerCase();
      if (low === "host") hasHost = true;
      else if (low === "upgrade") wantsUpgrade = true;
    }
    if (!saysConnection && wantsUpgrade) text += "Connection: upgrade\r\n";
    else if (!saysConnection && proxy.minor === 0) text += "Connection: close\r\n";
    if (length >= 0) text += `Content-Length: ${length}\r\n`;
    else if (isChunked) text += "Transfer-Encoding: chunked\r\n";
    if (proxy.passesFields) {
      const hops = hopsOf(located.header("connection"));
      for (const [name, value] of fieldsOf(located)) {
        const low = name.toLowerCase();
        if (replaced.has(low) || hops?.includes(low) === true) continue;
        text += `${name}: ${value}\r\n`;
        if (low === "host") hasHost = true;
      }
    }
    if (!hasHost && !replaced.has("host")) text += `Host: ${authority}\r\n`;
    return { text: `${text}\r\n`, wantsUpgrade };
  };
}

/** null: most clients name none. */
function hopsOf(connection: string | null): readonly string[] | null {
  if (connection === null || /^(?:keep-alive|close)$/i.test(connection)) return null;
  return connection.split(",").map((token) => token.trim().toLowerCase());
}

function fieldsOf({ request }: LocatedRequest): Iterable<readonly [name: string, value: string]> {
  if (request.exchange !== undefined) return request.exchange.fields();
  return [...request.headers].filter(([name]) => PLAIN_NAME.test(name));
}
