/**
 * Carries a batch to held streams. Part of a job (delivery.ts).
 *
 * They are walked from the end to the start: whoever joins during the job is appended behind the walk and has
 * the batch in his own backlog (`sentId` says so), and whoever leaves is replaced by the last member, who was
 * already served or is recognised by his `sentId`. So no lock, no copy of the member list, no message lost or
 * given twice.
 */
import { volley } from "../http/volley.ts";
import { ByteWriter } from "../wire/byte-writer.ts";
import type { Batch } from "./batch.ts";
import { ahead, type Carrier, CLOCK_EVERY, type Load, READ_AHEAD } from "./carrier.ts";
import { toldCount } from "./format.ts";
import type { LocalChannel, StreamGroup, StreamSubscription } from "./local-channel.ts";
import { PieceWriter } from "./piece-writer.ts";
import { SamePlaces } from "./same-places.ts";
import type { Standing } from "./standing.ts";

export class StreamCarrier implements Carrier {
  readonly #standing: Standing;
  /** The bytes of the group being served; kept while a walk is interrupted. */
  readonly #shared = new PieceWriter();
  /** Bytes for one connection alone. */
  readonly #own = new ByteWriter();
  readonly #places = new SamePlaces();
  #group = 0;
  #at = -1;
  #encoded = false;

  constructor(standing: Standing) {
    this.#standing = standing;
  }

  begin(): void {
    this.#group = 0;
    this.#encoded = false;
  }

  run({ channel, batch }: Load, deadlineMs: number): boolean {
    for (; this.#group < channel.streams.length; this.#group++, this.#encoded = false) {
      const group = channel.streams[this.#group];
      if (group === undefined || group.members.length === 0 || !batch.isFor(group.format)) continue;
      if (!this.#encoded) {
        this.#encoded = true;
        this.#at = group.members.length - 1;
        if (group.format.perConnection) this.#places.begin();
        else this.#encodeShared(group, batch, channel);
      }
      if (!this.#walk(group, batch, channel, deadlineMs)) return false;
      this.#shared.end();
    }
    return true;
  }

  /** A gap that cannot be told leaves the buffer empty. */
  #encodeShared(group: StreamGroup, batch: Batch, channel: LocalChannel): void {
    const shared = this.#shared.begin(batch.bytes);
    batch.pushLost(group.format, shared, channel, null);
    if (batch.missed > 0) {
      if (!group.format.gap(shared, channel, toldCount(batch.missed), batch.to, null)) shared.reset();
      return;
    }
    for (let i = 0; i < batch.count; i++) {
      const m = batch.messages[i];
      if (m !== undefined) batch.push(group.format, shared, m, channel, null);
    }
  }

  #walk(group: StreamGroup, batch: Batch, channel: LocalChannel, deadlineMs: number): boolean {
    const { members } = group;
    const { count, missed } = batch;
    const shared = this.#shared.view();
    const own = group.format.perConnection;
    // Of these all are given what differs in the id alone.
    const isPlain = missed === 0 && !batch.isPresence;
    let served = 0;
    let sentBytes = 0;
    let i = Math.min(this.#at, members.length - 1);
    if (!own) {
      this.#readAhead(members, i);
      volley.open();
    }
    for (; i >= 0; i = Math.min(i - 1, members.length - 1)) {
      if (!own && i % READ_AHEAD === READ_AHEAD - 1) this.#readAhead(members, i);
      const subscription = members[i];
      if (subscription === undefined || batch.hasAll(subscription)) continue;
      if (!batch.isNext(subscription) || (own && !isPlain)) {
        volley.fire();
        this.#writeOwn(group, subscription, batch, channel);
        if (!own) volley.open();
      } else if (own) {
        sentBytes += this.#writePlaced(group, subscription, batch, channel);
        served++;
      } else {
        batch.giveAll(subscription);
        this.#giveShared(subscription, shared, missed);
        sentBytes += shared.length;
        served++;
      }
      if (i % CLOCK_EVERY === 0 && this.#standing.nowMs() > deadlineMs) {
        i--;
        break;
      }
    }
    volley.fire();
    this.#standing.delivered(served * count, sentBytes);
    if (missed > 0 && shared.length > 0) this.#standing.gapTold(served);
    this.#at = i;
    return i < 0;
  }

  /** Nothing of a gap: its format has no words for it. */
  #giveShared(subscription: StreamSubscription, bytes: Uint8Array, missed: number): void {
    const { connection } = subscription;
    if (bytes.length === 0 && missed > 0) {
      volley.fire();
      this.#standing.closeSlow(connection);
    } else if (connection.isDirect) {
      connection.send(bytes);
    } else this.#hold(subscription, bytes);
  }

  #readAhead(members: readonly StreamSubscription[], from: number): void {
    const before = from - READ_AHEAD;
    let seen = 0;
    for (let i = from; i >= 0 && i > before; i--) {
      const subscription = members[i];
      if (subscription !== undefined) seen += subscription.sentId + subscription.connection.readAhead();
    }
    ahead.seen = seen;
  }

  /** Its other channels may have something for it, too. */
  #hold({ connection }: StreamSubscription, bytes: Uint8Array): void {
    connection.sendShared(bytes);
    this.#standing.held.grow(bytes.length);
  }

  /**
   * The whole batch for one that stands where it begins, with ids that name every channel it stands in. How
   * many bytes.
   */
  #writePlaced(
    { format }: StreamGroup,
    subscription: StreamSubscription,
    batch: Batch,
    channel: LocalChannel,
  ): number {
    const { connection } = subscription;
    const same = this.#places.find(connection.places);
    if (same !== null) {
      batch.giveAll(subscription);
      this.#hold(subscription, same);
      return same.length;
    }
    const own = this.#own;
    own.reset();
    for (let i = 0; i < batch.count; i++) {
      const m = batch.messages[i];
      if (m === undefined) continue;
      batch.give(m, subscription);
      batch.push(format, own, m, channel, connection.place());
    }
    this.#places.keep(own);
    this.#hold(subscription, own.view());
    return own.length;
  }

  /**
   * For one connection: its ids name every channel it stands in, or it joined in the middle of this batch.
   */
  #writeOwn(group: StreamGroup, subscription: StreamSubscription, batch: Batch, channel: LocalChannel): void {
    const { connection } = subscription;
    const { format } = group;
    this.#own.reset();
    const place = () => (format.perConnection ? connection.place() : null);
    if (batch.lostEvents > 0) {
      batch.giveAll(subscription);
      batch.pushLost(format, this.#own, channel, place());
    } else if (!batch.isPresence && !this.#tellMissed(group, subscription, batch, channel)) {
      this.#standing.closeSlow(connection);
      return;
    }
    let count = 0;
    for (let i = 0; i < batch.count; i++) {
      const m = batch.messages[i];
      if (m === undefined || batch.wasGiven(m, subscription)) continue;
      batch.give(m, subscription);
      batch.push(format, this.#own, m, channel, place());
      count++;
    }
    this.#hold(subscription, this.#own.view());
    this.#standing.delivered(count, this.#own.length);
  }

  /**
   * What lies between where it stands, or where the batch began, and the batch. False: its format has no
   * words for it.
   */
  #tellMissed(
    { format }: StreamGroup,
    subscription: StreamSubscription,
    batch: Batch,
    channel: LocalChannel,
  ): boolean {
    const upTo = batch.missed > 0 ? batch.to : (batch.messages[0]?.id ?? 0) - 1;
    if (upTo <= subscription.sentId) return true;
    const after = Math.max(subscription.sentId, batch.previous);
    const missed = this.#standing.store.positions.missedBetween(channel.index, after, upTo);
    if (missed <= 0) return true;
    subscription.sentId = upTo;
    const place = format.perConnection ? subscription.connection.place() : null;
    if (!format.gap(this.#own, channel, toldCount(missed), upTo, place)) return false;
    this.#standing.gapTold(1);
    return true;
  }
}
