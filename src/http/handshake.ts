/**
 * What a WebSocket handshake has to say (RFC 6455 4.2.1). Fields are lists of tokens: `Upgrade: foo,
 * websocket` offers a WebSocket, and without `upgrade` in Connection nothing is offered. Used by the
 * endpoints that upgrade; the wire listener reads the same from bytes (listen/http1/handshake-head.ts).
 */
import { fieldOf, type Incoming } from "./incoming.ts";

/** Offers of subprotocols that are looked at. */
const MAX_OFFERS = 16;
/** 16 bytes in base64. */
const KEY = /^[A-Za-z0-9+/]{22}==$/;

/** Whether a list of tokens has this one, given in lower case (RFC 9110 5.6.1). */
export function hasToken(list: string | null | undefined, token: string): boolean {
  if (!list) return false;
  if (list.length === token.length) return list.toLowerCase() === token;
  return list.split(",").some((one) => one.trim().toLowerCase() === token);
}

/**
 * Whether a request asks for an upgrade at all; for which is the server's to judge. HTTP/1.0 knows none (RFC
 * 9110 7.8): the listener that sees versions drops the field, and to Bun's own server a request without Host
 * is of that kind.
 */
export function asksForUpgrade(request: Incoming): boolean {
  if (request.exchange !== undefined) return request.exchange.handshake !== "none";
  if (request.url.startsWith("/")) return false;
  if (!hasToken(request.headers.get("connection"), "upgrade")) return false;
  const { headers } = request;
  if (!headers.has("upgrade") || !headers.has("sec-websocket-version")) return false;
  // A body would stand where frames are expected.
  if (headers.has("transfer-encoding") || (headers.get("content-length") ?? "0") !== "0") return false;
  return KEY.test(headers.get("sec-websocket-key") ?? "");
}

/**
 * The first subprotocol of the client's list that is spoken here (RFC 6455 4.2.2); null: none, or it offers
 * none.
 */
export function agreedProtocol(request: Incoming, spoken: readonly string[]): string | null {
  const field = fieldOf(request, "sec-websocket-protocol");
  if (field === null) return null;
  const offers = field.split(",", MAX_OFFERS);
  return offers.map((offer) => offer.trim()).find((offer) => spoken.includes(offer)) ?? null;
}
