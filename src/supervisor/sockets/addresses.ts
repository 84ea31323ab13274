/**
 * Listen addresses as main sees them: who gets which, and whether they are free. Workers do the real binding
 * (app.ts).
 *
 * Workers bind TCP with SO_REUSEPORT, so a second program that does the same would share the port in silence.
 * Main therefore binds every new address once *without* that option, before any worker starts, and lets go
 * again.
 *
 * A unix socket has no SO_REUSEPORT: one worker of a generation owns it. It binds `<path>.<slot>`, and main
 * renames that over `<path>` once the worker is ready. The rename is atomic, so a reload or a restart of the
 * owner changes hands without a moment in which connect(2) fails, and the runtime's unlink on close hits the
 * old, already moved name.
 */
import { lstatSync, renameSync, rmSync } from "node:fs";
import type { Config } from "../../config/model.ts";

const UNIX_PREFIX = "unix:";
/** The probes exchange nothing. */
const SILENT = { data: (): void => undefined };

export type Address =
  | { readonly kind: "tcp"; readonly hostname: string; readonly port: number }
  | { readonly kind: "unix"; readonly path: string };

/** Reads "host:port", "[::1]:port" or "unix:/path"; null when it is none of them. */
export function parseAddress(text: string): Address | null {
  if (text.startsWith(UNIX_PREFIX)) {
    const path = text.slice(UNIX_PREFIX.length);
    return path.length > 0 ? { kind: "unix", path } : null;
  }
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text);
  const hostname = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  return hostname === undefined || !(port <= 65535) ? null : { kind: "tcp", hostname, port };
}

export type ProbeOutcome =
  | { readonly ok: true; readonly listen: readonly string[] }
  | { readonly ok: false; readonly faults: readonly string[] };

/**
 * Binds each address for a moment. On success the answer is the list with port 0 replaced by the port the
 * kernel chose, so that all workers get the same one. All faults are told, not the first.
 */
export async function probeAddresses(listen: readonly string[]): Promise<ProbeOutcome> {
  const resolved: string[] = [];
  const faults: string[] = [];
  for (const text of listen) {
    const address = parseAddress(text);
    if (address === null) faults.push(`listen: ${text} is not host:port, [address]:port or unix:/path`);
    else if (address.kind === "unix") {
      const fault = await probeUnix(address.path);
      if (fault === null) resolved.push(text);
      else faults.push(fault);
    } else {
      const outcome = probeTcp(address.hostname, address.port, text);
      if (typeof outcome === "number") resolved.push(text.replace(/:0$/, `:${outcome}`));
      else faults.push(outcome);
    }
  }
  return faults.length === 0 ? { ok: true, listen: resolved } : { ok: false, faults };
}

/** The port that was bound, or a fault. */
function probeTcp(hostname: string, port: number, text: string): number | string {
  try {
    const probe = Bun.listen({ hostname, port, exclusive: true, socket: SILENT });
    const bound = probe.port;
    probe.stop(true);
    return bound;
  } catch (error) {
    const fault = BIND_FAULTS[(error as NodeJS.ErrnoException).code ?? ""];
    return `listen: ${text} ${fault ?? "cannot be bound: is the host name right?"}`;
  }
}

const BIND_FAULTS: Readonly<Record<string, string>> = {
  EADDRINUSE: "is in use",
  EACCES: "needs more rights: ports below 1024 are for root or CAP_NET_BIND_SERVICE",
  EADDRNOTAVAIL: "is not an address of this machine",
  EAFNOSUPPORT: "is of an address family this machine does not have",
  EMFILE: "cannot be bound: no file descriptors left",
};

/** A socket file that nobody answers on is a leftover and is removed; anything else is not ours to touch. */
async function probeUnix(path: string): Promise<string | null> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return null;
  if (!found.isSocket()) return `listen: unix:${path} exists and is not a socket`;
  try {
    const connection = await Bun.connect({ unix: path, socket: SILENT });
    connection.end();
    return `listen: unix:${path} is in use`;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ECONNREFUSED" && removeSocket(path)) return null;
    return `listen: unix:${path} cannot be taken over (${code ?? (error as Error).message})`;
  }
}

/**
 * The configuration with its addresses under other names, wherever they stand in it; null takes an address
 * away. `listeners` stays in the order of `listen`.
 */
export function renameAddresses(config: Config, rename: (address: string) => string | null): Config {
  const names = new Map(config.listen.map((address) => [address, rename(address)]));
  const renamed = (addresses: readonly string[]): string[] =>
    addresses.map((address) => names.get(address) ?? null).filter((name) => name !== null);
  const listeners = config.listeners.flatMap((listener) => {
    const address = names.get(listener.address) ?? null;
    return address === null ? [] : [{ ...listener, address }];
  });
  const servers = config.servers.map((server) => ({ ...server, listen: renamed(server.listen) }));
  return { ...config, listen: renamed(config.listen), listeners, servers };
}

/**
 * What worker number `seat` of a generation listens on: TCP for all, unix sockets (under a name of its own)
 * for the first.
 */
export const shareOf = (config: Config, seat: number, slot: number): Config =>
  renameAddresses(config, (text) => {
    if (!text.startsWith(UNIX_PREFIX)) return text;
    return seat === 0 ? ownName(text, slot) : null;
  });

/** How many workers can serve these addresses: one when there is nothing but unix sockets. */
export const usefulWorkers = (listen: readonly string[], workers: number): number =>
  listen.every((text) => text.startsWith(UNIX_PREFIX)) ? 1 : workers;

/** Moves the first worker's unix sockets to their public names. Call when it is ready. */
export function publishSockets(listen: readonly string[], slot: number): void {
  for (const text of listen) {
    if (!text.startsWith(UNIX_PREFIX)) continue;
    renameSync(ownName(text, slot).slice(UNIX_PREFIX.length), text.slice(UNIX_PREFIX.length));
  }
}

/** Clears the way for a worker that is about to bind under `slot`: a killed one leaves its file behind. */
export function removeOwnSockets(listen: readonly string[], slot: number): void {
  for (const text of listen) {
    if (text.startsWith(UNIX_PREFIX)) removeSocket(ownName(text, slot).slice(UNIX_PREFIX.length));
  }
}

/** Takes the public names away: at a stop, or for addresses a reload dropped. */
export function removePublicSockets(listen: readonly string[]): void {
  for (const text of listen) if (text.startsWith(UNIX_PREFIX)) removeSocket(text.slice(UNIX_PREFIX.length));
}

const ownName = (text: string, slot: number): string => `${text}.${slot}`;

function removeSocket(path: string): boolean {
  try {
    rmSync(path, { force: true });
    return true;
  } catch {
    return false; // no right to remove it: the bind that follows reports it with its own sentence
  }
}
