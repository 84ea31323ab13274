/**
 * A listener whose streams send their response head before the first byte of the body (push-stream spec 4.4 (1)), by Bun's
 * implementation of node:http. Bun's own server keeps the end of a head back until the body begins, which a streaming location
 * without header template may put off for minutes; there, and only there, app.ts uses this one.
 *
 * The same application answers: a request becomes a `Request`, its `Response` is written out, a held stream writes to the
 * node response directly. WebSockets stay native: an upgrade is passed on, byte for byte, to a server of Bun's own on a unix
 * socket only this process connects to, because node:http has no topics. The price is slower publishing (about half the
 * requests a second) on such an address, nothing elsewhere.
 */
import { chmodSync, readFileSync, rmSync } from "node:fs";
import {
  createServer,
  type IncomingMessage,
  type Server as NodeServer,
  type ServerResponse,
} from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { closing } from "../answer.ts";
import type { AddressSource } from "../config/door.ts";
import { hasToken } from "../handshake.ts";
import type { Incoming } from "../incoming.ts";
import { log } from "../log.ts";
import { type Peer, tcpPeer, UNIX_PEER, UNKNOWN_PEER } from "../peer.ts";
import { hostAndPort, type Listener, type ListenOptions, listen, tlsOptions } from "./listener.ts";
import { writeAnswer } from "./node-answer.ts";
import { headOf, refusedCoding, requestOf } from "./node-request.ts";
import { peerOfRelay, relay } from "./relay.ts";
import { setRights } from "./socket-file.ts";

export interface EarlyListenOptions extends ListenOptions {
  /** Where the native server for WebSockets listens. */
  readonly socketPath: string;
  /** Whether a request to `server` is for a location of WebSockets. */
  readonly takesSockets: (request: Request, server: AddressSource) => boolean;
}

/** Throws when the address cannot be listened on. */
export function startEarlyListener(options: EarlyListenOptions): Listener {
  rmSync(options.socketPath, { force: true });
  const { server: native, watch } = listen(
    { ...options, serves: (server) => options.serves(server, peerOfRelay) },
    `unix:${options.socketPath}`,
  );
  chmodSync(options.socketPath, 0o600);
  const front = new Front(options);
  front.listen();
  return {
    address: front.address,
    // The native server's are all relayed, and counted as such until their last bytes are out.
    get open() {
      return front.open;
    },
    // Beside the client's own there are both ends of the unix socket.
    get moreDescriptors() {
      return 2 * front.relayed;
    },
    publish: (topic, payload) => native.publish(topic, payload as Bun.StringOrBuffer, false),
    look: (nowMs) => watch.look(nowMs),
    endKept: () => front.endKept(),
    stop: (closeActive) => {
      front.stop(closeActive);
      // Nobody else can reach it: it takes what the front still passes on.
      if (!closeActive) return;
      void native.stop(true);
      rmSync(options.socketPath, { force: true });
    },
  };
}

/** The requests of one connection whose answers are not over. */
interface PipelinedLine {
  last: ServerResponse | null;
  waiting: number;
}

/** A client that sends more than so many requests ahead of their answers is cut off. */
const MAX_PIPELINED = 256;

class Front {
  readonly #lines = new WeakMap<object, PipelinedLine>();
  /** Requests being answered, and WebSockets being relayed. */
  open = 0;
  /** The WebSockets among them. */
  relayed = 0;
  #stopping = false;
  #isLast = false;
  readonly #options: EarlyListenOptions;
  readonly #server: NodeServer;
  readonly #fetch: (request: Request) => Response | Promise<Response>;
  readonly #peers = new WeakMap<Incoming, Peer>();
  /** By connection: node:http asks the kernel each time, and of one that was reset it does not know. */
  readonly #peerOfSocket = new WeakMap<object, Peer>();
  /** What the plugins ask of a server: nothing is upgraded here, and an answer that is held has no idle timeout. */
  readonly #bridge = {
    requestIP: () => null,
    timeout: () => undefined,
    upgrade: () => false,
  };

  constructor(options: EarlyListenOptions) {
    this.#options = options;
    const app = options.compose();
    Reflect.set(app, "server", this.#bridge);
    options.serves(this.#bridge, { peerOf: (request) => this.#peers.get(request) ?? UNKNOWN_PEER });
    this.#fetch = (request) => app.fetch(request);
    const [certificate] = options.listener.tls;
    const answer = (request: IncomingMessage, response: ServerResponse): void =>
      this.#take(request, response);
    const upgrades = { shouldUpgradeCallback: (incoming: IncomingMessage) => this.#isHandshake(incoming) };
    this.#server =
      certificate === undefined
        ? createServer(upgrades, answer)
        : createTlsServer(
            { ...upgrades, cert: readFileSync(certificate.certificate), key: readFileSync(certificate.key) },
            answer,
          );
    this.#server.keepAliveTimeout = options.idleSec * 1000;
    this.#server.timeout = 0;
    // Expectations nobody knows are ignored, as by Bun's own server; node:http would answer 417 (RFC 9110 10.1.1: MAY).
    this.#server.on("checkExpectation", answer);
    this.#server.on("upgrade", (request, socket, head) => this.#relay(request, socket, head));
  }

  get address(): string {
    const { address } = this.#options.listener;
    const bound = this.#server.address() as AddressInfo | string | null;
    if (bound === null || typeof bound === "string") return address;
    const scheme = this.#options.listener.tls.length > 0 ? "https" : "http";
    return `${scheme}://${address.slice(0, address.lastIndexOf(":"))}:${bound.port}/`;
  }

  listen(): void {
    const { address } = this.#options.listener;
    const { hostname, port } = hostAndPort(address);
    this.#server.on("error", (error) => log("error", "a listener failed", { error: String(error) }));
    if (address.startsWith("unix:")) this.#server.listen({ path: address.slice("unix:".length) });
    else withServeOptions(this.#serveOptions(), () => this.#server.listen({ host: hostname, port }));
    // It listens at once, or tells the error a moment later.
    if (this.#server.address() === null) throw new Error(`cannot listen on ${address}`);
    setRights(this.#options.listener);
  }

  /** What node:http has no options for: the port is shared by the workers, and each name has its certificate. */
  #serveOptions(): object {
    const { listener } = this.#options;
    return { reusePort: true, ...(listener.tls.length > 1 ? { tls: tlsOptions(listener) } : {}) };
  }

  endKept(): void {
    this.#isLast = true;
  }

  stop(closeActive: boolean): void {
    this.#stopping = true;
    this.#server.close();
    this.#server.closeIdleConnections();
    if (closeActive) this.#server.closeAllConnections();
  }

  // --- requests ----------------------------------------------------------------------------------------------------------------

  #take(incoming: IncomingMessage, outgoing: ServerResponse): void {
    this.open++;
    outgoing.once("close", () => {
      this.open--;
      // Its connection is kept alive by node:http even when nobody listens any more.
      if (this.#stopping) setImmediate(() => this.#server.closeIdleConnections());
    });
    const answer = (): void => {
      this.#answer(incoming, outgoing).catch((error: unknown) => {
        // A body that broke off without a reason (files/endpoint.ts) only ends the connection.
        if (error !== undefined) log("error", "a request failed", { error: String(error) });
        outgoing.destroy();
      });
    };
    const line = this.#lineOf(incoming.socket);
    if (line.waiting === MAX_PIPELINED) incoming.socket.destroy();
    else if (line.last === null) answer();
    else {
      line.waiting++;
      line.last.once("close", () => {
        line.waiting--;
        if (!incoming.socket.destroyed) answer();
      });
    }
    line.last = outgoing;
    outgoing.once("close", () => {
      if (line.last === outgoing) line.last = null;
    });
  }

  /** Pipelined requests of a connection stand in line: each would render its answer, and node:http keep all of them at once. */
  #lineOf(socket: object): PipelinedLine {
    const known = this.#lines.get(socket);
    if (known !== undefined) return known;
    const made: PipelinedLine = { last: null, waiting: 0 };
    this.#lines.set(socket, made);
    return made;
  }

  async #answer(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const { maxBodyBytes: maxBytes } = this.#options;
    const idleMs = this.#options.idleSec * 1000;
    const unread = refusedCoding(incoming);
    const request = unread === null ? requestOf(incoming, outgoing, { maxBytes, idleMs }) : null;
    if (request === null) {
      outgoing.writeHead(unread ?? 400, { Connection: "close", "Content-Length": "0" });
      outgoing.end();
      return;
    }
    this.#peers.set(request, this.#peerOf(incoming));
    const answer = this.#fetch(request);
    const response = answer instanceof Promise ? await answer : answer;
    await writeAnswer(outgoing, this.#isLast ? closing(response) : response, idleMs);
  }

  #peerOf({ socket }: IncomingMessage): Peer {
    const known = this.#peerOfSocket.get(socket);
    if (known !== undefined) return known;
    const { address } = this.#options.listener;
    const peer = address.startsWith("unix:") ? UNIX_PEER : tcpPeer(socket.remoteAddress);
    if (peer.kind !== "unknown") this.#peerOfSocket.set(socket, peer);
    return peer;
  }

  // --- WebSockets --------------------------------------------------------------------------------------------------------------

  /**
   * Others that ask for an upgrade (some clients offer HTTP/2 with every request) are answered as if they had not, as nginx does.
   */
  #isHandshake(incoming: IncomingMessage): boolean {
    const { method, headers } = incoming;
    if (method !== "GET" || !hasToken(headers.upgrade, "websocket")) return false;
    // HTTP/1.0 knows no upgrade (RFC 9110 7.8).
    if (incoming.httpVersionMinor === 0) return false;
    if (headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) !== 0)
      return false;
    if (headers["sec-websocket-key"] === undefined || headers["sec-websocket-version"] === undefined)
      return false;
    const request = headOf(incoming);
    if (request === null) return false;
    this.#peers.set(request, this.#peerOf(incoming));
    return this.#options.takesSockets(request, this.#bridge);
  }

  #relay(incoming: IncomingMessage, socket: Duplex, head: Buffer): void {
    const peer = this.#peerOf(incoming);
    if (peer.kind === "unknown") {
      socket.destroy();
      return;
    }
    this.#countIn(socket);
    const { socketPath, silenceMs } = this.#options;
    relay(incoming, socket, head, { socketPath, silenceMs, peer });
  }

  #countIn(socket: Duplex): void {
    this.open++;
    this.relayed++;
    socket.once("close", () => {
      this.open--;
      this.relayed--;
    });
  }
}

/** Runs a `listen` of node:http, which calls `Bun.serve` for its own ends in the same turn: the options are put in on the way. */
function withServeOptions(added: object, listen: () => unknown): void {
  const { serve } = Bun;
  const changed = (options: object): unknown => Reflect.apply(serve, Bun, [{ ...options, ...added }]);
  Reflect.set(Bun, "serve", changed);
  try {
    listen();
  } finally {
    Reflect.set(Bun, "serve", serve);
  }
}
