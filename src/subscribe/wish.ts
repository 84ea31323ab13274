/**
 * What the handshake of a WebSocket asked for, and how it comes to stand there: channels admitted after the
 * 101 (push-stream spec 4.13.3), old messages looked for, the store waited for where its lock is taken. Kept
 * by socket-peer.ts only until it stands, because most sockets are idle for hours.
 */

import type { Format } from "../fanout/format.ts";
import type { MayMake } from "../front/channel-quota.ts";
import type { Arrival } from "../front/location-hooks.ts";
import { Refusals } from "../http/errors.ts";
import { FrameRefusals } from "../http/frame-refusals.ts";
import type { Refusal } from "../http/refusal.ts";
import type { Seat } from "./admit.ts";
import type { Asked } from "./asked.ts";
import { countRefusal } from "./own-positions.ts";
import { isAmong, type Publishing } from "./speaker.ts";
import type { WebSocketEndpoint } from "./websocket.ts";

/** The socket, as far as it is seated here. */
export interface Sitter {
  readonly format: Format;
  readonly isOpen: boolean;
  /** Among the held connections, from `hold` on until it has left. */
  readonly isHeld: boolean;
  hold(publishing: Publishing): void;
  refuse(refusal: Refusal): void;
  enter(seats: readonly Seat[], asked: Asked, arrival: Arrival | null): void;
}

interface WishParts {
  readonly path: string;
  readonly asked: Asked;
  readonly mayMake: MayMake;
  /** null: no hook wants to know. */
  readonly arrival: Arrival | null;
  readonly publishing: Publishing;
}

export class Wish {
  readonly #parts: WishParts;
  /** Where it will stand once its position was searched for: what it publishes meanwhile is for these. */
  seats: readonly Seat[] | null = null;

  constructor(parts: WishParts) {
    this.#parts = parts;
  }

  seat(endpoint: WebSocketEndpoint, sitter: Sitter): void {
    const { path, mayMake, asked, arrival, publishing } = this.#parts;
    const seats = endpoint.inquiry.admit(path, mayMake);
    if (seats === Refusals.busy) {
      void this.#seatLater(endpoint, sitter);
      return;
    }
    const refusal = "status" in seats ? seats : unfit(this.#parts, seats);
    if (refusal !== null || "status" in seats) {
      sitter.refuse(refusal ?? Refusals.noChannel);
      return;
    }
    sitter.hold(publishing);
    const found = endpoint.hub.backlog.find(seats, asked, sitter.format.tellsGaps);
    if (!(found instanceof Promise)) {
      sitter.enter(seats, found, arrival);
      return;
    }
    this.seats = seats;
    void found.then((late) => {
      if (!sitter.isOpen || !sitter.isHeld) return;
      if (late.isAhead === true) sitter.refuse(Refusals.nodeBehind);
      else sitter.enter(seats, late, arrival);
    });
  }

  /**
   * Another process keeps the store's lock, which a new channel needs: the socket waits like a request would.
   */
  async #seatLater(endpoint: WebSocketEndpoint, sitter: Sitter): Promise<void> {
    const isFree = await endpoint.hub.store.patience.free(sitter);
    if (!sitter.isOpen) return;
    if (isFree) this.seat(endpoint, sitter);
    else sitter.refuse(Refusals.busy);
  }
}

const unfit = ({ publishing, asked }: WishParts, seats: readonly Seat[]): Refusal | null =>
  isAmong(publishing.only, seats) ? countRefusal(asked, seats) : FrameRefusals.foreignChannel;
