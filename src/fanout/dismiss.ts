/**
 * What happens to those who stand in a channel when it is deleted (push-stream spec 2.7 (4)): everyone gets
 * the deletion message in his format; a long poll is answered with it; other connections end with their last
 * channel and go on in the others.
 *
 * A stream that lags is told as well, after what its socket still holds: what it had not read went with the
 * channel.
 */
import { CHANNEL_DELETED_ID } from "../message.ts";
import { Message } from "../store/message/message-view.ts";
import { ByteWriter } from "../wire/byte-writer.ts";
import type { Format } from "./format.ts";
import { frameOf } from "./frame.ts";
import type { LocalChannel, StreamSubscription } from "./local-channel.ts";
import { without } from "./one-or-many.ts";
import type { Standing } from "./standing.ts";
import type { TopicSubscription } from "./topics.ts";

/** What is told when the deletion's own message was evicted before it was read. */
export function lostDeletion(channel: LocalChannel, text: Uint8Array): Message {
  const m = new Message();
  m.id = CHANNEL_DELETED_ID;
  m.channel = channel.name;
  m.dataLength = text.length;
  m.reserve(text.length);
  m.bytes.set(text);
  return m;
}

export function dismiss(standing: Standing, channel: LocalChannel, m: Message): void {
  channel.gone = true;
  channel.dismissed = true;
  const bytes = new ByteWriter();
  for (const subscription of [...channel.waiting]) {
    encode(bytes, subscription.poll.format, m, channel);
    standing.leavePoll(subscription);
    subscription.poll.answer(subscription, m, bytes.copy());
  }
  for (const group of channel.topics) {
    encode(bytes, group.format, m, channel);
    const frame = frameOf(group.format, bytes);
    for (const shard of group.shards) {
      for (const subscription of [...shard.sockets]) dismissSocket(standing, subscription, frame);
    }
  }
  for (const subscription of [...channel.joining]) {
    encode(bytes, subscription.peer.format, m, channel);
    dismissSocket(standing, subscription, frameOf(subscription.peer.format, bytes));
  }
  for (const group of channel.streams) {
    for (const subscription of [...group.members]) dismissStream(standing, subscription, m, bytes);
  }
  for (const subscription of [...channel.behind]) dismissStream(standing, subscription, m, bytes);
}

function dismissSocket(
  standing: Standing,
  subscription: TopicSubscription,
  frame: string | Uint8Array,
): void {
  const { peer } = subscription;
  if (peer.socket.send(frame) === 0) standing.socketsDropped(1);
  else standing.delivered(1, frame.length);
  // Closed by that send, and gone from here.
  if (!peer.subscriptions.includes(subscription)) return;
  if (!peer.isInSeveral) standing.leaveTopics(peer, true);
  else {
    peer.subscriptions = without(peer.subscriptions, subscription);
    standing.leaveTopicChannel(subscription, true);
  }
  peer.channelDeleted();
}

function dismissStream(
  standing: Standing,
  subscription: StreamSubscription,
  m: Message,
  bytes: ByteWriter,
): void {
  const { connection, channel } = subscription;
  bytes.reset();
  const { format } = connection;
  format.message(bytes, m, channel, format.perConnection ? connection.place() : null);
  connection.send(bytes.view());
  standing.delivered(1, 0);
  if (connection.isInSeveral) {
    connection.lose(subscription);
    standing.leaveStreamChannel(subscription);
    return;
  }
  standing.leaveStream(connection);
  connection.end(connection.footer);
}

function encode(writer: ByteWriter, format: Format, m: Message, channel: LocalChannel): void {
  writer.reset();
  format.message(writer, m, channel, null);
}
