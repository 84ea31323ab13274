/**
 * WebSocket locations (push-stream spec 4.13, with RFC 6455 where section 12.4 says so). The upgrade is a plain answer of an ordinary route;
 * everything after it runs in the native handlers below, which Bun shares between all sockets. Channels are checked after the 101, and a
 * refusal travels in a close frame (4.13.3, 4.13.6).
 */
import { ANTI_CACHE, headerOnly, refuse } from "../answer.ts";
import type { LocatedRequest } from "../config/located-request.ts";
import type { LocationConfig } from "../config/model.ts";
import { CloseCode, type Refusal, Refusals } from "../errors.ts";
import type { Format } from "../fanout/format.ts";
import { type TopicPeer, TopicSubscription } from "../fanout/topics.ts";
import { Counter } from "../store/counters.ts";
import { ByteWriter } from "../wire/byte-writer.ts";
import { closeReason } from "../wire/close-reason.ts";
import { JSON_PING, pushJsonHello } from "../wire/json-message.ts";
import { MSGPACK_PING, packHello } from "../wire/msgpack-message.ts";
import { JSON_SUBPROTOCOL, MSGPACK_SUBPROTOCOL } from "../wire/server-frame.ts";
import type { Seat } from "./admit.ts";
import type { Asked } from "./backlog.ts";
import type { Inquiry } from "./endpoint.ts";
import { JsonFormat, MsgpackFormat, TemplateFormat } from "./formats.ts";
import { KeepAlive, needsKeepAlive } from "./keep-alive.ts";
import type { Held, Room } from "./room.ts";

export type Protocol = "template" | "json" | "msgpack";

/** What Bun keeps for each socket. The request is read before the upgrade and not kept. */
export interface SocketData {
  readonly endpoint: WebSocketEndpoint;
  readonly path: string;
  readonly asked: Asked;
  readonly protocol: Protocol;
  peer: SocketPeer | null;
}

type Socket = Bun.ServerWebSocket<SocketData>;
export type Upgrader = Pick<Bun.Server<SocketData>, "upgrade">;

const NO_STATUS = 1005;
const PROTOCOLS: readonly (readonly [string, Protocol])[] = [
  [MSGPACK_SUBPROTOCOL, "msgpack"],
  [JSON_SUBPROTOCOL, "json"],
];
const REQUIRED_HEADERS = ["upgrade", "connection", "sec-websocket-key", "sec-websocket-version"];

export class WebSocketEndpoint {
  readonly room: Room;
  readonly location: LocationConfig;
  readonly #inquiry: Inquiry;
  readonly #formats: Readonly<Record<Protocol, Format>>;

  constructor(room: Room, location: LocationConfig, inquiry: Inquiry, key: string) {
    this.room = room;
    this.location = location;
    this.#inquiry = inquiry;
    const { epoch } = room.store;
    this.#formats = {
      template: new TemplateFormat(`${key}/ws`, location.messageTemplate),
      json: new JsonFormat(epoch),
      msgpack: new MsgpackFormat(epoch),
    };
  }

  handle(located: LocatedRequest, upgrader: Upgrader | null): Response {
    if (located.method !== "GET") return headerOnly(405, { Allow: "GET", Connection: "close" });
    if (REQUIRED_HEADERS.some((name) => located.header(name) === null))
      return refuse(Refusals.missingUpgrade);
    if (this.room.draining) return refuse(Refusals.draining, { "Retry-After": "1", Connection: "close" });
    const [offered, protocol] = chooseProtocol(located.header("sec-websocket-protocol"));
    const data: SocketData = {
      endpoint: this,
      path: this.#inquiry.path(located),
      asked: this.#inquiry.asked(located),
      protocol,
      peer: null,
    };
    const headers = offered === null ? ANTI_CACHE : { ...ANTI_CACHE, "Sec-WebSocket-Protocol": offered };
    if (upgrader?.upgrade(located.request, { data, headers }) === true) return UPGRADED;
    return headerOnly(426, { "Sec-WebSocket-Version": "13", Upgrade: "websocket" });
  }

  opened(ws: Socket): void {
    const seats = this.#inquiry.admit(ws.data.path);
    if ("status" in seats) {
      this.#refuse(ws, seats);
      return;
    }
    const peer = new SocketPeer(ws, this, this.#formats[ws.data.protocol], seats);
    ws.data.peer = peer;
    peer.enter(seats, ws.data.asked);
  }

  #refuse(ws: Socket, refusal: Refusal): void {
    this.room.store.count(this.room.slot, Counter.REFUSED, 1);
    ws.close(CloseCode.POLICY, closeReason(refusal));
  }
}

/** Bun has answered 101 itself and ignores what the route returns. */
const UPGRADED = new Response(null);

/** One open socket. */
export class SocketPeer implements TopicPeer, Held {
  readonly socket: Socket;
  readonly format: Format;
  readonly subscriptions: TopicSubscription[] = [];
  readonly #endpoint: WebSocketEndpoint;
  readonly #keepAlive: KeepAlive | null;
  readonly #names: readonly Uint8Array[];

  constructor(socket: Socket, endpoint: WebSocketEndpoint, format: Format, seats: readonly Seat[]) {
    this.socket = socket;
    this.#endpoint = endpoint;
    this.format = format;
    this.#names = seats.map((seat) => seat.name);
    const { pingMessageIntervalMs: pingEveryMs, subscriberConnectionTtlMs: ttlMs } = endpoint.location;
    this.#keepAlive = needsKeepAlive(pingEveryMs, ttlMs)
      ? new KeepAlive({
          timers: endpoint.room.timers,
          pingEveryMs,
          ttlMs,
          subscriptions: this.subscriptions,
          ping: () => this.#ping(),
          expire: () => this.#finish(NO_STATUS),
        })
      : null;
    endpoint.room.held.add(this);
  }

  /** Header template or hello, old messages, live: in one turn (spec 4.13.3). */
  enter(seats: readonly Seat[], asked: Asked): void {
    const { room, location } = this.#endpoint;
    const lost: TopicSubscription[] = [];
    seats.forEach((seat, place) => {
      const channel = room.fanout.channel(seat.index);
      const start = room.backlog.start(seat.index, place, seat.backtrack, asked, this.format.tellsGaps);
      const historyUntil = this.format.tellsGaps ? start.historyUntil : room.store.publishedCount(seat.index);
      const subscription = new TopicSubscription(channel, this, start.afterId, historyUntil);
      this.subscriptions.push(subscription);
      if (start.unknown && this.format.tellsGaps) lost.push(subscription);
    });
    if (this.socket.data.protocol !== "template") this.#hello();
    else if (location.headerTemplate !== "") this.#send(location.headerTemplate);
    for (const subscription of lost) this.#tellLost(subscription);
    room.fanout.joinTopics(this);
  }

  message(data: string | Buffer): void {
    const { room, location } = this.#endpoint;
    // Binary frames are for nothing here (spec 4.13.5).
    if (typeof data !== "string") {
      this.#end(NO_STATUS);
      return;
    }
    if (data === "" || !location.websocketAllowPublish) return;
    const bytes = Buffer.from(data, "utf8");
    if (!room.publishFrom(this.#names, bytes, location.storeMessages)) this.#end(CloseCode.INTERNAL);
  }

  drained(): void {
    this.#endpoint.room.fanout.socketDrained(this);
  }

  /** The socket has closed, for whatever reason. */
  closed(code: number): void {
    if (code === 1006 && this.socket.getBufferedAmount() > 0) {
      this.#endpoint.room.store.count(this.#endpoint.room.slot, Counter.CLOSED_SLOW, 1);
    }
    this.#leave(false);
  }

  /** Spec 8.2: footer, close frame. The sluice protocols say why (1001). */
  goAway(): void {
    this.#finish(this.socket.data.protocol === "template" ? NO_STATUS : CloseCode.GOING_AWAY);
  }

  closeBehind(): void {
    const { room } = this.#endpoint;
    room.store.count(room.slot, Counter.CLOSED_SLOW, 1);
    this.#end(CloseCode.TRY_AGAIN);
  }

  channelDeleted(): void {
    if (this.subscriptions.length === 0) this.#finish(NO_STATUS);
  }

  #finish(code: number): void {
    const footer = this.#endpoint.location.footerTemplate;
    if (footer !== "" && this.socket.data.protocol === "template") this.#send(footer);
    this.#end(code);
  }

  #end(code: number): void {
    this.#leave(true);
    this.socket.close(code);
  }

  #leave(socketOpen: boolean): void {
    this.#keepAlive?.stop();
    this.#endpoint.room.held.delete(this);
    this.#endpoint.room.fanout.leaveTopics(this, socketOpen);
  }

  #hello(): void {
    const { epoch } = this.#endpoint.room.store;
    const positions = this.subscriptions.map(({ channel, sentId }) => channel.base + sentId);
    if (this.socket.data.protocol === "msgpack") {
      this.#send(packHello(this.#names, epoch, positions));
      return;
    }
    const writer = new ByteWriter(256);
    pushJsonHello(writer, this.#names, epoch, positions);
    this.#send(text.decode(writer.view()));
  }

  #tellLost({ channel, sentId }: TopicSubscription): void {
    const writer = new ByteWriter(256);
    if (!this.format.gap(writer, channel, null, sentId, null)) return;
    this.#endpoint.room.fanout.gapTold(1);
    this.#send(this.format.binary ? writer.copy() : text.decode(writer.view()));
  }

  /** A ping frame keeps proxies and peers awake; the sluice protocols repeat it as data, because browsers hide ping frames. */
  #ping(): void {
    this.socket.ping();
    if (this.socket.data.protocol === "json") this.#send(JSON_PING);
    else if (this.socket.data.protocol === "msgpack") this.#send(MSGPACK_PING);
  }

  #send(payload: string | Uint8Array): void {
    // 0: the socket is closed, and its close handler follows.
    if (this.socket.send(payload) === 0) this.#keepAlive?.stop();
  }
}

/** Bun's handlers for every socket of the worker; `limits` come from the configuration. */
export function socketHandlers(maxPayloadBytes: number): Bun.WebSocketHandler<SocketData> {
  return {
    open: (ws) => ws.data.endpoint.opened(ws),
    message: (ws, data) => ws.data.peer?.message(data),
    drain: (ws) => ws.data.peer?.drained(),
    close: (ws, code) => ws.data.peer?.closed(code),
    maxPayloadLength: maxPayloadBytes,
    // A reader that cannot follow is closed, never skipped (promise P2); two of the largest messages must fit, or a
    // healthy reader would be closed by one of them.
    closeOnBackpressureLimit: true,
    backpressureLimit: Math.max(1024 * 1024, 2 * maxPayloadBytes),
    idleTimeout: 0,
    sendPings: false,
    perMessageDeflate: false,
  };
}

/** The first protocol of the client's list that sluice speaks (RFC 6455 4.2.2). */
function chooseProtocol(header: string | null): readonly [string | null, Protocol] {
  if (header === null) return [null, "template"];
  for (const offered of header.split(",", 16)) {
    const known = PROTOCOLS.find(([name]) => name === offered.trim());
    if (known !== undefined) return known;
  }
  return [null, "template"];
}

const text = new TextDecoder("utf-8", { ignoreBOM: true });
