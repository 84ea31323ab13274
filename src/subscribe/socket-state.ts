/**
 * What a WebSocket keeps, for socket-peer.ts, which does things with it. One object, because ten thousand of
 * them are idle most of the time: eight fields and 80 bytes, with one more it would be 112.
 */
import type { Format } from "../fanout/format.ts";
import { isSeveral, kept, listOf, NONE, type OneOrMany } from "../fanout/one-or-many.ts";
import type { TopicSubscription } from "../fanout/topics.ts";
import type { PeerSocket } from "../http/peer-socket.ts";
import { SocketLife } from "../http/socket-life.ts";
import type { LifeEnd } from "./keep-alive.ts";
import { More, type Terms } from "./socket-more.ts";
import type { Protocol } from "./speaker.ts";
import type { Held } from "./timer-wheel.ts";
import type { WebSocketEndpoint } from "./websocket.ts";
import type { Wish } from "./wish.ts";

export abstract class SocketState extends SocketLife {
  nextHeld: Held | null = null;
  previousHeld: Held | null = null;
  dueTick = 0;
  #standing: OneOrMany<TopicSubscription> = NONE;
  /** null: the handshake is not answered yet. */
  protected openSocket: PeerSocket | null = null;
  protected terms: Terms;
  /** What it asked for, until it is seated; then what it has beside the rest. */
  #rest: Wish | More | null;

  constructor(terms: Terms, wish: Wish) {
    super();
    this.terms = terms;
    this.#rest = wish;
  }

  get subscriptions(): readonly TopicSubscription[] {
    return listOf(this.#standing);
  }
  set subscriptions(list: readonly TopicSubscription[]) {
    this.#standing = kept(list);
  }
  get isInSeveral(): boolean {
    return isSeveral(this.#standing);
  }

  get isHeld(): boolean {
    return this.nextHeld !== null;
  }
  get socket(): PeerSocket {
    if (this.openSocket === null) throw new Error("the socket is not open yet");
    return this.openSocket;
  }

  get format(): Format {
    return this.terms.format;
  }
  get protocol(): Protocol {
    return this.terms.protocol;
  }
  protected get endpoint(): WebSocketEndpoint {
    return this.terms.endpoint;
  }

  get lifeEnd(): LifeEnd | null {
    return this.more?.lifeEnd ?? null;
  }
  set lifeEnd(end: LifeEnd | null) {
    this.needMore.lifeEnd = end;
  }
  get hasOwnPositions(): boolean {
    return this.more?.several === "own";
  }

  protected get more(): More | null {
    return this.#rest instanceof More ? this.#rest : null;
  }
  protected get needMore(): More {
    if (this.#rest instanceof More) return this.#rest;
    const more = new More();
    more.wish = this.#rest;
    this.#rest = more;
    return more;
  }
  protected get wish(): Wish | null {
    return this.#rest instanceof More ? this.#rest.wish : this.#rest;
  }
  protected forgetWish(): void {
    if (this.#rest instanceof More) this.#rest.wish = null;
    else this.#rest = null;
  }
}
