/**
 * WebSockets of a handler (`export const websocket`): Bun's native sockets, with the handler's functions
 * called for each. Limits that Bun has for a whole listener (message size, idle time) are kept here for each
 * socket.
 */
import type { Socket, WebSocketHandler } from "sluice";
import type { LocatedRequest } from "../config/location/located-request.ts";
import type { CaptureGroups } from "../config/location/match-syntax.ts";
import type { Arrival, Standing } from "../front/location-hooks.ts";
import { headerOnly, NO_CACHE, SERVER } from "../http/answer.ts";
import { CloseCode } from "../http/close-codes.ts";
import { Refusals } from "../http/errors.ts";
import { agreedProtocol, asksForUpgrade } from "../http/handshake.ts";
import type { Incoming } from "../http/incoming.ts";
import type { PeerSocket } from "../http/peer-socket.ts";
import { SocketLife } from "../http/socket-life.ts";
import { closeCode, closeReason } from "../wire/close-reason.ts";
import { RequestContext } from "./context.ts";
import { Ending } from "./ending.ts";
import { isPromise } from "./failure.ts";
import type { HandlerHost, Running } from "./host.ts";
import type { HandlerFile } from "./loader.ts";
import { refusalIn } from "./refused-error.ts";

export interface Upgrader {
  upgrade(request: Incoming, options: { data: HandlerSocket; headers: Record<string, string> }): boolean;
}

type NativeSocket = PeerSocket;

export const DEFAULT_MAX_PAYLOAD = 1_048_576;
const DEFAULT_IDLE_SEC = 60;
const LONGEST_IDLE_SEC = 2_000_000;
/** Bytes a character of a text may be on the wire. */
const MAX_BYTES_A_UNIT = 3;

/** Bun has answered 101 itself and ignores what the route returns. */
const UPGRADED = new Response(null);
const NOT_GET = {
  status: 405,
  headers: { ...SERVER, Allow: "GET", Connection: "close", "Content-Length": "0" },
};

/** Largest message a handler takes, in bytes. */
export function maxPayloadOf({ maxPayload }: WebSocketHandler): number {
  const isGood = typeof maxPayload === "number" && maxPayload >= 0;
  return isGood ? Math.floor(maxPayload) : DEFAULT_MAX_PAYLOAD;
}

export class SocketEndpoint {
  readonly host: HandlerHost;
  readonly file: HandlerFile;
  readonly #groups: CaptureGroups;

  constructor(host: HandlerHost, file: HandlerFile, groups: CaptureGroups) {
    this.host = host;
    this.file = file;
    this.#groups = groups;
  }

  handle(located: LocatedRequest, upgrader: Upgrader | null, handler: WebSocketHandler): Response {
    if (located.method !== "GET") return new Response(null, NOT_GET);
    if (!asksForUpgrade(located.request)) return headerOnly(400);
    const { request } = located;
    const context = new RequestContext(this.host, located, this.#groups);
    const data = new HandlerSocket(this, handler, context, this.host.arrival(located));
    const headers = {
      ...NO_CACHE,
      "Sec-WebSocket-Protocol": agreedProtocol(request, spokenBy(handler)) ?? "",
    };
    if (upgrader?.upgrade(request, { data, headers }) === true) return UPGRADED;
    return headerOnly(426, { "Sec-WebSocket-Version": "13", Upgrade: "websocket" });
  }
}

/** What `protocols` says, if it says anything. */
export const spokenBy = ({ protocols }: WebSocketHandler): readonly string[] =>
  Array.isArray(protocols) ? protocols : [];

/** A socket as Bun knows it. What the handler is given is its `handle`. */
export class HandlerSocket extends SocketLife implements Running, Standing {
  readonly #endpoint: SocketEndpoint;
  readonly #handler: WebSocketHandler;
  readonly #context: RequestContext;
  readonly #maxPayload: number;
  readonly #idleMs: number;
  readonly #handle: SocketHandle;
  /** null: not open yet, or closed. */
  native: NativeSocket | null = null;
  #idle: Timer | null = null;
  /** When a frame came last, in the handler's own account of silence (performance.now()). */
  #heardMs = 0;
  #isPinged = false;
  readonly #arrival: Arrival | null;
  #departure: (() => void) | null = null;

  constructor(
    endpoint: SocketEndpoint,
    handler: WebSocketHandler,
    context: RequestContext,
    arrival: Arrival | null,
  ) {
    super();
    this.#arrival = arrival;
    this.#endpoint = endpoint;
    this.#handler = handler;
    this.#context = context;
    this.#maxPayload = maxPayloadOf(handler);
    this.#idleMs = Math.min(handler.idleTimeout ?? DEFAULT_IDLE_SEC, LONGEST_IDLE_SEC) * 1000;
    this.#handle = new SocketHandle(this, context.remoteAddress);
  }

  // --- told by Bun -----------------------------------------------------------------------------------------

  opened(native: NativeSocket): void {
    this.native = native;
    this.#endpoint.host.add(this);
    this.#departure = this.#arrival?.([], this) ?? null;
    this.#heardMs = performance.now();
    if (this.#idleMs > 0) this.#watch(this.#idleMs);
    this.#call("open", () => this.#handler.open?.(this.#handle, this.#context));
  }

  message(data: string | Buffer): void {
    if (this.#idleMs > 0) this.heard();
    const { length } = data;
    if (length > this.#maxPayload || (typeof data === "string" && this.#isLongText(data))) {
      this.native?.close(CloseCode.TOO_BIG);
      return;
    }
    const { message } = this.#handler;
    if (message === undefined) return;
    // Not by #call: a closure a message is what this is measured by.
    try {
      const returned: unknown = message.call(this.#handler, this.#handle, data);
      if (returned !== undefined) this.#own("message", returned);
    } catch (error) {
      this.#failed("message", error);
    }
  }

  #isLongText(text: string): boolean {
    return text.length * MAX_BYTES_A_UNIT > this.#maxPayload && Buffer.byteLength(text) > this.#maxPayload;
  }

  drained(): void {
    this.#call("drain", () => this.#handler.drain?.(this.#handle));
  }

  /** A ping or pong came. */
  heard(): void {
    this.#heardMs = performance.now();
    this.#isPinged = false;
  }

  /** The handler has a time of its own for it. */
  get mayBeSilent(): boolean {
    return true;
  }

  stuck(): void {
    // Its `close` is called, as when its client had gone.
  }

  closed(code: number, reason: string): void {
    if (this.#idle !== null) clearTimeout(this.#idle);
    this.#idle = null;
    this.native = null;
    this.#endpoint.host.remove(this);
    this.#departure?.();
    this.#context.finish(Ending.clientLeft);
    this.#call("close", () => this.#handler.close?.(this.#handle, code, reason));
  }

  dismiss(why: "ended" | "revoked"): void {
    this.#context.finish(Ending.grantOver);
    const refusal = why === "ended" ? Refusals.tokenExpired : Refusals.tokenRevoked;
    this.native?.close(
      why === "ended" ? CloseCode.GRANT_ENDED : CloseCode.GRANT_REVOKED,
      closeReason(refusal),
    );
  }

  goAway(): void {
    this.#context.finish(Ending.draining);
    this.native?.close(CloseCode.GOING_AWAY);
  }

  // --- silence: a ping, and the end if there is no answer to it --------------------------------------------

  #watch(ms: number): void {
    this.#idle = setTimeout(() => this.#look(), ms);
  }

  #look(): void {
    const native = this.native;
    if (native === null) return;
    const silentMs = performance.now() - this.#heardMs;
    if (silentMs < this.#idleMs) {
      this.#watch(this.#idleMs - silentMs);
      return;
    }
    if (this.#isPinged) {
      native.terminate();
      return;
    }
    this.#isPinged = true;
    native.ping();
    this.#watch(this.#idleMs);
  }

  // --- the handler's functions -----------------------------------------------------------------------------

  #call(what: string, call: () => unknown): void {
    try {
      this.#own(what, call());
    } catch (error) {
      this.#failed(what, error);
    }
  }

  #own(what: string, returned: unknown): void {
    if (isPromise(returned)) returned.then(undefined, (error: unknown) => this.#failed(what, error));
  }

  #failed(what: string, error: unknown): void {
    if (this.#context.isEnding(error)) return;
    const refusal = refusalIn(error, "a WebSocket's handler");
    if (refusal !== null) {
      this.native?.close(closeCode(refusal), closeReason(refusal));
      return;
    }
    this.#endpoint.file.logFailure(`websocket.${what}`, error, { path: this.#context.path });
    this.native?.close(CloseCode.INTERNAL);
  }
}

/** The socket as the handler sees it; after its end it does nothing. */
class SocketHandle implements Socket {
  data: unknown = undefined;
  readonly remoteAddress: string;
  readonly #socket: HandlerSocket;

  constructor(socket: HandlerSocket, remoteAddress: string) {
    this.#socket = socket;
    this.remoteAddress = remoteAddress;
  }

  get isOpen(): boolean {
    return this.#socket.native?.readyState === WebSocket.OPEN;
  }
  get bufferedAmount(): number {
    return this.#socket.native?.getBufferedAmount() ?? 0;
  }
  send(data: string | Uint8Array): number {
    return this.#socket.native?.send(data) ?? 0;
  }
  ping(data: string | Uint8Array = ""): void {
    this.#socket.native?.ping(data);
  }
  close(code?: number, reason?: string): void {
    this.#socket.native?.close(code ?? 1000, reason);
  }
  terminate(): void {
    this.#socket.native?.terminate();
  }
}
