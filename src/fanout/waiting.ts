/**
 * Waiting long polls: a held request that the first live message on any of its channels answers, with exactly
 * that message (push-stream spec 4.12 (6)).
 */
import type { Message } from "../store/message/message-view.ts";
import type { Format } from "./format.ts";
import { type LocalChannel, Subscription } from "./local-channel.ts";

/** It is answered once, and has nothing to read on: four fields, 48 bytes. */
export class WaitingSubscription extends Subscription {
  place = -1;
  readonly poll: WaitingPoll;
  constructor(channel: LocalChannel, poll: WaitingPoll, sentId: number) {
    super(channel, sentId);
    this.poll = poll;
  }
}

/** Who answers: made by subscribe/poll.ts, which knows headers, templates and footers. */
export interface WaitingPoll {
  readonly format: Format;
  subscriptions: readonly WaitingSubscription[];
  /**
   * `subscription` is the one it came for, and stands nowhere any more. `body` is the encoded message alone,
   * shared by all polls of the format; it must not be written to.
   */
  answer(subscription: WaitingSubscription, m: Message, body: Uint8Array): void;
}

export function addWaiting(subscription: WaitingSubscription): void {
  const list = subscription.channel.waiting;
  subscription.place = list.length;
  list.push(subscription);
}

export function removeWaiting(subscription: WaitingSubscription): void {
  const list = subscription.channel.waiting;
  const last = list.pop();
  if (last !== undefined && last !== subscription) {
    list[subscription.place] = last;
    last.place = subscription.place;
  }
  subscription.place = -1;
}
