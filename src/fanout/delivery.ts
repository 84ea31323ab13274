/**
 * One job: carries a batch of messages of one channel to everyone who stands there in this worker, encoded
 * once per format. The pump runs it in slices; each of its three parts remembers where it stopped.
 */
import type { Store } from "../store/store.ts";
import { Batch } from "./batch.ts";
import type { Carrier, Load } from "./carrier.ts";
import type { LocalChannel } from "./local-channel.ts";
import { PollCarrier } from "./poll-carrier.ts";
import type { Standing } from "./standing.ts";
import { StreamCarrier } from "./stream-carrier.ts";
import { TopicCarrier, type TopicPublish } from "./topic-carrier.ts";

export class Job implements Load {
  readonly batch = new Batch();
  channel: LocalChannel;
  readonly #standing: Standing;
  readonly #carriers: readonly Carrier[];
  /** Which of them is at work. */
  #at = 0;

  constructor(standing: Standing, publish: TopicPublish, channel: LocalChannel) {
    this.#standing = standing;
    this.channel = channel;
    this.#carriers = [
      new PollCarrier(standing),
      new TopicCarrier(standing, publish),
      new StreamCarrier(standing),
    ];
  }

  /** Takes the channel's next messages. False when there is nothing to deliver. */
  start(store: Store, channel: LocalChannel): boolean {
    this.channel = channel;
    this.batch.fill(store, channel);
    this.#at = 0;
    for (const carrier of this.#carriers) carrier.begin(this);
    const { count, missed, lostEvents } = this.batch;
    return count > 0 || missed > 0 || lostEvents > 0;
  }

  /** Works until done or until `deadlineMs`. True when every subscriber has the batch. */
  run(deadlineMs: number): boolean {
    for (; this.#at < this.#carriers.length; this.#at++) {
      if (this.#carriers[this.#at]?.run(this, deadlineMs) === false) return false;
    }
    const { channel, batch } = this;
    channel.delivered = Math.max(channel.delivered, batch.to);
    channel.deliveredNumber = Math.max(channel.deliveredNumber, batch.toNumber);
    // Who is told nothing of presence is pinged as if nothing had been.
    if (!batch.isPresence) channel.lastLiveMs = this.#standing.nowMs();
    batch.release();
    return true;
  }
}
