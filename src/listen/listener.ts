/**
 * Listening on one address with Bun's own server: how an address is served unless `listener` says wire
 * (wire-listener.ts). Used by app.ts.
 */

import type { ConnectionConfig, ListenerConfig } from "../config/model/server.ts";
import type { AddressSource, PeerSource } from "../config/server/door.ts";
import { closing, headerOnly, refuse } from "../http/answer.ts";
import { Refusals } from "../http/errors.ts";
import { log } from "../log.ts";
import { allowHeads } from "./head-size.ts";
import { type PathRoutes, pathRoutes } from "./path-routes.ts";
import { setRights } from "./socket-file.ts";
import { type NativePeer, type SocketBounds, socketHandlers } from "./socket-handlers.ts";
import { SocketWatch } from "./socket-watch.ts";
import { certificatePair, tlsTuning } from "./tls-options.ts";

export interface Listener {
  /** As a URL or unix:path; with the port the kernel chose. */
  readonly address: string;
  /** Now: requests being answered and WebSockets; on the wire listener all connections. */
  readonly open: number;
  /** To the native sockets of a topic; what Bun's `publish` says. */
  publish(topic: string, payload: string | Uint8Array): number;
  /** Once a second: ends the WebSockets whose clients take nothing, or say nothing (performance.now()). */
  look(nowMs: number): void;
  /** Each answer from now on is the last of its connection. */
  endKept(): void;
  /** Takes no more connections; ends those there are, too, if `closeActive`. */
  stop(closeActive: boolean): void;
}

/** The part of an Elysia application that is used; its own type says too much to be passed on. */
export interface Application {
  fetch(request: Request): Response | Promise<Response>;
}

export interface ListenOptions {
  readonly listener: ListenerConfig;
  /** Largest body any location takes; 0 = unlimited. */
  readonly maxBodyBytes: number;
  readonly sockets: SocketBounds;
  /** How long a WebSocket client may be silent; 0 = for ever. */
  readonly silenceMs: number;
  readonly idleSec: number;
  readonly connections: ConnectionConfig;
  /**
   * Publishing and subscribing, asked before the application: what Elysia makes for each request (a context,
   * its headers, a promise around each promise) costs a publish 4 % and a held poll 0.2 kB. null: the request
   * is another role's.
   */
  readonly serveDirectly: (request: Request, server: Server) => Response | Promise<Response> | null;
  /** To what a role threw; null: it is a fault of ours. */
  readonly answerTo: (error: unknown) => Response | null;
  /** Makes the application for one server, composed of the worker's plugins. */
  readonly compose: () => Application;
  /**
   * Told of each server before it gets its first request; `source`: who its clients are, where Bun's server
   * cannot say.
   */
  readonly serves: (server: AddressSource, source?: PeerSource) => void;
}

export type Server = Bun.Server<NativePeer>;

/** Without a limit there still is one: Bun wants a 32-bit number. */
const MAX_BYTES = 0x7fffffff;

/** Throws when the address cannot be listened on. `paths`: that locations name. */
export function startListener(options: ListenOptions, paths: readonly string[]): Listener {
  const { address } = options.listener;
  const { server, watch, endKept } = listen(options, address, (fetch) => ({
    routes: pathRoutes(fetch, paths),
    fetch: () => headerOnly(400),
  }));
  setRights(options.listener);
  return {
    address: server.url?.href ?? address,
    get open() {
      return server.pendingRequests + server.pendingWebSockets;
    },
    publish: (topic, payload) => server.publish(topic, payload as Bun.StringOrBuffer, false),
    look: (nowMs) => watch.look(nowMs),
    endKept,
    stop: (closeActive) => void server.stop(closeActive),
  };
}

/** What Bun's server calls with a request. */
interface Answering {
  readonly routes: PathRoutes;
  readonly fetch: Application["fetch"];
}

/**
 * Bun's server for the application, on any address; `answering`: how requests come to it. Not by Elysia's own
 * `listen`, which would take routes apart and has a say in the options.
 */
export function listen(
  options: ListenOptions,
  address: string,
  answering: (fetch: Application["fetch"]) => Answering = (fetch) => ({ routes: {}, fetch }),
): { readonly server: Server; readonly watch: SocketWatch; readonly endKept: () => void } {
  allowHeads(options.connections.maxHeadBytes);
  const app = options.compose();
  const watch = new SocketWatch(options.silenceMs, options.connections.sendMs);
  const turn = new RequestsOfTurn();
  let isLast = options.connections.maxRequests === 1;
  const endKept = (): void => {
    isLast = true;
  };
  const answer = (request: Request): Response | Promise<Response> =>
    options.serveDirectly(request, server) ?? app.fetch(request);
  const server: Server = Bun.serve<NativePeer>({
    ...serveOptions(options, address, watch),
    ...answering((request) =>
      turn.isLast(request, server) || isLast ? lastAnswer(answer(request)) : answer(request),
    ),
  });
  // As Elysia's listen does: its hooks ask the application for it.
  Reflect.set(app, "server", server);
  options.serves(server);
  return { server, watch, endKept };
}

/** With more requests in one turn of the event loop some may be of clients that send them without end. */
const MOST_A_TURN = 2048;
const LOOKS_FROM = 256;
/** Of one connection, beyond that. */
const MOST_OF_ONE = 64;

/**
 * Bun answers every request in what came from a connection before it is anybody else's turn, and keeps what
 * the client does not read of the answers: with a hundred thousand of them a worker stands still for so long
 * that it is taken for dead. So from some number on the answer is the last of a connection that has sent many
 * ahead, and the rest is not looked at. Others in such a turn, of a crowd that comes at once, go on.
 */
class RequestsOfTurn {
  #count = 0;
  /** By address and port. */
  readonly #ahead = new Map<string, number>();

  isLast(request: Request, server: Server): boolean {
    // Of several turns, as long as they have few: an immediate a turn would cost more than it tells.
    if (++this.#count === LOOKS_FROM)
      setImmediate(() => {
        this.#count = 0;
        this.#ahead.clear();
      });
    return this.#count > MOST_A_TURN && this.#isAhead(request, server);
  }

  /** By a unix socket nobody can be told from others. */
  #isAhead(request: Request, server: Server): boolean {
    const from = server.requestIP(request);
    const client = from === null ? "" : `${from.address} ${from.port}`;
    const count = (this.#ahead.get(client) ?? 0) + 1;
    this.#ahead.set(client, count);
    return count > MOST_OF_ONE;
  }
}

/** An upgrade has none. */
function lastAnswer(answer: Response | Promise<Response>): Response | Promise<Response> {
  if (answer instanceof Promise) return answer.then(lastAnswer);
  return answer instanceof Response ? closing(answer) : answer;
}

function serveOptions(
  { listener, idleSec, sockets, answerTo }: ListenOptions,
  address: string,
  watch: SocketWatch,
) {
  // Bun obeys it on unix sockets, too; its types do not have it there.
  const idle: object = { idleTimeout: idleSec };
  const common = {
    ...idle,
    development: false,
    error: (error: Error) => answerTo(error) ?? failed(error),
    // publish/ bounds each body by its location; Bun's own 413 would be an answer without our headers.
    maxRequestBodySize: MAX_BYTES,
    websocket: socketHandlers(sockets, watch),
  };
  if (address.startsWith("unix:")) return { ...common, unix: address.slice("unix:".length) };
  return {
    ...common,
    ...hostAndPort(address),
    ...(listener.tls.length > 0 ? { tls: tlsOptions(listener) } : {}),
    ...(listener.http2 ? { http2: true } : {}),
    reusePort: true,
    ...(listener.ipv6Only ? { ipv6Only: true } : {}),
  };
}

export function hostAndPort(address: string): { readonly hostname: string; readonly port: number } {
  const colon = address.lastIndexOf(":");
  const hostname = address.slice(0, colon).replace(/^\[(.*)\]$/, "$1");
  return { hostname, port: Number(address.slice(colon + 1)) };
}

/** Bun takes one certificate a name; the first is also the one for clients that send none. */
export function tlsOptions({ tls }: ListenerConfig): Bun.TLSOptions[] {
  return tls.flatMap((server) => {
    const { names } = server;
    const pair = { ...certificatePair(server), ...tlsTuning(server) };
    const named = names.filter((name) => name !== "" && !name.startsWith("~"));
    return named.length === 0 ? [pair] : named.map((serverName) => ({ ...pair, serverName }));
  });
}

/**
 * A handler's promise failed: Elysia's onError does not hear of those, and Bun would answer with a page that
 * shows our source.
 */
function failed(error: Error): Response {
  log("error", "a request failed", { error: String(error) });
  return refuse(Refusals.internal);
}
