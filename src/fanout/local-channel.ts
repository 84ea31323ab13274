/**
 * A channel as one worker sees it: who stands here, what was delivered to them, what is still to come. Made
 * at the first subscription in this worker, forgotten after the last. The channel itself (names, counts,
 * messages) lives in the store.
 *
 *   ids:   1 ........ delivered | batch of the running job | in the store, where `reader` goes on
 *
 * Every live subscription has seen all ids up to `delivered`, except that a subscription which joined later
 * carries its own, higher `sentId`. Jobs compare the two, so joining and leaving while a job runs can neither
 * lose nor repeat a message (P1, P2).
 */
import type { NamedChannel } from "../store/channel/channel-ref.ts";
import type { Reader } from "../store/message/reader.ts";
import type { Store } from "../store/store.ts";
import type { Position } from "../wire/position.ts";
import type { Format } from "./format.ts";
import type { InHand } from "./in-hand.ts";
import { Life } from "./life.ts";
import type { StreamConnection } from "./streams.ts";
import type { TopicGroup, TopicSubscription } from "./topics.ts";
import type { WaitingSubscription } from "./waiting.ts";

/** What every held subscription knows of its place in one channel. */
export class Subscription {
  /** The last id this connection was given, or decided not to want. */
  sentId: number;
  readonly channel: LocalChannel;

  constructor(channel: LocalChannel, sentId: number) {
    this.channel = channel;
    this.sentId = sentId;
  }
}

/**
 * The same of a connection that goes on. Each kind has six fields and is 64 bytes; with one more it would be
 * 80, ten thousand times.
 */
export class LastingSubscription extends Subscription {
  /** Number of the last presence event it was told, or came after; only where its format tells them. */
  sentNumber = 0;
  /** While it is not live and has something to read; null once it is seated. */
  reading: Reading | null;

  /**
   * `historyUntil`: ids up to here are history the connection asked for by backtrack or time. 0: everything
   * after `sentId` is owed.
   */
  constructor(channel: LocalChannel, sentId: number, historyUntil: number) {
    super(channel, sentId);
    // What is behind it already needs no name.
    this.reading = historyUntil > sentId ? new Reading(historyUntil) : null;
  }

  /** It stands where the live ones are. */
  seated(): void {
    this.reading = null;
  }
}

/** What those have beside who read on from the store: in an object of its own, as most only wait. */
export class Reading {
  /**
   * Unstored messages up to here are not for newcomers, and holes are no loss; 0: it asked for no history.
   */
  readonly historyUntil: number;
  /** Goes on after `sentId`; null: it has not begun to. */
  reader: Reader | null = null;

  constructor(historyUntil: number) {
    this.historyUntil = historyUntil;
  }
}

// Asked for once a delivery: two objects, used again and again.
const here = { life: "", positions: [] as number[] };
const hereAndNow = { life: "", positions: here.positions, numbers: [] as number[] };

/**
 * Where a connection stands in all its channels, in the order in which it asked for them. Good until the next
 * call.
 */
export function placeOf(life: Pick<Life, "text">, subscriptions: readonly LastingSubscription[]): Position {
  const { positions } = here;
  const count = subscriptions.length;
  positions.length = count;
  let isToldEvents = false;
  for (let i = 0; i < count; i++) {
    const subscription = subscriptions[i];
    if (subscription === undefined) continue;
    const { channel, sentId, sentNumber } = subscription;
    positions[i] = sentId === 0 ? channel.beginning : channel.base + sentId;
    if (sentNumber > 0) isToldEvents = true;
  }
  const at = isToldEvents ? hereAndNow : here;
  at.life = life.text;
  if (isToldEvents) hereAndNow.numbers = subscriptions.map((each) => each.sentNumber);
  return at;
}

/**
 * One channel of one HTTP stream. `place` is its index in the group's members, -1 while it is not live
 * (lagging or left).
 */
export class StreamSubscription extends LastingSubscription {
  place = -1;
  readonly connection: StreamConnection;
  constructor(channel: LocalChannel, connection: StreamConnection, sentId: number, historyUntil: number) {
    super(channel, sentId, historyUntil);
    this.connection = connection;
  }

  /** Takes it out of the live set, if it stands there. */
  leaveGroup(): void {
    if (this.place >= 0) this.channel.streamGroup(this.connection.format).remove(this);
  }
}

/**
 * The live streams of one channel that share a format. Removal swaps with the last, so order means nothing.
 */
export class StreamGroup {
  readonly members: StreamSubscription[] = [];
  readonly format: Format;
  constructor(format: Format) {
    this.format = format;
  }

  add(subscription: StreamSubscription): void {
    subscription.place = this.members.length;
    this.members.push(subscription);
  }

  remove(subscription: StreamSubscription): void {
    const place = subscription.place;
    const last = this.members.pop();
    if (last !== undefined && last !== subscription) {
      this.members[place] = last;
      last.place = place;
    }
    subscription.place = -1;
  }
}

export class LocalChannel {
  readonly index: number;
  readonly incarnation: number;
  /** position of a message = base + id. */
  readonly base: number;
  /** Where a connection stands that was given nothing yet. */
  readonly beginning: number;
  readonly name: Uint8Array;
  /** Of the token of a connection that has this channel alone. */
  readonly life: Life;
  /** Every id up to here was handed to all who were live. */
  delivered: number;
  /** And every presence event up to this number, to those who are told them; 0: there was none. */
  deliveredNumber: number;
  /** Where the jobs of this worker read on. */
  readonly reader: Reader;
  /** Something came through the ring that no job has looked for yet. */
  due = false;
  /** A message of this turn that needs not be read, if it is the only one. */
  inHand: InHand | null = null;
  /** Block and stamp of the newest entry of the ring: the deletion's, once the channel lives no more. */
  lastBlock = 0;
  lastStamp = 0;
  /**
   * The channel was deleted; who stands here is told once all before it is delivered, and `dismissed` says
   * that it was done.
   */
  gone = false;
  dismissed = false;
  /**
   * When the last live message was delivered here: restarts the ping interval of all who stand here (spec
   * 4.9).
   */
  lastLiveMs = 0;
  /** Time the running job has taken so far, and when the next may begin (see rests.ts). */
  fanoutMs = 0;
  restUntilMs = 0;
  /** Or later, until then, while it has fewer messages than the last time. */
  awaitUntilMs = 0;
  /** Messages of the last batch. */
  batched = 0;
  /** Subscriptions of any kind in this worker, lagging and joining ones included. */
  standing = 0;
  /** A delivery job is cut into slices and not finished. */
  busy = false;
  queued = false;
  readonly streams: StreamGroup[] = [];
  readonly topics: TopicGroup[] = [];
  readonly waiting: WaitingSubscription[] = [];
  /** WebSockets that read up to `delivered` from the store and enter their native topic between two jobs. */
  readonly joining = new Set<TopicSubscription>();
  /**
   * Streams that read from the store until they have caught up: newcomers with a backlog, and slow readers.
   */
  readonly behind = new Set<StreamSubscription>();

  /** Who joins is given what is published after `delivered`. */
  constructor(store: Store, { index, incarnation, name }: NamedChannel, base: number, delivered: number) {
    this.index = index;
    this.incarnation = incarnation;
    this.base = base;
    this.beginning = store.positions.beginning(base);
    this.name = name;
    this.life = new Life(store, [name]);
    this.delivered = delivered;
    // After the last id: what is between the two was before anybody stood here.
    this.deliveredNumber = store.positions.presenceNumber(index, incarnation);
    this.reader = store.history.reader(
      index,
      incarnation,
      delivered,
      store.members === null ? null : this.deliveredNumber,
    );
  }

  /** There is something to deliver, a gap and the end included. */
  hasMore(): boolean {
    return this.gone ? !this.dismissed : this.due;
  }

  streamGroup(format: Format): StreamGroup {
    for (const group of this.streams) if (group.format === format) return group;
    const group = new StreamGroup(format);
    this.streams.push(group);
    return group;
  }
}
