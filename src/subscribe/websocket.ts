/**
 * WebSocket locations (push-stream spec 4.13, with RFC 6455 where section 12.4 says so). The upgrade is a
 * plain answer of an ordinary route; everything after it runs in native handlers (listen/socket-handlers.ts),
 * which Bun shares between all sockets. Channels are checked after the 101, and a refusal travels in a close
 * frame (4.13.3, 4.13.6).
 */

import { binaryBytes } from "../config/binary-text.ts";
import type { LocatedRequest } from "../config/location/located-request.ts";
import { optionalLocationValue } from "../config/location/location-values.ts";
import type { CompiledValue } from "../config/location/variables.ts";
import type { LocationConfig } from "../config/model.ts";
import type { Format } from "../fanout/format.ts";
import type { LocationHooks } from "../front/location-hooks.ts";
import { headerOnly, NO_CACHE, refuse, SERVER } from "../http/answer.ts";
import { Refusals } from "../http/errors.ts";
import { agreedProtocol, asksForUpgrade } from "../http/handshake.ts";
import { fieldOf, type Incoming } from "../http/incoming.ts";
import { parseChannelsPath } from "../wire/channels-path.ts";
import { agreedDeflate } from "../wire/deflate-offer.ts";
import { JSON_SUBPROTOCOL, MSGPACK_SUBPROTOCOL } from "../wire/subprotocols.ts";
import { type Adding, ANYBODY } from "./channel-frames.ts";
import { shelfOf } from "./format-shelf.ts";
import type { Hub } from "./hub.ts";
import type { Inquiry } from "./inquiry.ts";
import type { Terms } from "./socket-more.ts";
import { SocketPeer } from "./socket-peer.ts";
import { AS_IT_IS, type Protocol, type Publishing } from "./speaker.ts";
import { Wish } from "./wish.ts";

export interface Upgrader {
  upgrade(request: Incoming, options: { data: SocketPeer; headers: Record<string, string> }): boolean;
}

const PROTOCOLS: ReadonlyMap<string, Protocol> = new Map([
  [MSGPACK_SUBPROTOCOL, "msgpack"],
  [JSON_SUBPROTOCOL, "json"],
]);
export const SPOKEN: readonly string[] = [...PROTOCOLS.keys()];

/** Made once: the wire listener has their bytes when it is given the same object again. */
const headersOf = (protocol: string) => ({ ...NO_CACHE, "Sec-WebSocket-Protocol": protocol });
const HEADERS: Readonly<Record<Protocol, Record<string, string>>> = {
  template: headersOf(""),
  json: headersOf(JSON_SUBPROTOCOL),
  msgpack: headersOf(MSGPACK_SUBPROTOCOL),
};

export class WebSocketEndpoint {
  readonly hub: Hub;
  readonly location: LocationConfig;
  readonly inquiry: Inquiry;
  readonly #hooks: LocationHooks | null;
  /** What the location has for clients of whom nothing is known. */
  readonly asItIs: Publishing;
  readonly #publishChannel: CompiledValue | null;
  readonly #terms: Readonly<Record<Protocol, Terms>>;
  readonly #severalTerms: Readonly<Record<Protocol, Terms>>;

  constructor(hub: Hub, location: LocationConfig, inquiry: Inquiry, hooks: LocationHooks | null) {
    this.#hooks = hooks;
    this.asItIs = this.#mayAdd(location) ? { ...AS_IT_IS, adding: ANYBODY } : AS_IT_IS;
    this.hub = hub;
    this.location = location;
    this.inquiry = inquiry;
    this.#publishChannel = optionalLocationValue(location, location.websocketPublishChannel);
    const shelf = shelfOf(hub.store);
    const frames = shelf.frames(location.presence !== null);
    const { json, msgpack, severalJson, severalMsgpack } = frames;
    const template = shelf.template("text", location.messageTemplate);
    const terms = (protocol: Protocol, format: Format): Terms => ({ endpoint: this, protocol, format });
    this.#terms = {
      template: terms("template", template),
      json: terms("json", json),
      msgpack: terms("msgpack", msgpack),
    };
    this.#severalTerms = {
      template: this.#terms.template,
      json: terms("json", severalJson),
      msgpack: terms("msgpack", severalMsgpack),
    };
  }

  /** For sockets in several channels at once. */
  termsOfSeveral(protocol: Protocol): Terms {
    return this.#severalTerms[protocol];
  }

  handle(located: LocatedRequest, upgrader: Upgrader | null): Response {
    if (located.method !== "GET") return new Response(null, NOT_GET);
    if (!asksForUpgrade(located.request)) return refuse(Refusals.missingUpgrade);
    if (this.hub.draining) return refuse(Refusals.draining, { "Retry-After": "1", Connection: "close" });
    const agreed = agreedProtocol(located.request, SPOKEN);
    const protocol = PROTOCOLS.get(agreed ?? "") ?? "template";
    // The request is read before the upgrade and not kept.
    const wish = new Wish({
      path: this.inquiry.path(located),
      asked: this.inquiry.asked(located, protocol !== "template"),
      mayMake: this.inquiry.mayMake(located),
      arrival: this.#hooks?.arrival(located) ?? null,
      publishing: this.#publishing(located),
    });
    const data = new SocketPeer(this.#terms[protocol], wish);
    // Left to itself Bun agrees to whatever protocol came first in the client's list.
    const deflate = this.#deflate(located.request);
    const plain = HEADERS[protocol];
    const headers = deflate === null ? plain : { ...plain, "Sec-WebSocket-Extensions": deflate };
    if (upgrader?.upgrade(located.request, { data, headers }) === true) return UPGRADED;
    return headerOnly(426, { "Sec-WebSocket-Version": "13", Upgrade: "websocket" });
  }

  /** Bun's own sockets cannot send a frame that was compressed before, and each would compress for itself. */
  #deflate(request: Incoming): string | null {
    if (!this.location.websocketCompression || request.exchange === undefined) return null;
    return agreedDeflate(fieldOf(request, "sec-websocket-extensions"));
  }

  /** Read now: of a request that was upgraded nothing can be read any more. */
  #publishing(located: LocatedRequest): Publishing {
    const lease = this.#hooks?.lease(located) ?? null;
    const judge = this.location.websocketAllowPublish ? (this.#hooks?.judge(located) ?? null) : null;
    const only = this.location.websocketAllowPublish ? this.#only(located) : null;
    const adding = this.asItIs.adding === null ? null : this.#adding(located);
    const isPlain = lease === null && judge === null && only === null && adding === this.asItIs.adding;
    return isPlain ? this.asItIs : { judge, only, lease, adding };
  }

  #adding(located: LocatedRequest): Adding {
    const mayMake = this.inquiry.mayMake(located);
    const addition = this.#hooks?.addition(located) ?? null;
    return mayMake === "yes" && addition === null ? ANYBODY : { mayMake, addition };
  }

  /** Somebody's code that lets in for the channels of a request is not asked about others. */
  #mayAdd({ websocketAllowSubscribe, code }: LocationConfig): boolean {
    return websocketAllowSubscribe && (code?.authorize ?? null) === null;
  }

  #only(located: LocatedRequest): Publishing["only"] {
    if (this.#publishChannel === null) return null;
    const path = this.#publishChannel(located);
    const parsed = parseChannelsPath(path, 1);
    if (parsed === "empty") return [];
    // Several in one are the name of none.
    return parsed === "too many" ? [binaryBytes(path)] : parsed.names;
  }
}

/** Refused before the anti-cache lines are set, and the connection ends (spec 0.6, 4.13.1). */
const NOT_GET = {
  status: 405,
  headers: { ...SERVER, Allow: "GET", Connection: "close", "Content-Length": "0" },
};

/** Bun has answered 101 itself and ignores what the route returns. */
export const UPGRADED = new Response(null);
