/**
 * What Bun has to send when a turn ends: topics are published in the turn and written behind it, where this
 * worker's clock cannot see it. Reckoned by topic-carrier.ts, looked at by the pump, which ends its turn in
 * time and lets channels rest for a share of what they took.
 *
 * Bun writes once to each socket, however many of its topics something was published to. So channels that
 * share sockets cost little each, and less the more of them go in one turn; what bounds these is how long
 * others may wait, and what a socket may have unsent, as each may be in all of them.
 */
import type { TopicShard } from "./topics.ts";

/** A write, at least: turns are cut by it. */
const LEAST_MS = 0.004;
/** What it really takes depends on the machine and on what is written: found out as it goes, up to this. */
const MOST_MS = 0.02;
/** Of so many writes or more; and what was found out last counts for so much. */
const LEARN_FROM = 64;
const LEARN_SHARE = 1 / 8;
/** For sockets in several channels, in one turn. */
const MOST_SHARED_MS = 8;
/** With the batch that goes beyond it this is what a socket may have unsent (limits.max_unsent_size). */
const MOST_SHARED_BYTES = 128 * 1024;
/** So many sockets of a shard say for all in how many channels they stand. */
const ASKED_OF_SHARD = 8;

export class NativeLoad {
  #alone = 0;
  #shared = 0;
  #sharedBytes = 0;
  #writeMs = LEAST_MS;
  /** When the turn ended whose writes are looked at; 0: none is. */
  #endedMs = 0;

  /** A turn begins. */
  begin(nowMs: number): void {
    if (this.#endedMs > 0) this.#learn((nowMs - this.#endedMs) / (this.#alone + this.#shared));
    this.#endedMs = 0;
    this.#alone = 0;
    this.#shared = 0;
    this.#sharedBytes = 0;
  }

  /** It ends. True: the next should follow at once, to see how long Bun has taken. */
  end(nowMs: number): boolean {
    if (this.#alone + this.#shared < LEARN_FROM) return false;
    this.#endedMs = nowMs;
    return true;
  }

  /** Other work that came between makes it more than it was, seldom much. */
  #learn(writeMs: number): void {
    const seenMs = Math.min(Math.max(writeMs, LEAST_MS), MOST_MS);
    this.#writeMs += (seenMs - this.#writeMs) * LEARN_SHARE;
  }

  /** What all writes of this turn so far will take. */
  get ms(): number {
    return (this.#alone + this.#shared) * this.#writeMs;
  }

  /** Those to sockets that have no other channel, at least. */
  get aloneMs(): number {
    return this.#alone * LEAST_MS;
  }

  /** Sockets in several channels should be given no more in this turn. */
  get isFull(): boolean {
    return this.#shared * LEAST_MS > MOST_SHARED_MS || this.#sharedBytes > MOST_SHARED_BYTES;
  }

  /** So much was published to the sockets of a topic. */
  add({ sockets, inTopic }: TopicShard, bytes: number): void {
    const step = Math.ceil(sockets.length / ASKED_OF_SHARD);
    let asked = 0;
    let alone = 0;
    let shares = 0;
    for (let i = 0; i < sockets.length; i += step) {
      const peer = sockets[i]?.peer;
      const channels = peer?.isInSeveral === true ? peer.subscriptions.length : 1;
      asked++;
      if (channels > 1) shares += 1 / channels;
      else alone++;
    }
    if (asked === 0) return;
    this.#alone += (inTopic * alone) / asked;
    this.#shared += (inTopic * shares) / asked;
    if (shares > 0) this.#sharedBytes += bytes;
  }
}
