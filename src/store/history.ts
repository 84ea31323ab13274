/**
 * What is stored, as readers look for it (Store.history): a channel read on after an id, messages found by
 * time or counted from the newest, one message copied out of its block. All of it without the lock: what is
 * evicted meanwhile is seen as such (message/read.ts, message/seek.ts). Used by fan-out and subscribe.
 */
import { hasLostAfter } from "./channel/channels.ts";
import type { Arena } from "./memory/arena.ts";
import type { Message } from "./message/message-view.ts";
import { readMessage } from "./message/read.ts";
import { Reader } from "./message/reader.ts";
import type { Sight } from "./message/seek.ts";
import * as seek from "./message/seek.ts";

export class History {
  readonly #arena: Arena;

  constructor(arena: Arena) {
    this.#arena = arena;
  }

  /** Reads the channel on after this id; with a number: presence events as well, those behind it. */
  reader(index: number, incarnation: number, afterId: number, afterNumber: number | null = null): Reader {
    return new Reader(this.#arena, index, incarnation, afterId, afterNumber);
  }

  /** Copies a message out; false when it was evicted meanwhile (`into` is then garbage). */
  read(block: number, stamp: number, into: Message): boolean {
    return readMessage(this.#arena, block, stamp, into, true);
  }

  /**
   * Fills `into` with the oldest message of a later time, or of this one with at least the tag: AT_PLACE,
   * NOTHING_NEWER, DISTURBED.
   */
  seekTime(index: number, incarnation: number, time: number, tag: number | null, into: Sight): number {
    return seek.seekTime(this.#arena, index, incarnation, time, tag, into);
  }

  /** Fills `into` with the channel's newest message, whatever it is; false when there is none. */
  seeNewest(index: number, incarnation: number, into: Sight): boolean {
    return seek.seeNewest(this.#arena, index, incarnation, into);
  }

  /**
   * The id before the last `count` stored messages, -1 when they have to be counted; `newest` when nothing is
   * stored.
   */
  beforeLastStored(index: number, incarnation: number, count: number, newest: number): number {
    return seek.beforeLastStored(this.#arena, index, incarnation, count, newest);
  }

  /** Whether something with an id above this one is stored. */
  hasStoredAfter(index: number, afterId: number): boolean {
    return seek.hasStoredAfter(this.#arena, index, afterId);
  }

  /** Whether something newer than time and tag (null: than the whole second) was stored and is no longer. */
  hasLostAfter(index: number, time: number, tag: number | null): boolean {
    return hasLostAfter(this.#arena, index, time, tag);
  }
}
