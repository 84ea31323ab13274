/**
 * `allowed_hosts`: names by which this server may be asked. A page of evil.example whose name its owner
 * points at 127.0.0.1 is of one origin with a server there (DNS rebinding), and only the Host field tells the
 * two apart. Asked by front.ts.
 *
 * Addresses are no names, so nobody can point them elsewhere: they pass, as do loopback's name and the names
 * that are listened on.
 */
import { isIP } from "node:net";
import type { LocatedRequest } from "../config/location/located-request.ts";
import type { Config } from "../config/model.ts";
import { hostName } from "../config/server/server-names.ts";

export type HostCheck = (located: LocatedRequest) => boolean;

const LOOPBACK = "localhost";

/** Whether the request names a host that may be asked here. null: any may. */
export function compileHostCheck({
  allowedHosts,
  listen,
  servers,
}: Pick<Config, "allowedHosts" | "listen" | "servers">): HostCheck | null {
  if (allowedHosts.length === 0) return null;
  const listed = [...allowedHosts, ...servers.flatMap(({ names }) => names)].map((name) =>
    name.toLowerCase(),
  );
  const exact = new Set([LOOPBACK, ...listed, ...listen.map(hostName)]);
  const suffixes = listed.filter((name) => name.startsWith("*.")).map((name) => name.slice(1));
  let last = "";
  const isKnown = (header: string): boolean => {
    const host = hostName(header);
    if (exact.has(host) || isAddress(host)) return true;
    return suffixes.some((suffix) => host.endsWith(suffix) && host.length > suffix.length);
  };
  return (located) => {
    const header = located.header("host") ?? "";
    // No browser leaves it out, and none can be made to connect to a unix socket.
    if (header === "" || header === last || located.listener.startsWith("unix:")) return true;
    if (!isKnown(header)) return false;
    last = header;
    return true;
  };
}

const isAddress = (host: string): boolean => isIP(host.replace(/^\[(.*)\]$/, "$1")) !== 0;
