/**
 * A WebSocket whose client is not let in: what a guard refuses. The upgrade is granted and the socket closed
 * with the reason at once, because a browser tells its page nothing of a handshake that failed (1006, and no
 * word why). Called by app.ts for locations with WebSockets; nothing of the location is behind such a socket.
 */

import type { LocatedRequest } from "../config/location/located-request.ts";
import { NO_CACHE } from "../http/answer.ts";
import { agreedProtocol, asksForUpgrade } from "../http/handshake.ts";
import type { Incoming } from "../http/incoming.ts";
import type { Refusal } from "../http/refusal.ts";
import { SocketLife } from "../http/socket-life.ts";
import { closeCode, closeReason } from "../wire/close-reason.ts";
import { SPOKEN, UPGRADED } from "./websocket.ts";

export interface RefusedUpgrader {
  upgrade(request: Incoming, options: { data: RefusedSocket; headers: Record<string, string> }): boolean;
}

/**
 * `spoken`: the subprotocols of the location. null: it is no handshake, or its client is gone; the refusal is
 * an ordinary answer.
 */
export function refuseSocket(
  { method, request }: Pick<LocatedRequest, "method" | "request">,
  refusal: Refusal,
  upgrader: RefusedUpgrader | null,
  spoken: readonly string[] = SPOKEN,
): Response | null {
  if (method !== "GET" || !asksForUpgrade(request)) return null;
  // A browser that offered protocols takes no socket without one of them (RFC 6455 4.1).
  const headers = { ...NO_CACHE, "Sec-WebSocket-Protocol": agreedProtocol(request, spoken) ?? "" };
  const isOpen = upgrader?.upgrade(request, { data: new RefusedSocket(refusal), headers }) === true;
  return isOpen ? UPGRADED : null;
}

export class RefusedSocket extends SocketLife {
  readonly #refusal: Refusal;

  constructor(refusal: Refusal) {
    super();
    this.#refusal = refusal;
  }

  opened(socket: Pick<Bun.ServerWebSocket<unknown>, "close">): void {
    socket.close(closeCode(this.#refusal), closeReason(this.#refusal));
  }

  /** It has to answer the close frame in time, like everybody. */
  get mayBeSilent(): boolean {
    return false;
  }

  message(): void {
    // It is closing: what it says is for nobody.
  }
  drained(): void {
    // Nothing waits to be sent.
  }
  closed(): void {
    // It stood nowhere.
  }
  heard(): void {
    // As message().
  }
  stuck(): void {
    // It is cut off.
  }
}
