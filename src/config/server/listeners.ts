/**
 * What goes on with each address: its certificates, the tuning of its socket, the server for hosts nobody
 * claims, and the door. Called by build.ts; the checks of servers and the warnings ask for the door, too.
 */

import type { LocationEntry, ServerEntry } from "../document.ts";
import type { Door, DoorReason, ListenerConfig, SocketFile, SocketTuning } from "../model/server.ts";
import type { MainValues } from "../options.ts";
import { buildConnections, moreGenerous } from "./connections.ts";
import { parseListen } from "./listen-text.ts";

/** 0 leaves it to the system or the runtime (model.ts). */
const UNSET = 0;
/** As nginx makes its sockets: who may reach the folder may connect. */
const FOR_EVERYBODY: SocketFile = { mode: 0o666, group: null };

type Draft = { -readonly [Key in keyof ListenerConfig]: ListenerConfig[Key] };

/** One for each address; the first server that names it is its default unless another claims that. */
export function buildListeners(servers: readonly ServerEntry[], main: MainValues): ListenerConfig[] {
  const listeners = new Map<string, Draft>();
  const asked = askedDoors(servers);
  servers.forEach(({ values }, serverIndex) => {
    for (const text of values.listen) {
      const { address, flags, tuning, file } = parseListen(text);
      const known = listeners.get(address);
      const listener = known ?? {
        address,
        tls: [],
        http2: false,
        ipv6Only: false,
        tuning: buildTuning(main),
        file: FOR_EVERYBODY,
        headerNames: values.header_names,
        connections: buildConnections(main, values),
        defaultServer: serverIndex,
        ...doorOf(asked.get(address), main),
      };
      if (flags.has("default_server")) listener.defaultServer = serverIndex;
      listener.connections = moreGenerous(listener.connections, buildConnections(main, values));
      // They are read before anybody knows which server is meant.
      if (listener.headerNames === "plain" || values.header_names === "any")
        listener.headerNames = values.header_names;
      if (flags.has("http2") || flags.has("h2c")) listener.http2 = true;
      if (flags.has("ipv6only")) listener.ipv6Only = true;
      listener.tuning = { ...listener.tuning, ...tuning };
      listener.file = { ...listener.file, ...file };
      const { tls_certificate: certificate, tls_certificate_key: key, server_name: names } = values;
      if (flags.has("ssl") && certificate !== null && key !== null)
        listener.tls = [
          ...listener.tls,
          {
            names,
            certificate,
            key,
            pem: null,
            protocols: values.tls_protocols,
            ciphers: values.tls_ciphers,
            prefersOwnCiphers: values.tls_prefer_server_ciphers,
          },
        ];
      listeners.set(address, listener);
    }
  });
  return [...listeners.values()];
}

const buildTuning = (main: MainValues): SocketTuning => ({
  keepalive: main.keepalive,
  userTimeoutMs: main.tcp_user_timeout,
  sendBufferBytes: main.send_buffer ?? UNSET,
  deferred: main.deferred,
  backlog: main.backlog ?? UNSET,
  fastopen: main.fastopen ?? UNSET,
});

// --- doors -------------------------------------------------------------------------------------------------

/** What the servers of one address ask for. */
export interface AskedDoor {
  /** null: none of them asks. */
  readonly door: Door | null;
  readonly ssl: boolean;
  readonly http2: boolean;
  /** HTTP/2 without TLS, from clients that know (RFC 9113 3.3). */
  readonly h2c: boolean;
  /** Files of its certificates, each once. */
  readonly certificates: readonly string[];
  /** One of their locations compresses messages of WebSockets. */
  readonly compresses: boolean;
}

/** By address. Values that are faulty are undefined, and ask for nothing. */
export function askedDoors(servers: readonly ServerEntry[]): ReadonlyMap<string, AskedDoor> {
  const asked = new Map<string, AskedDoor>();
  for (const { values, locations } of servers) {
    for (const text of values.listen ?? []) {
      const { address, flags } = parseListen(text);
      const before = asked.get(address);
      asked.set(address, {
        door: before?.door ?? values.listener ?? null,
        ssl: before?.ssl === true || flags.has("ssl"),
        http2: before?.http2 === true || flags.has("http2"),
        h2c: before?.h2c === true || flags.has("h2c"),
        compresses: before?.compresses === true || compress(locations),
        certificates: withOne(before?.certificates ?? [], flags.has("ssl") ? values.tls_certificate : null),
      });
    }
  }
  return asked;
}

const withOne = (files: readonly string[], file: string | null | undefined): readonly string[] =>
  file === null || file === undefined || files.includes(file) ? files : [...files, file];

export const compress = (locations: readonly LocationEntry[]): boolean =>
  locations.some(
    ({ values, steps, locations: inner }) =>
      values.websocket_compression === true ||
      steps.some(({ overrides }) => overrides.websocket_compression === true) ||
      compress(inner),
  );

/**
 * Only the native door speaks HTTP/2, and shows each name its own certificate; only the wire door sends
 * frames that were compressed for all. Where that is to be had, the top of the file does not choose.
 */
export function doorOf(
  asked: AskedDoor | undefined,
  main: Partial<MainValues>,
): { readonly door: Door; readonly doorReason: DoorReason } {
  if (asked !== undefined && asked.door !== null) return { door: asked.door, doorReason: "server" };
  const door = main.listener ?? "native";
  const compresses = asked?.compresses === true;
  if (door === "native" && !compresses) return { door, doorReason: "default" };
  if (asked?.ssl === true && asked.http2) return { door: "native", doorReason: "http2" };
  if (asked?.h2c === true) return { door: "native", doorReason: "h2c" };
  if (asked !== undefined && asked.certificates.length > 1)
    return { door: "native", doorReason: "certificates" };
  return { door: "wire", doorReason: door === "wire" ? "file" : "compression" };
}
