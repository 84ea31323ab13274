/**
 * Where a location of role `proxy` passes requests on to: the text of `proxy` and of servers of an
 * `[[upstream]]`, taken apart. Used by the checks (proxy-config.ts) and, for texts with variables, by
 * src/proxy for each request.
 */
export interface ServerAddress {
  /** null: a unix socket. */
  readonly host: string | null;
  /** Of a unix socket 0. */
  readonly port: number;
  /** "" where there is a host. */
  readonly socketPath: string;
}

export interface ProxyTarget {
  readonly isTls: boolean;
  /** As it is written: the name of an upstream, or an address; `$proxy_host`. */
  readonly authority: string;
  readonly address: ServerAddress;
  /** What stands behind it, from its slash or mark on; null: nothing. */
  readonly uri: string | null;
}

const MAX_PORT = 65_535;
const HTTP = 80;
const HTTPS = 443;

/** null: it is no address. */
export function parseProxyTarget(text: string): ProxyTarget | null {
  const found = /^(https?):\/\/(.*)$/is.exec(text);
  if (found === null) return null;
  const isTls = found[1]?.toLowerCase() === "https";
  const rest = found[2] ?? "";
  const unix = /^unix:(\/[^:]+)(?::(\/.*)?)?$/s.exec(rest);
  if (unix !== null) {
    const socketPath = unix[1] ?? "";
    // nginx's name for it.
    return {
      isTls,
      authority: "localhost",
      address: { host: null, port: 0, socketPath },
      uri: unix[2] ?? null,
    };
  }
  const end = /[/?#]/.exec(rest)?.index ?? rest.length;
  const authority = rest.slice(0, end);
  const address = parseAddress(authority, isTls ? HTTPS : HTTP);
  return address === null
    ? null
    : { isTls, authority, address, uri: end === rest.length ? null : rest.slice(end) };
}

/** "host:port", "[::1]:port", "host", "unix:/path". */
export function parseAddress(text: string, defaultPort = HTTP): ServerAddress | null {
  if (text.startsWith("unix:/")) return { host: null, port: 0, socketPath: text.slice("unix:".length) };
  const found = /^(?:\[([\da-f:.]+)\]|([\w.-]+))(?::(\d{1,5}))?$/i.exec(text);
  if (found === null) return null;
  const port = found[3] === undefined ? defaultPort : Number(found[3]);
  if (port < 1 || port > MAX_PORT) return null;
  return { host: found[1] ?? found[2] ?? "", port, socketPath: "" };
}

export const hasVariables = (text: string): boolean => text.includes("$");
