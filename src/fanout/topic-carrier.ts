/**
 * Carries a batch to WebSockets, shard by shard: Bun's by native topics, ours by one write each. Part of a
 * job (delivery.ts).
 */
import { type DirectSocket, FrameBatch } from "../http/peer-socket.ts";
import { volley } from "../http/volley.ts";
import { ByteWriter } from "../wire/byte-writer.ts";
import { pushDeflatedFrame } from "../wire/message-deflate.ts";
import type { Batch } from "./batch.ts";
import { ahead, type Carrier, type Load, READ_AHEAD } from "./carrier.ts";
import { type Format, toldCount } from "./format.ts";
import { beginFrame, endFrame, frameOf, pushFrame } from "./frame.ts";
import { countText } from "./large-texts.ts";
import type { LocalChannel } from "./local-channel.ts";
import { PieceWriter } from "./piece-writer.ts";
import { slowOf } from "./slow-sockets.ts";
import type { Standing } from "./standing.ts";
import { SHARD_SIZE, type TopicGroup, type TopicShard, type TopicSubscription } from "./topics.ts";

/** Bun's `server.publish`: bytes sent, 0 dropped, -1 queued under backpressure. */
export type TopicPublish = (topic: string, payload: string | Uint8Array) => number;

export class TopicCarrier implements Carrier {
  readonly #standing: Standing;
  readonly #publish: TopicPublish;
  /** One message for Bun, or for one socket alone. */
  readonly #own = new ByteWriter();
  /** Of the group's messages, for Bun's topics and for sockets of our own. */
  readonly #frames: (string | Uint8Array)[] = [];
  readonly #framed = new PieceWriter();
  #framedBatch = new FrameBatch();
  /** The same, compressed once for all who take them so. */
  readonly #deflated = new ByteWriter();
  #deflatedBatch = new FrameBatch();
  #group = 0;
  #at = 0;
  #encoded = false;

  constructor(standing: Standing, publish: TopicPublish) {
    this.#standing = standing;
    this.#publish = publish;
  }

  begin(): void {
    this.#group = 0;
    this.#nextShards();
  }

  #nextShards(): void {
    this.#at = 0;
    this.#encoded = false;
  }

  run({ channel, batch }: Load, deadlineMs: number): boolean {
    if (channel.topics.length === 0 && this.#frames.length === 0) return true;
    for (; this.#group < channel.topics.length; this.#group++, this.#nextShards()) {
      const group = channel.topics[this.#group];
      if (group === undefined || !batch.isFor(group.format)) continue;
      if (!this.#encoded) this.#encode(group, batch, channel);
      let reached = 0;
      for (; this.#at < group.shards.length; this.#at++) {
        // Bun sends what was published when the turn ends, so the clock cannot see it: count instead.
        if (reached >= SHARD_SIZE || (reached > 0 && this.#standing.nowMs() > deadlineMs)) return false;
        reached += this.#carry(group, this.#at, batch, channel);
      }
    }
    for (const frame of this.#frames) countText(frame);
    this.#frames.length = 0;
    this.#framed.end();
    return true;
  }

  #encode(group: TopicGroup, batch: Batch, channel: LocalChannel): void {
    this.#frames.length = 0;
    const framed = this.#framed.begin(group.hasDirect ? batch.bytes : 0);
    this.#deflated.reset();
    if (group.hasDeflated) this.#deflatedBatch = new FrameBatch();
    if (group.hasDirect) this.#framedBatch = new FrameBatch();
    this.#encoded = true;
    if (group.format.perConnection) return;
    if (batch.lostEvents > 0) {
      this.#own.reset();
      batch.pushLost(group.format, this.#own, channel, null);
      this.#addFrame(group);
      return;
    }
    if (batch.missed > 0) {
      this.#own.reset();
      const told = group.format.gap(this.#own, channel, toldCount(batch.missed), batch.to, null);
      if (told) this.#addFrame(group);
      return;
    }
    const isFramedAlone = !group.hasTopics && !group.hasDeflated;
    for (let i = 0; i < batch.count; i++) {
      const m = batch.messages[i];
      if (m === undefined) continue;
      if (!isFramedAlone) {
        this.#own.reset();
        batch.push(group.format, this.#own, m, channel, null);
        this.#addFrame(group);
        continue;
      }
      const start = beginFrame(framed, m.dataLength);
      batch.push(group.format, framed, m, channel, null);
      endFrame(framed, group.format, start, m.dataLength);
    }
  }

  #addFrame(group: TopicGroup): void {
    const own = this.#own;
    if (group.hasTopics) this.#frames.push(frameOf(group.format, own));
    if (!group.hasDirect) return;
    const opcode = pushFrame(this.#framed.writer, group.format, own);
    if (group.hasDeflated) pushDeflatedFrame(this.#deflated, opcode, own.bytes, own.length);
  }

  /** To how many sockets. */
  #carry(group: TopicGroup, at: number, batch: Batch, channel: LocalChannel): number {
    const shard = group.shards[at];
    const sockets = shard?.sockets.length ?? 0;
    if (shard === undefined || sockets === 0) return 0;
    if (group.format.perConnection) {
      this.#sendEach(group.format, shard, batch, channel);
      return sockets;
    }
    if (batch.missed > 0) {
      if (this.#frames.length + this.#framed.writer.length > 0) this.#standing.gapTold(sockets);
      else for (const socket of [...shard.sockets]) socket.peer.closeBehind();
    }
    if (shard.sockets.length > shard.inTopic) this.#sendDirect(shard, batch);
    if (shard.inTopic > 0) this.#publishFrames(shard, batch);
    return sockets;
  }

  #publishFrames(shard: TopicShard, batch: Batch): void {
    let bytes = 0;
    for (let i = 0; i < this.#frames.length; i++) {
      const frame = this.#frames[i] ?? "";
      const sent = this.#publish(shard.topic, frame);
      this.#standing.delivered(shard.inTopic, shard.inTopic * frame.length);
      bytes += frame.length;
      if (sent > 0) continue;
      // 0: it was too much for somebody, the others have it. Who it was is known when his socket closes
      // (subscribe/socket-peer.ts).
      if (sent === 0) shard.overranMs = this.#standing.nowMs();
      this.#standing.socketsLag(slowOf(shard, idOfFrame(batch, i), numberOfFrame(batch, i)));
      if (shard.inTopic === 0) break;
    }
    this.#standing.native.add(shard, bytes);
  }

  /**
   * To sockets of our own: all of the batch in one write each. From the end: who is closed meanwhile is
   * replaced by one who was served.
   */
  #sendDirect(shard: TopicShard, batch: Batch): void {
    const framed = this.#framed.view();
    if (framed.length === 0) return;
    const deflated = this.#deflated.length === 0 ? framed : this.#deflated.view();
    const { sockets } = shard;
    let isAnySlow = false;
    let reached = 0;
    let sentBytes = 0;
    this.#readAhead(sockets, sockets.length - 1);
    volley.open();
    for (let i = sockets.length - 1; i >= 0; i = Math.min(i, sockets.length) - 1) {
      if (i % READ_AHEAD === READ_AHEAD - 1) this.#readAhead(sockets, i);
      const peer = sockets[i]?.peer;
      const direct = peer?.socket.direct;
      if (peer === undefined || direct === undefined) continue;
      const bytes = direct.takesDeflated ? deflated : framed;
      const shared = direct.takesDeflated ? this.#deflatedBatch : this.#framedBatch;
      if (peer.isInSeveral) this.#hold(direct, bytes.length);
      // Corked it takes everything; what it did not take before says that it is slow.
      if (direct.isStalled) isAnySlow = true;
      if (direct.sendFrames(bytes, bytes.length, shared) <= 0) isAnySlow = true;
      reached++;
      sentBytes += bytes.length;
    }
    if (volley.fire() > 0) isAnySlow = true;
    this.#standing.delivered(reached * Math.max(1, batch.count), sentBytes);
    if (isAnySlow) this.#standing.socketsLag(slowOf(shard, batch.to, batch.toNumber));
  }

  #readAhead(sockets: readonly TopicSubscription[], from: number): void {
    const before = from - READ_AHEAD;
    let seen = 0;
    for (let i = from; i >= 0 && i > before; i--) {
      const peer = sockets[i]?.peer;
      if (peer !== undefined) seen += Number(peer.isInSeveral) + (peer.socket.direct?.readAhead() ?? 0);
    }
    ahead.seen = seen;
  }

  /** Its other channels may have something for it, too. */
  #hold(direct: DirectSocket, bytes: number): void {
    const { held } = this.#standing;
    if (!direct.isCorked) {
      direct.cork();
      held.add(direct);
    }
    held.grow(bytes);
  }

  /** To sockets whose frames tell where they stand in all their channels. */
  #sendEach(format: Format, shard: TopicShard, batch: Batch, channel: LocalChannel): void {
    let isAnySlow = false;
    // A copy: a socket that closes leaves.
    for (const subscription of [...shard.sockets]) {
      if (subscription.shard === shard && !this.#sendOwn(format, subscription, batch, channel))
        isAnySlow = true;
    }
    if (isAnySlow) this.#standing.socketsLag(slowOf(shard, batch.to, batch.toNumber));
  }

  /** False: not all of it has left. */
  #sendOwn(format: Format, subscription: TopicSubscription, batch: Batch, channel: LocalChannel): boolean {
    const { peer } = subscription;
    const { direct } = peer.socket;
    if (direct !== undefined) this.#hold(direct, 0);
    if (batch.missed > 0) return this.#tellGap(format, subscription, batch, channel);
    if (batch.lostEvents > 0) return this.#tellLost(format, subscription, batch, channel);
    let isSent = true;
    for (let i = 0; i < batch.count && subscription.isJoined; i++) {
      const m = batch.messages[i];
      if (m === undefined || batch.wasGiven(m, subscription)) continue;
      batch.give(m, subscription);
      this.#own.reset();
      batch.push(format, this.#own, m, channel, peer.place());
      if (peer.socket.send(frameOf(format, this.#own)) <= 0) isSent = false;
      this.#standing.held.grow(this.#own.length);
      this.#standing.delivered(1, this.#own.length);
    }
    return isSent && direct?.isStalled !== true;
  }

  #tellLost(format: Format, subscription: TopicSubscription, batch: Batch, channel: LocalChannel): boolean {
    if (batch.hasAll(subscription)) return true;
    batch.giveAll(subscription);
    this.#own.reset();
    batch.pushLost(format, this.#own, channel, subscription.peer.place());
    return subscription.peer.socket.send(frameOf(format, this.#own)) > 0;
  }

  #tellGap(format: Format, subscription: TopicSubscription, batch: Batch, channel: LocalChannel): boolean {
    const { peer, sentId } = subscription;
    const after = Math.max(sentId, batch.previous);
    const missed = this.#standing.store.positions.missedBetween(channel.index, after, batch.to);
    subscription.sentId = Math.max(sentId, batch.to);
    if (missed === 0) return true;
    this.#own.reset();
    format.gap(this.#own, channel, toldCount(missed), batch.to, peer.place());
    this.#standing.gapTold(1);
    return peer.socket.send(frameOf(format, this.#own)) > 0;
  }
}

const numberOfFrame = (batch: Batch, i: number): number =>
  batch.isPresence ? (batch.messages[i]?.number ?? batch.toNumber) : batch.toNumber;

function idOfFrame(batch: Batch, i: number): number {
  return batch.missed > 0 ? batch.to : (batch.messages[i]?.id ?? batch.to);
}
