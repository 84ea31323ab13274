/**
 * The second door: HTTP/1.1 and WebSockets by ourselves, on Bun's TCP sockets (`Bun.listen`). For addresses
 * whose bytes must be exact: a stream's head leaves before its first message, HTTP/1.0 is kept alive,
 * pipelined requests are answered in order. Made by app.ts.
 *
 * The roles that carry messages are asked at once; everything else goes through the application as a real
 * Request. Not chosen: node:http, which has no topics for WebSockets and costs ten times as much a publish.
 */

import type { ListenerConfig } from "../config/model/server.ts";
import type { AddressSource } from "../config/server/door.ts";
import { headerOnly, refuse } from "../http/answer.ts";
import type { Answer } from "../http/direct-answer.ts";
import { Refusals } from "../http/errors.ts";
import type { Incoming } from "../http/incoming.ts";
import { log } from "../log.ts";
import { FrameDecoder } from "../wire/frame-decoder.ts";
import { DEFAULT_BOUNDS } from "./http1/request-head.ts";
import { hostAndPort, type Listener, type ListenOptions } from "./listener.ts";
import { setRights } from "./socket-file.ts";
import type { NativePeer } from "./socket-handlers.ts";
import { certificatePair, tlsTuning } from "./tls-options.ts";
import { Connection } from "./wire/connection.ts";
import { DueList } from "./wire/due-list.ts";
import { Ear } from "./wire/ear.ts";
import type { Inlet } from "./wire/outlet.ts";
import type { SocketServer } from "./wire/socket-server.ts";
import { sendAnswers } from "./wire/turn-answers.ts";
import { volleys } from "./wire/volleys.ts";
import { WireRequest } from "./wire/wire-request.ts";
import { WireServer } from "./wire/wire-server.ts";

/** What the roles ask of a server: nothing here has an idle timeout while it is held. */
export interface WireBridge extends AddressSource {
  requestIP(): null;
  timeout(): void;
  upgrade(request: Incoming, options: { data: NativePeer; headers: Record<string, string> }): boolean;
}

export interface WireListenOptions extends ListenOptions {
  /** Publishing and subscribing; null: the request is another role's. */
  readonly serve: (request: Incoming, server: WireBridge) => Answer | Promise<Answer> | null;
  /** There are more connections than may be. */
  readonly isFull: () => boolean;
  /** Connections above this are closed at once: they would take the last descriptors. */
  readonly mostOpen: number;
}

const LINGER_MS = 5000;
const CLOSE_FRAME_MS = 5000;
const MAX_BYTES = 0x7fffffff;
/** Of a chunk's size line, and of all trailers: nobody says anything there. */
const CHUNK_LINE_BYTES = 4096;
const TRAILER_BYTES = 8192;

/** Throws when the address cannot be listened on. */
export function startWireListener(options: WireListenOptions): Listener {
  const { listener, maxBodyBytes, connections, mostOpen } = options;
  const { address } = listener;
  volleys.begin();
  const isUnix = address.startsWith("unix:");
  const [certificate] = listener.tls;
  const app = options.compose();
  const bridge: WireBridge = {
    requestIP: () => null,
    timeout: () => undefined,
    upgrade: (request, { data, headers }) =>
      request.exchange instanceof WireRequest && request.exchange.upgrade(data, headers),
  };
  Reflect.set(app, "server", bridge);
  const scheme = certificate === undefined ? "http" : "https";
  const answer = (request: WireRequest): Answer | Promise<Answer> => {
    const direct = options.serve(request, bridge);
    if (direct !== null) return direct;
    sendAnswers();
    const whole = request.toRequest();
    return whole === null ? headerOnly(405) : app.fetch(whole);
  };
  const failed = (error: unknown): Response => {
    const known = options.answerTo(error);
    if (known === null) log("error", "a request failed", { error: String(error) });
    return known ?? refuse(Refusals.internal);
  };
  const server = new WireServer(
    {
      scheme,
      isUnix,
      bounds: {
        ...DEFAULT_BOUNDS,
        lineBytes: connections.maxLineBytes,
        headBytes: connections.maxHeadBytes,
        names: listener.headerNames,
      },
      bodyBounds: {
        bodyBytes: maxBodyBytes > 0 ? maxBodyBytes : Number.MAX_SAFE_INTEGER,
        chunkLineBytes: CHUNK_LINE_BYTES,
        trailerBytes: TRAILER_BYTES,
      },
      deadlines: {
        headMs: connections.headMs,
        bodyMs: connections.bodyMs,
        idleMs: connections.idleMs,
        sendMs: connections.sendMs,
        lingerMs: LINGER_MS,
      },
      mostRequests: connections.maxRequests || Number.POSITIVE_INFINITY,
      resetsTimedOut: connections.isReset,
      toldIdleSec: connections.toldIdleSec,
      answer,
      failed,
    },
    (made) => socketServer(made, options),
  );
  options.serves(bridge, {
    peerOf: ({ exchange }) => exchange?.peer ?? { kind: "unknown" },
    schemeOf: () => scheme,
  });
  const socket: Bun.SocketHandler<Inlet> = {
    open: (stream) => {
      server.open++;
      if (options.isFull()) server.dropIdle();
      const connection = new Connection(server, stream, options.isFull());
      stream.data = connection;
      if (server.open > mostOpen) connection.cutOff();
    },
    data: ({ data }, bytes) => data.take(bytes),
    drain: ({ data }) => data.drained(),
    end: ({ data }) => data.ended(),
    close: ({ data }) => data.closed(),
    error: (stream, error) => {
      log("error", "a connection failed", { error: String(error) });
      stream.terminate();
    },
    // With it `open` comes before the handshake, and who never makes one is counted, and has its time.
    handshake: () => undefined,
  };
  const listening = listenOn(listener, socket);
  setRights(listener);
  return {
    address: isUnix ? address : addressOf(address, scheme, listening.port),
    get open() {
      return server.open;
    },
    publish: () => 0,
    look: (nowMs) => server.look(nowMs),
    endKept: () => {
      server.isLast = true;
    },
    stop: (closeActive) => {
      server.isLast = true;
      listening.stop();
      server.each((one) => (closeActive ? one.cutOff() : one.retire()));
    },
  };
}

interface Listening {
  readonly port: number;
  stop(): void;
}

function listenOn({ address, tls, ipv6Only }: ListenerConfig, socket: Bun.SocketHandler<Inlet>): Listening {
  const common = { socket, allowHalfOpen: true };
  if (address.startsWith("unix:")) {
    const listening = Bun.listen<Inlet>({ ...common, unix: address.slice("unix:".length) });
    return { port: 0, stop: () => listening.stop() };
  }
  const [certificate] = tls;
  const pair =
    certificate === undefined
      ? {}
      : {
          tls: {
            ...certificatePair(certificate),
            ...tlsTuning(certificate),
          },
        };
  // Its types do not have it.
  const shared: object = { reusePort: true, ...(ipv6Only ? { ipv6Only } : {}) };
  const listening = Bun.listen<Inlet>({ ...common, ...hostAndPort(address), ...pair, ...shared });
  return { port: listening.port, stop: () => listening.stop() };
}

const addressOf = (address: string, scheme: string, port: number): string =>
  `${scheme}://${address.slice(0, address.lastIndexOf(":"))}:${port}/`;

function socketServer(
  server: WireServer,
  { sockets, silenceMs, connections }: WireListenOptions,
): SocketServer {
  const { clock } = server;
  const maxMessageBytes = Math.min(sockets.maxFrameBytes, MAX_BYTES);
  const heard = new DueList(clock, silenceMs / 2);
  const asked = new DueList(clock, silenceMs / 2);
  const quiet = new DueList(clock, 0);
  const stuck = new DueList(clock, connections.sendMs, true);
  const closing = new DueList(clock, CLOSE_FRAME_MS);
  return {
    decoder: new FrameDecoder(maxMessageBytes),
    ear: new Ear(maxMessageBytes, server.newcomers),
    newcomers: server.newcomers,
    unread: new Map(),
    maxUnsentBytes: sockets.maxUnsentBytes,
    heard,
    asked,
    quiet,
    stuck,
    closing,
    lists: [heard, asked, quiet, stuck, closing],
    owedPongs: new Map(),
    resetsTimedOut: connections.isReset,
    left: () => server.left(),
  };
}
