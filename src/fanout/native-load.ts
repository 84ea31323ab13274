/**
 * What Bun has to send when a turn ends: topics are published in the turn and written behind it, where this
 * worker's clock cannot see it. Reckoned by topic-carrier.ts, looked at by the pump, which ends its turn in
 * time.
 *
 * Bun writes once to each socket, however many of its topics something was published to. So channels that
 * share sockets cost little each, and less the more of them go in one turn; what bounds these is how long
 * others may wait, and what a socket may have unsent, as each may be in all of them.
 */
import type { TopicShard } from "./topics.ts";

const SEND_MS = 0.004;
/** For sockets in several channels, in one turn. */
const MOST_SHARED_MS = 8;
/** With the batch that goes beyond it this is what a socket may have unsent (limits.max_unsent_size). */
const MOST_SHARED_BYTES = 128 * 1024;
/** So many sockets of a shard say for all in how many channels they stand. */
const ASKED_OF_SHARD = 8;

export class NativeLoad {
  /** For sockets that have no other channel. */
  aloneMs = 0;
  /** For those in several, as a share of a write for each of their channels. */
  sharedMs = 0;
  #sharedBytes = 0;

  begin(): void {
    this.aloneMs = 0;
    this.sharedMs = 0;
    this.#sharedBytes = 0;
  }

  get ms(): number {
    return this.aloneMs + this.sharedMs;
  }

  /** Sockets in several channels should be given no more in this turn. */
  get isFull(): boolean {
    return this.sharedMs > MOST_SHARED_MS || this.#sharedBytes > MOST_SHARED_BYTES;
  }

  /** So much was published to the sockets of a topic. */
  add({ sockets, inTopic }: TopicShard, bytes: number): void {
    const step = Math.ceil(sockets.length / ASKED_OF_SHARD);
    let asked = 0;
    let alone = 0;
    let shares = 0;
    for (let i = 0; i < sockets.length; i += step) {
      const channels = sockets[i]?.peer.subscriptions.length ?? 1;
      asked++;
      if (channels > 1) shares += 1 / channels;
      else alone++;
    }
    if (asked === 0) return;
    const sendMs = (inTopic * SEND_MS) / asked;
    this.aloneMs += alone * sendMs;
    this.sharedMs += shares * sendMs;
    if (shares > 0) this.#sharedBytes += bytes;
  }
}
