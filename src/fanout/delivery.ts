/**
 * One job: carries a batch of messages of one channel to everyone who stands there in this worker, encoded once per format.
 * The pump runs it in slices; it remembers where it stopped.
 *
 * Streams are walked from the end to the start: whoever joins during the job is appended behind the walk and has the batch in
 * his own backlog (`sentId` says so), and whoever leaves is replaced by the last member, who was already served or is recognised by
 * his `sentId`. So no lock, no copy of the member list, no message lost or given twice.
 */
import { CHANNEL_DELETED_ID } from "../message.ts";
import { FrameBatch } from "../peer-socket.ts";
import type { Message } from "../store/message-view.ts";
import type { Store } from "../store/store.ts";
import { ByteWriter } from "../wire/byte-writer.ts";
import { pushFrameHead } from "../wire/frame-encoder.ts";
import { BINARY, TEXT } from "../wire/frame-layout.ts";
import { isUtf8 } from "../wire/utf8.ts";
import { Batch } from "./batch.ts";
import { type Format, toldCount } from "./format.ts";
import type { LocalChannel, StreamGroup, StreamSubscription, Subscription } from "./local-channel.ts";
import { slowOf } from "./slow-sockets.ts";
import type { Standing } from "./standing.ts";
import { SHARD_SIZE, type TopicGroup, type TopicShard, type TopicSubscription } from "./topics.ts";

/** Bun's `server.publish`: bytes sent, 0 dropped, -1 queued under backpressure. */
export type TopicPublish = (topic: string, payload: string | Uint8Array) => number;

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** What Bun spends on sending to one socket of a topic after the turn, where this worker's clock cannot see it. */
const NATIVE_SEND_MS = 0.004;

const WAITING = 0;
const TOPICS = 1;
const STREAMS = 2;
/** How often a walk over streams looks at the clock. */
const CLOCK_EVERY = 64;

export class Job {
  readonly batch = new Batch();
  channel: LocalChannel;
  readonly #standing: Standing;
  readonly #publish: TopicPublish;
  /** The bytes of the group being served; kept while a walk is interrupted. */
  readonly #shared = new ByteWriter();
  /** Bytes for one connection alone. */
  readonly #own = new ByteWriter();
  /** Estimated time that Bun will spend on this job's topics after the turn. */
  nativeMs = 0;
  /** Of the group's messages, for Bun's topics and for sockets of our own: one after the other. */
  readonly #frames: (string | Uint8Array)[] = [];
  readonly #framed = new ByteWriter();
  #framedBatch = new FrameBatch();
  #phase = WAITING;
  #group = 0;
  #at = -1;
  #encoded = false;

  constructor(standing: Standing, publish: TopicPublish, channel: LocalChannel) {
    this.#standing = standing;
    this.#publish = publish;
    this.channel = channel;
  }

  /** Takes the channel's next messages. False when there is nothing to deliver. */
  start(store: Store, channel: LocalChannel): boolean {
    this.channel = channel;
    this.batch.fill(store, channel);
    this.nativeMs = 0;
    this.#phase = WAITING;
    this.#group = 0;
    this.#at = channel.waiting.length - 1;
    this.#encoded = false;
    return this.batch.count > 0 || this.batch.missed > 0;
  }

  /** Works until done or until `deadlineMs`. True when every subscriber has the batch. */
  run(deadlineMs: number): boolean {
    if (this.#phase === WAITING) {
      if (!this.#answerPolls(deadlineMs)) return false;
      this.#next(TOPICS);
    }
    if (this.#phase === TOPICS) {
      if (!this.#publishTopics(deadlineMs)) return false;
      this.#next(STREAMS);
    }
    if (!this.#writeStreams(deadlineMs)) return false;
    const { channel, batch } = this;
    channel.delivered = Math.max(channel.delivered, batch.to);
    channel.lastLiveMs = this.#standing.nowMs();
    batch.release();
    this.#frames.length = 0;
    return true;
  }

  #next(phase: number): void {
    this.#phase = phase;
    this.#group = 0;
    this.#at = -1;
    this.#encoded = false;
  }

  // --- waiting long polls: the first message each has not seen -------------------------------------------------------

  #answerPolls(deadlineMs: number): boolean {
    const { waiting } = this.channel;
    let format: Format | null = null;
    let message: Message | null = null;
    let body = new Uint8Array(0);
    for (let i = Math.min(this.#at, waiting.length - 1); i >= 0; i = Math.min(i - 1, waiting.length - 1)) {
      const subscription = waiting[i];
      const m = subscription && this.#firstAfter(subscription.sentId);
      if (subscription === undefined || m === null || m === undefined) continue;
      if (format !== subscription.poll.format || message !== m) {
        format = subscription.poll.format;
        message = m;
        this.#own.reset();
        format.message(this.#own, m, this.channel, null);
        body = this.#own.copy();
      }
      this.#standing.leavePoll(subscription);
      subscription.poll.answer(subscription, m, body);
      this.#standing.delivered(1, body.length);
      this.#at = i;
      if (i % CLOCK_EVERY === 0 && this.#standing.nowMs() > deadlineMs) return false;
    }
    return true;
  }

  #firstAfter(id: number): Message | null {
    for (let i = 0; i < this.batch.count; i++) {
      const m = this.batch.messages[i];
      if (m !== undefined && (m.id > id || m.id === CHANNEL_DELETED_ID)) return m;
    }
    return null;
  }

  // --- native topics ---------------------------------------------------------------------------------------------------

  #publishTopics(deadlineMs: number): boolean {
    for (; this.#group < this.channel.topics.length; this.#nextGroup()) {
      const group = this.channel.topics[this.#group];
      if (group === undefined) continue;
      if (!this.#encoded) this.#encodeFrames(group);
      let reached = 0;
      for (this.#at = Math.max(0, this.#at); this.#at < group.shards.length; this.#at++) {
        // Bun sends what was published when the turn ends, so the clock cannot see it: count instead.
        if (reached >= SHARD_SIZE || (reached > 0 && this.#standing.nowMs() > deadlineMs)) return false;
        const sockets = this.#publishShard(group, this.#at);
        reached += sockets;
        this.nativeMs += (group.shards[this.#at]?.inTopic ?? 0) * NATIVE_SEND_MS;
      }
    }
    return true;
  }

  #nextGroup(): void {
    this.#group++;
    this.#at = -1;
    this.#encoded = false;
  }

  #encodeFrames(group: TopicGroup): void {
    this.#frames.length = 0;
    this.#framed.reset();
    if (group.hasDirect) this.#framedBatch = new FrameBatch();
    this.#encoded = true;
    const { batch, channel } = this;
    if (group.format.perConnection) return;
    if (batch.missed > 0) {
      this.#own.reset();
      const told = group.format.gap(this.#own, channel, toldCount(batch.missed), batch.to, null);
      if (told) this.#addFrame(group);
      return;
    }
    for (let i = 0; i < batch.count; i++) {
      const m = batch.messages[i];
      if (m === undefined) continue;
      this.#own.reset();
      group.format.message(this.#own, m, channel, null);
      this.#addFrame(group);
    }
  }

  #addFrame(group: TopicGroup): void {
    const own = this.#own;
    if (group.hasTopics) this.#frames.push(frameOf(group.format, own));
    if (!group.hasDirect) return;
    const isText = !group.format.binary && isUtf8(own.bytes, 0, own.length);
    pushFrameHead(this.#framed, isText ? TEXT : BINARY, own.length);
    this.#framed.pushRange(own.bytes, 0, own.length);
  }

  #publishShard(group: TopicGroup, at: number): number {
    const shard = group.shards[at];
    const sockets = shard?.sockets.length ?? 0;
    if (shard === undefined || sockets === 0) return 0;
    if (group.format.perConnection) {
      this.#sendEach(group.format, shard);
      return sockets;
    }
    if (this.batch.missed > 0) {
      if (this.#frames.length + this.#framed.length > 0) this.#standing.gapTold(sockets);
      else for (const socket of [...shard.sockets]) socket.peer.closeBehind();
    }
    if (shard.sockets.length > shard.inTopic) this.#sendDirect(shard);
    if (shard.inTopic > 0) this.#publishFrames(shard);
    return sockets;
  }

  #publishFrames(shard: TopicShard): void {
    for (let i = 0; i < this.#frames.length; i++) {
      const frame = this.#frames[i] ?? "";
      const sent = this.#publish(shard.topic, frame);
      this.#standing.delivered(shard.inTopic, shard.inTopic * frame.length);
      if (sent > 0) continue;
      // 0: it was too much for somebody, the others have it. Who it was is known when his socket closes (subscribe/socket-peer.ts).
      if (sent === 0) shard.overranMs = this.#standing.nowMs();
      this.#standing.socketsLag(slowOf(shard, this.#idOfFrame(i)));
      if (shard.inTopic === 0) break;
    }
  }

  /** To sockets of our own: all of the batch in one write each. From the end: who is closed meanwhile is replaced by one who was served. */
  #sendDirect(shard: TopicShard): void {
    const { bytes, length } = this.#framed;
    if (length === 0) return;
    const { sockets } = shard;
    const count = Math.max(1, this.batch.count);
    let isAnySlow = false;
    for (let i = sockets.length - 1; i >= 0; i = Math.min(i, sockets.length) - 1) {
      const peer = sockets[i]?.peer;
      const direct = peer?.socket.direct;
      if (peer === undefined || direct === undefined) continue;
      // Its other channels may have something in this turn, too.
      if (peer.subscriptions.length > 1) direct.corkLate();
      if (direct.sendFrames(bytes, length, this.#framedBatch) <= 0) isAnySlow = true;
      this.#standing.delivered(count, length);
    }
    if (isAnySlow) this.#standing.socketsLag(slowOf(shard, this.batch.to));
  }

  /** To sockets whose frames tell where they stand in all their channels. */
  #sendEach(format: Format, shard: TopicShard): void {
    let isAnySlow = false;
    // A copy: a socket that closes leaves.
    for (const subscription of [...shard.sockets]) {
      if (subscription.shard === shard && !this.#sendOwn(format, subscription)) isAnySlow = true;
    }
    if (isAnySlow) this.#standing.socketsLag(slowOf(shard, this.batch.to));
  }

  /** False: not all of it has left. */
  #sendOwn(format: Format, subscription: TopicSubscription): boolean {
    const { batch, channel } = this;
    const { peer } = subscription;
    peer.socket.direct?.corkLate();
    if (batch.missed > 0) {
      const missed = this.#missedBy(subscription);
      subscription.sentId = Math.max(subscription.sentId, batch.to);
      if (missed === 0) return true;
      this.#own.reset();
      format.gap(this.#own, channel, toldCount(missed), batch.to, peer.place());
      this.#standing.gapTold(1);
      return peer.socket.send(frameOf(format, this.#own)) > 0;
    }
    let isSent = true;
    for (let i = 0; i < batch.count && subscription.shard !== null; i++) {
      const m = batch.messages[i];
      if (m === undefined || m.id <= subscription.sentId) continue;
      subscription.sentId = m.id;
      this.#own.reset();
      format.message(this.#own, m, channel, peer.place());
      if (peer.socket.send(frameOf(format, this.#own)) <= 0) isSent = false;
      this.#standing.delivered(1, this.#own.length);
    }
    return isSent;
  }

  #idOfFrame(i: number): number {
    const { batch } = this;
    return batch.missed > 0 ? batch.to : (batch.messages[i]?.id ?? batch.to);
  }

  // --- held streams ------------------------------------------------------------------------------------------------------

  #writeStreams(deadlineMs: number): boolean {
    for (; this.#group < this.channel.streams.length; this.#nextGroup()) {
      const group = this.channel.streams[this.#group];
      if (group === undefined || group.members.length === 0) continue;
      if (!this.#encoded) {
        this.#encoded = true;
        this.#at = group.members.length - 1;
        if (!group.format.perConnection) this.#encodeShared(group);
      }
      if (!this.#walk(group, deadlineMs)) return false;
    }
    return true;
  }

  /** A gap that cannot be told leaves the buffer empty. */
  #encodeShared(group: StreamGroup): void {
    const { batch, channel } = this;
    this.#shared.reset();
    if (batch.missed > 0) {
      if (!group.format.gap(this.#shared, channel, toldCount(batch.missed), batch.to, null))
        this.#shared.reset();
      return;
    }
    for (let i = 0; i < batch.count; i++) {
      const m = batch.messages[i];
      if (m !== undefined) group.format.message(this.#shared, m, channel, null);
    }
  }

  #walk(group: StreamGroup, deadlineMs: number): boolean {
    const { members } = group;
    const { previous, to, count, missed } = this.batch;
    const shared = this.#shared.view();
    const own = group.format.perConnection;
    let served = 0;
    let i = Math.min(this.#at, members.length - 1);
    for (; i >= 0; i = Math.min(i - 1, members.length - 1)) {
      const subscription = members[i];
      if (subscription === undefined || subscription.sentId >= to) continue;
      if (own || subscription.sentId !== previous) this.#writeOwn(group, subscription);
      else {
        subscription.sentId = to;
        if (shared.length === 0 && missed > 0) this.#standing.closeSlow(subscription.connection);
        else if (subscription.connection.subscriptions.length === 1) subscription.connection.send(shared);
        else subscription.connection.sendShared(shared);
        served++;
      }
      if (i % CLOCK_EVERY === 0 && this.#standing.nowMs() > deadlineMs) {
        i--;
        break;
      }
    }
    this.#standing.delivered(served * count, served * shared.length);
    if (missed > 0 && shared.length > 0) this.#standing.gapTold(served);
    this.#at = i;
    return i < 0;
  }

  /** What lies between where it stands, or where the batch began, and `upTo`. */
  #missedBy({ sentId }: Subscription, upTo = this.batch.to): number {
    const { store } = this.#standing;
    return store.missedBetween(this.channel.index, Math.max(sentId, this.batch.previous), upTo);
  }

  /** For one connection: its ids name every channel it stands in, or it joined in the middle of this batch. */
  #writeOwn(group: StreamGroup, subscription: StreamSubscription): void {
    const { batch, channel } = this;
    const { connection } = subscription;
    const place = () => (group.format.perConnection ? connection.place() : null);
    this.#own.reset();
    let told = true;
    const upTo = batch.missed > 0 ? batch.to : (batch.messages[0]?.id ?? 0) - 1;
    const missed = upTo > subscription.sentId ? this.#missedBy(subscription, upTo) : 0;
    if (missed > 0) {
      subscription.sentId = upTo;
      told = group.format.gap(this.#own, channel, toldCount(missed), upTo, place());
      if (told) this.#standing.gapTold(1);
    }
    let count = 0;
    for (let i = 0; i < batch.count; i++) {
      const m = batch.messages[i];
      if (m === undefined || m.id <= subscription.sentId) continue;
      subscription.sentId = m.id;
      group.format.message(this.#own, m, channel, place());
      count++;
    }
    if (!told) {
      this.#standing.closeSlow(subscription.connection);
      return;
    }
    connection.sendShared(this.#own.view());
    this.#standing.delivered(count, this.#own.length);
  }
}

/** A text frame is a JS string to Bun and must be valid UTF-8 (RFC 6455 8.1); anything else goes out as a binary frame. */
export function frameOf(format: Format, writer: ByteWriter): string | Uint8Array {
  if (!format.binary && isUtf8(writer.bytes, 0, writer.length)) return decoder.decode(writer.view());
  return writer.copy();
}
