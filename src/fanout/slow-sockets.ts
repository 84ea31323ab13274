/**
 * WebSockets that do not take what their topics publish. Bun's topics send to everybody and queue for whoever
 * is slow; all they tell is that somebody is (`publish` says -1). So then every socket of the topic is asked,
 * and those with much unsent leave their topics: they *lag*, like streams do (streams.ts), and read on from
 * the store as their sockets drain (catch-up.ts). What a slow socket costs is what was unsent in that moment,
 * never a queue (promise P4), and nobody is closed for a burst. Called by delivery.ts.
 *
 * Asking costs 30 ns a socket, and only while somebody is slow.
 */
import { leaveTopic, type TopicShard, type TopicSocket, type TopicSubscription } from "./topics.ts";

/**
 * More than the kernel's buffer and this, and it is read from the store. Small beside what a socket may have
 * unsent before Bun closes it (limits.max_unsent, 256 KiB at least), because what a job publishes to small
 * queues is seen a turn later.
 */
export const SOCKET_FULL_BYTES = 64 * 1024;

/** Of ours nothing is queued: who has not taken the last piece is full. */
export const isFull = (socket: TopicSocket): boolean =>
  socket.direct === undefined ? socket.getBufferedAmount() > SOCKET_FULL_BYTES : socket.direct.isStalled;

/**
 * Takes those who are slow out of the shard's topic; `publishedId` is the last id that was published to it,
 * with the number of the last event.
 */
export function slowOf(
  shard: TopicShard,
  publishedId: number,
  publishedNumber = 0,
): readonly TopicSubscription[] {
  const slow: TopicSubscription[] = [];
  for (const subscription of [...shard.sockets]) {
    const { peer, channel } = subscription;
    if (!isFull(peer.socket)) continue;
    standBehind(subscription, publishedId, publishedNumber);
    slow.push(subscription);
    // One socket, one buffer: the next message of another channel would be too much for it.
    for (const other of peer.subscriptions) {
      // A job in slices may have published to it, or not yet: it will ask itself.
      if (other === subscription || !other.isJoined || other.channel.busy || other.channel === channel)
        continue;
      standBehind(other, other.channel.delivered, other.channel.deliveredNumber);
      slow.push(other);
    }
  }
  for (const subscription of slow) {
    leaveTopic(subscription, true);
    subscription.channel.joining.add(subscription);
  }
  return slow;
}

function standBehind(subscription: TopicSubscription, id: number, number: number): void {
  subscription.sentId = Math.max(subscription.sentId, id);
  if (subscription.peer.format.presence) subscription.sentNumber = Math.max(subscription.sentNumber, number);
}
