/**
 * What the connections of one wire listener share: where they wait, what they may cost, and the application
 * behind them. Made by wire-listener.ts.
 */
import { ANTI_CACHE } from "../../http/answer.ts";
import type { Answer, SharedInit } from "../../http/direct-answer.ts";
import type { BodyBounds } from "../http1/body-reader.ts";
import type { HeadBounds } from "../http1/request-head.ts";
import { Clock, DueList } from "./due-list.ts";
import { Newcomers } from "./newcomers.ts";
import { Outlet } from "./outlet.ts";
import type { SocketServer } from "./socket-server.ts";
import { WireHead, type WireRequest } from "./wire-request.ts";

/** A connection without a whole request for so long gives way to another where there is no room. */
const SILENT_MS = 5000;
/** For the rest of a head that has begun to come, when the worker leaves. */
const LEAVING_MS = 1000;

/** Of an answer to what could not be read as a request. */
export const FAULT: SharedInit = { headers: new Headers({ ...ANTI_CACHE, "Content-Length": "0" }) };

/** Times in ms; 0 = for ever. */
export interface Deadlines {
  /** For a whole head, from its first byte (for the first: from the connection). */
  readonly headMs: number;
  /** Between two pieces of a body. */
  readonly bodyMs: number;
  /** For an idle connection between two requests. */
  readonly idleMs: number;
  /** For a client that takes nothing of what it is sent. */
  readonly sendMs: number;
  /** For the rest of what a client sends, when our end is closed. */
  readonly lingerMs: number;
}

export interface WireServerOptions {
  readonly scheme: "http" | "https";
  readonly isUnix: boolean;
  readonly bounds: HeadBounds;
  readonly bodyBounds: BodyBounds;
  readonly deadlines: Deadlines;
  readonly mostRequests: number;
  /** Connections whose time is over are reset. */
  readonly resetsTimedOut: boolean;
  /** What clients are told of the time they may be idle; 0: nothing. */
  readonly toldIdleSec: number;
  readonly answer: (request: WireRequest) => Answer | Promise<Answer>;
  /** What is answered where that throws. */
  readonly failed: (error: unknown) => Response;
}

export class WireServer {
  readonly scheme: "http" | "https";
  readonly isUnix: boolean;
  readonly bounds: HeadBounds;
  readonly bodyBounds: BodyBounds;
  readonly mostRequests: number;
  readonly resetsTimedOut: boolean;
  readonly keepLine: Uint8Array;
  readonly sockets: SocketServer;
  readonly newcomers = new Newcomers();
  /** For the request that is read now. */
  head = new WireHead();
  /** Connections there are, WebSockets among them. */
  open = 0;
  /** Each answer is the last of its connection. */
  isLast = false;
  readonly clock = new Clock();
  readonly heads: DueList;
  readonly bodies: DueList;
  readonly idle: DueList;
  readonly sending: DueList;
  readonly lingering: DueList;
  /** Half a head has come, and the worker leaves. */
  readonly leaving: DueList;
  /** The answer is being made. */
  readonly busy: DueList;
  readonly held: DueList;
  readonly #answer: WireServerOptions["answer"];
  readonly #failed: WireServerOptions["failed"];

  constructor(options: WireServerOptions, sockets: (server: WireServer) => SocketServer) {
    const { deadlines } = options;
    this.scheme = options.scheme;
    this.isUnix = options.isUnix;
    this.bounds = options.bounds;
    this.bodyBounds = options.bodyBounds;
    this.mostRequests = options.mostRequests;
    this.resetsTimedOut = options.resetsTimedOut;
    const told = options.toldIdleSec > 0 ? `Keep-Alive: timeout=${options.toldIdleSec}\r\n` : "";
    this.keepLine = Buffer.from(`Connection: keep-alive\r\n${told}`);
    this.#answer = options.answer;
    this.#failed = options.failed;
    this.heads = new DueList(this.clock, deadlines.headMs, true);
    this.bodies = new DueList(this.clock, deadlines.bodyMs, true);
    this.idle = new DueList(this.clock, deadlines.idleMs);
    this.sending = new DueList(this.clock, deadlines.sendMs, true);
    this.lingering = new DueList(this.clock, deadlines.lingerMs);
    this.leaving = new DueList(this.clock, LEAVING_MS, true);
    this.busy = new DueList(this.clock, 0);
    this.held = new DueList(this.clock, 0);
    this.sockets = sockets(this);
  }

  /** For a head that has not come whole: it is parsed further where it is. */
  lendHead(): WireHead {
    const lent = this.head;
    this.head = new WireHead();
    return lent;
  }

  /** Makes room: who has not said for a while what it wants leaves, or who has nothing to do. */
  dropIdle(): void {
    const one = this.heads.longest(SILENT_MS) ?? this.idle.longest(SILENT_MS);
    if (one instanceof Outlet) one.retire();
    if (one instanceof Outlet && !one.isClosed) one.cutOff();
  }

  left(): void {
    this.open--;
  }

  /** Whatever goes wrong, the request has an answer. */
  answer(request: WireRequest): Answer | Promise<Answer> {
    try {
      const answer = this.#answer(request);
      return answer instanceof Promise ? answer.catch(this.#failed) : answer;
    } catch (error) {
      return this.#failed(error);
    }
  }

  look(nowMs: number): void {
    this.clock.nowMs = nowMs;
    for (const list of this.#lists()) list.look();
  }

  each(call: (one: Outlet) => void): void {
    for (const list of this.#lists()) list.each((one) => call(one as Outlet));
  }

  #lists(): readonly DueList[] {
    const { heads, bodies, idle, sending, lingering, leaving, busy, held } = this;
    return [heads, bodies, idle, sending, lingering, leaving, busy, held, ...this.sockets.lists];
  }
}
