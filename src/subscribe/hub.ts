/**
 * What all subscriber endpoints of a worker share: store, fan-out, timers, limits, and the list of held
 * connections that a drain has to end. Named as in other push servers: the hub is what holds the connections
 * of a process. Made once by app.ts.
 */
import type { Config } from "../config/model.ts";
import type { Fanout } from "../fanout/fanout.ts";
import type { ChannelQuota } from "../front/channel-quota.ts";
import type { HooksOf, OfferedDraft } from "../front/location-hooks.ts";
import type { Refusal } from "../http/refusal.ts";
import type { NamedChannel } from "../store/channel/channel-ref.ts";
import type { Store } from "../store/store.ts";
import type { Ref } from "../wire/client-frame.ts";
import { Backlog } from "./backlog.ts";
import { type Farewell, farewellOf, type Pace, paceMs } from "./farewell.ts";
import { type Held, isHeld, TimerWheel } from "./timer-wheel.ts";

const PACE_LOOK_MS = 5;

/** Every held connection of the worker, and how they are sent away. */
export class HeldList extends TimerWheel {
  /** Set when nobody may stand here any more. */
  #farewell: Farewell | null = null;

  /** It stands here from now on; of what is due of it nothing is known yet. */
  enter(held: Held): void {
    this.keep(held);
    if (this.#farewell !== null) this.#sendAwaySoon(held, this.#farewell);
  }

  /**
   * Its request was let in just before the drain: it stands first, then it hears that it has to go. In a
   * method of its own: the engine makes what such a function needs whenever its method is called.
   */
  #sendAwaySoon(held: Held, farewell: Farewell): void {
    queueMicrotask(() => isHeld(held) && held.goAway(farewell));
  }

  /**
   * Ends all there are at this pace, the last when the promise resolves, and each that comes later at once.
   */
  async sendAway(farewell: Farewell, pace: Pace): Promise<void> {
    this.#farewell = farewell;
    // A copy: whoever is sent away leaves the list.
    const leaving = this.all();
    const forMs = paceMs(leaving.length, pace);
    const startMs = performance.now();
    for (let told = 0; told < leaving.length; ) {
      const part = forMs === 0 ? 1 : (performance.now() - startMs) / forMs;
      const due = Math.min(leaving.length, Math.ceil(part * leaving.length));
      for (; told < due; told++) {
        const held = leaving[told];
        if (held !== undefined && isHeld(held)) held.goAway(farewell);
      }
      if (told < leaving.length) await Bun.sleep(PACE_LOOK_MS);
    }
  }
}

/** A message of a WebSocket client. */
export interface SaidMessage extends OfferedDraft {
  readonly stored: boolean;
  /** With what was sent, before a hook made something else of it; null: it has none. */
  readonly key: { readonly bytes: Uint8Array; readonly sent: Uint8Array } | null;
  /** Its client waits to hear where it is. */
  readonly isTold: boolean;
  /** Who a grant says its client is; null: nobody said. */
  readonly by: string | null;
}

/** What became of it. */
export interface Published {
  readonly refusal: Refusal | null;
  /** The words for it; empty: nobody asked. */
  readonly where: Readonly<Record<string, unknown>>;
  /** When it is on the disk, and false if that is not known; null: nobody waits for a disk. */
  readonly onDisk: Promise<boolean> | null;
}

/** A message that was put in with others of its client, and what became of it. */
export interface RunMessage {
  readonly name: Uint8Array;
  readonly data: Uint8Array;
  readonly trace: Uint8Array | null;
  readonly ref: Ref;
  /** It is in the store; else there was no room for it. */
  readonly isIn: boolean;
  /** What its channel's positions count, and where it is. */
  readonly life: string;
  readonly position: number;
}

/** Whose messages they are: told of each, in order. */
export interface Offerer {
  /** Of those up to `to`. `onDisk`: as in Published. */
  settled(run: readonly RunMessage[], to: number, onDisk: Promise<boolean> | null): void;
  /** It is to be published by itself. Its data is good for this call alone. */
  unsettled(message: RunMessage): void;
}

/** Publishes what WebSocket clients say (publish/client-publishing.ts). */
export interface ClientPublishing {
  /** To the channels of a connection: what became of it, at once or when a busy store was waited for. */
  readonly publish: (names: readonly Uint8Array[], message: SaidMessage) => Published | Promise<Published>;
  /** Messages that are put in together. */
  readonly run: {
    /**
     * For one channel. `data` has to stay as it is until the run ends, which its offerer sees to. False: it
     * is to be published by itself.
     */
    add(
      offerer: Offerer,
      channel: NamedChannel,
      data: Uint8Array,
      stored: boolean,
      by: string | null,
      trace: Uint8Array | null,
      ref: Ref,
    ): boolean;
    end(): void;
  };
}

export interface HubOptions {
  readonly config: Config;
  readonly store: Store;
  readonly slot: number;
  readonly fanout: Fanout;
  /** The listeners close a connection on which nothing moves for so long. */
  readonly idleSec: number;
  readonly clients: ClientPublishing;
  /** Somebody's code beside locations; without it there is none. */
  readonly hooks?: HooksOf;
  /** How many channels an address may make; absent: any number. */
  readonly quota?: ChannelQuota | null;
  /**
   * Largest message of a WebSocket client, where the listeners take larger ones for others; without it they
   * have the same.
   */
  readonly maxFrameBytes?: number;
}

export class Hub {
  readonly config: Config;
  readonly store: Store;
  readonly slot: number;
  readonly fanout: Fanout;
  readonly idleSec: number;
  readonly clients: ClientPublishing;
  readonly hooks: HooksOf;
  readonly quota: ChannelQuota | null;
  readonly maxFrameBytes: number;
  readonly held = new HeldList();
  readonly backlog: Backlog;
  /** No new subscribers: the worker drains or quits. */
  draining = false;
  /** For those who come while it does. */
  farewell: Farewell = farewellOf(true, 0);

  constructor(options: HubOptions) {
    this.config = options.config;
    this.store = options.store;
    this.slot = options.slot;
    this.fanout = options.fanout;
    this.idleSec = options.idleSec;
    this.clients = options.clients;
    this.hooks = options.hooks ?? (() => null);
    this.quota = options.quota ?? null;
    this.maxFrameBytes = options.maxFrameBytes ?? Number.POSITIVE_INFINITY;
    this.backlog = new Backlog(options.store, options.fanout.turns);
  }

  /** About how many are held by all workers; each knows only its own. */
  get crowd(): number {
    return this.held.size * Math.max(1, this.config.workers);
  }

  /**
   * Ends every held connection with its footer, close frame or timeout answer; resolves when all are told.
   */
  sendAway(isReload: boolean, pace: Pace): Promise<void> {
    this.draining = true;
    this.farewell = farewellOf(isReload, paceMs(this.held.size, pace));
    return this.held.sendAway(this.farewell, pace);
  }

  /** QUIT (spec 8.2): each held connection stays until its ping or ttl is due, or its client leaves. */
  beginLastRound(): void {
    this.draining = true;
    this.held.beginLastRound();
  }

  stop(): void {
    this.held.stop();
  }
}
