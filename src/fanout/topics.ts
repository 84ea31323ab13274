/**
 * WebSocket subscribers on Bun's native topics: one `server.publish` call reaches every socket of a topic.
 *
 * A topic holds at most SHARD_SIZE sockets, because a native publish cannot be interrupted: a channel with
 * 50,000 sockets becomes some fifty topics, published over several event-loop turns, and other channels get
 * their turn in between. A socket enters a topic only between two jobs of its channel and with everything
 * that was delivered, so the next job is the next thing it is owed (see catch-up.ts).
 *
 * Sockets whose frames tell where they stand in several channels have no bytes in common: they stand in
 * shards all the same, in the same order and slices, but each is sent its own.
 */
import type { PeerSocket } from "../http/peer-socket.ts";
import type { Position } from "../wire/position.ts";
import type { Format } from "./format.ts";
import { LastingSubscription, type LocalChannel } from "./local-channel.ts";

export const SHARD_SIZE = 512;
/**
 * Those that are written to one by one, about a millisecond's worth: between two shards others get their
 * turn.
 */
export const OWN_SHARD_SIZE = 128;

/** The part of a socket that fan-out needs. */
export type TopicSocket = Pick<
  PeerSocket,
  "send" | "getBufferedAmount" | "subscribe" | "unsubscribe" | "direct"
>;

/** What stands behind a socket: one per connection, made by subscribe/websocket.ts. */
export interface TopicPeer {
  readonly format: Format;
  readonly socket: TopicSocket;
  subscriptions: readonly TopicSubscription[];
  /** There are several of them: asked once a delivery, so it makes no list. */
  readonly isInSeveral: boolean;
  /**
   * Where it stands in all its channels, as placeOf gives it; asked for where its format is perConnection.
   */
  place(): Position;
  /** Closes because the reader cannot be told what it missed, or did not follow. */
  closeBehind(): void;
  /** One of its channels was deleted and has left `subscriptions`; ends the connection if it was the last. */
  channelDeleted(): void;
}

export class TopicSubscription extends LastingSubscription {
  /** In its group: the shard's number and the place in that; -1: it has not joined, or was too slow. */
  place = -1;
  readonly peer: TopicPeer;
  constructor(channel: LocalChannel, peer: TopicPeer, sentId: number, historyUntil: number) {
    super(channel, sentId, historyUntil);
    this.peer = peer;
  }

  /**
   * The channel's next job is the next thing it wants: no job runs, all that was delivered was given to it,
   * and unstored history, which is not for newcomers, is behind it.
   */
  get hasCaughtUp(): boolean {
    const { channel, peer, sentId, sentNumber, reading } = this;
    if (peer.format.presence && sentNumber !== channel.deliveredNumber) return false;
    return !channel.busy && sentId === channel.delivered && sentId >= (reading?.historyUntil ?? 0);
  }

  get isJoined(): boolean {
    return this.place >= 0;
  }
  /** Found by its place: a field for it would be one too many (LastingSubscription). */
  get shard(): TopicShard | null {
    if (this.place < 0) return null;
    return topicGroup(this.channel, this.peer.format).shards[Math.floor(this.place / SHARD_SIZE)] ?? null;
  }
}

export class TopicShard {
  readonly sockets: TopicSubscription[] = [];
  /** How many of them are Bun's, and stand in its topic. */
  inTopic = 0;
  /** How many of them take compressed frames. */
  deflated = 0;
  /**
   * When a publish was too much for one or more of the sockets (performance.now()): Bun closes those, and
   * says no more than that.
   */
  overranMs = Number.NEGATIVE_INFINITY;
  readonly topic: string;
  /** Its sockets are written to one by one; else they stand in Bun's topic. */
  readonly isOwn: boolean;
  /** Of the first socket; the next shard's is SHARD_SIZE later. */
  readonly firstPlace: number;
  constructor(topic: string, isOwn: boolean, firstPlace: number) {
    this.topic = topic;
    this.isOwn = isOwn;
    this.firstPlace = firstPlace;
  }
}

export class TopicGroup {
  readonly shards: TopicShard[] = [];
  /** Some of its sockets are Bun's; some are ours. */
  get hasTopics(): boolean {
    return this.shards.some(({ inTopic }) => inTopic > 0);
  }
  get hasDirect(): boolean {
    return this.shards.some(({ sockets, inTopic }) => sockets.length > inTopic);
  }
  get hasDeflated(): boolean {
    return this.shards.some(({ deflated }) => deflated > 0);
  }
  readonly format: Format;
  readonly #prefix: string;
  constructor(channel: LocalChannel, format: Format) {
    this.format = format;
    this.#prefix = `${format.key}/${channel.index}.${channel.incarnation}/`;
  }

  join(subscription: TopicSubscription): void {
    const isOwn = this.format.perConnection || subscription.peer.socket.direct !== undefined;
    const shard = this.#roomIn(isOwn);
    subscription.place = shard.firstPlace + shard.sockets.length;
    shard.sockets.push(subscription);
    if (takesDeflated(subscription)) shard.deflated++;
    if (isOwn) return;
    subscription.peer.socket.subscribe(shard.topic);
    shard.inTopic++;
  }

  #roomIn(isOwn: boolean): TopicShard {
    const size = isOwn ? OWN_SHARD_SIZE : SHARD_SIZE;
    const hasRoom = (shard: TopicShard): boolean => shard.isOwn === isOwn && shard.sockets.length < size;
    const last = this.shards.at(-1);
    if (last !== undefined && hasRoom(last)) return last;
    const known = this.shards.find(hasRoom);
    if (known !== undefined) return known;
    const number = this.shards.length;
    const made = new TopicShard(this.#prefix + number, isOwn, number * SHARD_SIZE);
    this.shards.push(made);
    return made;
  }
}

const takesDeflated = ({ peer }: TopicSubscription): boolean => peer.socket.direct?.takesDeflated === true;

/** Takes a subscription out of its shard, or out of those who want to join. */
export function leaveTopic(subscription: TopicSubscription, socketOpen: boolean): void {
  const { shard, channel } = subscription;
  if (shard === null) {
    channel.joining.delete(subscription);
    return;
  }
  const last = shard.sockets.pop();
  if (last !== undefined && last !== subscription) {
    shard.sockets[subscription.place - shard.firstPlace] = last;
    last.place = subscription.place;
  }
  subscription.place = -1;
  if (takesDeflated(subscription)) shard.deflated--;
  const { format, socket } = subscription.peer;
  if (format.perConnection || socket.direct !== undefined) return;
  shard.inTopic--;
  if (socketOpen) socket.unsubscribe(shard.topic);
}

/**
 * A socket that is closed so soon after its shard was overrun was too slow; others are closed by their
 * clients.
 */
const OVERRUN_CLOSES_WITHIN_MS = 1000;

export const wasOverrun = ({ shard }: TopicSubscription, nowMs: number): boolean =>
  shard !== null && nowMs - shard.overranMs < OVERRUN_CLOSES_WITHIN_MS;

export function topicGroup(channel: LocalChannel, format: Format): TopicGroup {
  for (const group of channel.topics) if (group.format === format) return group;
  const group = new TopicGroup(channel, format);
  channel.topics.push(group);
  return group;
}
