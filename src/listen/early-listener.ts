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
import { type AddressInfo, connect } from "node:net";
import type { Duplex } from "node:stream";
import { log } from "../log.ts";
import { hostAndPort, type Listener, type ListenOptions, listen } from "./listener.ts";
import { writeAnswer } from "./node-answer.ts";
import { requestOf } from "./node-request.ts";

export interface EarlyListenOptions extends ListenOptions {
  /** Where the native server for WebSockets listens. */
  readonly socketPath: string;
  /** Told of the native server: who its clients are stands in PEER_HEADER. */
  readonly relays: (server: object) => void;
}

/** The client's address on a relayed handshake; a client's own is dropped. */
const PEER_HEADER = "x-sluice-peer";
/** A client that does not close after the server has is cut off. */
const GOODBYE_MS = 2000;

/** Who a relayed handshake is from. */
export const peerOfRelay = {
  requestIP: (request: Request) => ({ address: request.headers.get(PEER_HEADER) ?? "" }),
};

/** Throws when the address cannot be listened on. */
export function startEarlyListener(options: EarlyListenOptions): Listener {
  rmSync(options.socketPath, { force: true });
  const native = listen({ ...options, serves: options.relays }, `unix:${options.socketPath}`);
  chmodSync(options.socketPath, 0o600);
  const front = new Front(options);
  front.listen();
  return {
    address: front.address,
    // The native server's are all relayed, and counted as such until their last bytes are out.
    get open() {
      return front.open;
    },
    publish: (topic, payload) => native.publish(topic, payload as Bun.StringOrBuffer, false),
    stop: (closeActive) => {
      front.stop(closeActive);
      void native.stop(closeActive);
      rmSync(options.socketPath, { force: true });
    },
  };
}

class Front {
  /** Requests being answered, and WebSockets being relayed. */
  open = 0;
  #stopping = false;
  readonly #options: EarlyListenOptions;
  readonly #server: NodeServer;
  readonly #fetch: (request: Request) => Response | Promise<Response>;
  readonly #peers = new WeakMap<Request, string>();

  constructor(options: EarlyListenOptions) {
    this.#options = options;
    const app = options.compose();
    // What the plugins ask of a server: nothing is upgraded here, and an answer that is held has no idle timeout.
    const bridge = {
      requestIP: (request: Request) => ({ address: this.#peers.get(request) ?? "" }),
      timeout: () => undefined,
      upgrade: () => false,
    };
    Reflect.set(app, "server", bridge);
    options.serves(bridge);
    this.#fetch = (request) => app.fetch(request);
    const [certificate] = options.listener.tls;
    const answer = (request: IncomingMessage, response: ServerResponse): void =>
      this.#take(request, response);
    this.#server =
      certificate === undefined
        ? createServer(answer)
        : createTlsServer(
            { cert: readFileSync(certificate.certificate), key: readFileSync(certificate.key) },
            answer,
          );
    this.#server.keepAliveTimeout = options.idleSec * 1000;
    this.#server.timeout = 0;
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
    else sharingPorts(() => this.#server.listen({ host: hostname, port }));
    // It listens at once, or tells the error a moment later.
    if (this.#server.address() === null) throw new Error(`cannot listen on ${address}`);
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
    this.#answer(incoming, outgoing).catch((error: unknown) => {
      log("error", "a request failed", { error: String(error) });
      outgoing.destroy();
    });
  }

  async #answer(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const request = requestOf(incoming, outgoing, this.#options.maxBodyBytes);
    if (request === null) {
      outgoing.writeHead(400, { Connection: "close", "Content-Length": "0" });
      outgoing.end();
      return;
    }
    this.#peers.set(request, incoming.socket.remoteAddress ?? "");
    const answer = this.#fetch(request);
    await writeAnswer(outgoing, answer instanceof Promise ? await answer : answer);
  }

  // --- WebSockets --------------------------------------------------------------------------------------------------------------

  #relay(incoming: IncomingMessage, socket: Duplex, head: Buffer): void {
    const native = connect(this.#options.socketPath);
    let lines = `${incoming.method} ${incoming.url} HTTP/1.1\r\n`;
    const raw = incoming.rawHeaders;
    for (let i = 0; i + 1 < raw.length; i += 2) {
      if (raw[i]?.toLowerCase() !== PEER_HEADER) lines += `${raw[i]}: ${raw[i + 1]}\r\n`;
    }
    native.write(`${lines}${PEER_HEADER}: ${incoming.socket.remoteAddress ?? ""}\r\n\r\n`, "latin1");
    if (head.length > 0) native.write(head);
    this.#countIn(socket);
    socket.pipe(native);
    native.pipe(socket, { end: false });
    socket.on("error", () => native.destroy());
    socket.on("close", () => native.destroy());
    native.on("error", () => socket.destroy());
    native.on("close", () => sayGoodbye(socket));
  }

  #countIn(socket: Duplex): void {
    this.open++;
    socket.once("close", () => {
      this.open--;
    });
  }
}

/**
 * Ends a relayed connection whose server has closed. What the client still sends is read and dropped: closing over unread bytes
 * makes the kernel reset the connection, and the close frame would be lost with it.
 */
function sayGoodbye(socket: Duplex): void {
  socket.unpipe();
  socket.resume();
  socket.end();
  setTimeout(() => socket.destroy(), GOODBYE_MS).unref();
}

/**
 * Runs a `listen` of node:http with its port shared. Workers share theirs (SO_REUSEPORT); node:http has no option for it and
 * calls `Bun.serve` for its own ends in the same turn, so the option is put in on the way.
 */
function sharingPorts(listen: () => unknown): void {
  const { serve } = Bun;
  const shared = (options: object): unknown => Reflect.apply(serve, Bun, [{ ...options, reusePort: true }]);
  Reflect.set(Bun, "serve", shared);
  try {
    listen();
  } finally {
    Reflect.set(Bun, "serve", serve);
  }
}
