/**
 * What a WebSocket has that most do not have, or shares with others: kept outside of socket-state.ts, because
 * a field costs each of ten thousand idle sockets eight bytes, whatever is in it.
 */
import type { Format } from "../fanout/format.ts";
import type { Life } from "../fanout/life.ts";
import type { TopicSubscription } from "../fanout/topics.ts";
import type { Departure } from "../front/location-hooks.ts";
import type { ClientMessages } from "./client-messages.ts";
import type { LifeEnd } from "./keep-alive.ts";
import type { Protocol } from "./speaker.ts";
import type { WebSocketEndpoint } from "./websocket.ts";
import type { Wish } from "./wish.ts";

/** What those need beside their subscriptions who stand in several channels at once. */
interface Several {
  /** The subscriptions as they were at first. */
  readonly places: readonly TopicSubscription[];
  /** What the positions count. */
  readonly life: Life;
}

/** What those have beside the rest who speak, whose end is set or told, or who stand in several channels. */
export class More {
  /** What it asked for, until it is seated; it has spoken before. */
  wish: Wish | null = null;
  lifeEnd: LifeEnd | null = null;
  departure: Departure | null = null;
  /** null: it has said nothing, and nothing is asked of what it says. */
  said: ClientMessages | null = null;
  /** "own": its frames tell the position of their own channel. */
  several: Several | "own" | null = null;

  leave(): void {
    this.departure?.();
    this.departure = null;
    this.said?.left();
  }
}

/** What the sockets of a location share that speak one protocol, in one channel or in several. */
export interface Terms {
  readonly endpoint: WebSocketEndpoint;
  readonly protocol: Protocol;
  readonly format: Format;
}
