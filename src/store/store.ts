/**
 * The store as the other folders see it: one object a process over the shared file. Publish appends, fanout
 * follows the ring and reads, subscribe replays, admin counts, supervisor opens and repairs. It only names
 * and forwards; the work is in the file named after each part. Calls are synchronous, take well under a
 * microsecond unless said otherwise, and throw for nothing but arguments that are a programmer's error. Where
 * the lock cannot be had for REQUEST_MS, because its owner died or stands still, they do nothing and say
 * BUSY.
 */
import type { Marks } from "../message.ts";
import { NO_ROOM } from "./channel/channel-life.ts";
import { ChannelRef } from "./channel/channel-ref.ts";
import * as channels from "./channel/channels.ts";
import { isInternalName } from "./channel/internal-channels.ts";
import { InternalStore } from "./channel/internal-store.ts";
import { addSubscriber } from "./channel/subscribers.ts";
import { sweepStore } from "./channel/sweep.ts";
import { Counter, REFUSED_STATUSES } from "./counters.ts";
import * as jumps from "./jumps.ts";
import { Ledger } from "./ledger.ts";
import { type AfterDeath, lockOwner, lockProgress, takeOver, takeOverInPassing } from "./lock/lock.ts";
import { clearOwner } from "./lock/owner.ts";
import { Patience } from "./lock/patience.ts";
import { MemberStore } from "./members/member-store.ts";
import { type MembersRoom, removeMembers } from "./members/members-file.ts";
import { makeMembers } from "./members/members-of-store.ts";
import { type Arena, wide } from "./memory/arena.ts";
import type { OpenReport, StoreShape } from "./memory/file.ts";
import { DiskFlush } from "./memory/flush.ts";
import { HEAD_EPOCH, HEAD_KEYS_GIVEN_UP, HEAD_STARTED_SEC } from "./memory/layout-header.ts";
import { openChannel } from "./memory/open.ts";
import { appendAll, type Entry, serialBeforeEntry, settleAs, UNSETTLED } from "./message/append-all.ts";
import * as events from "./message/events.ts";
import type { Message } from "./message/message-view.ts";
import { appendMessage, clockIsAt, clockOf, deleteChannel } from "./message/publish.ts";
import { readMessage } from "./message/read.ts";
import { Reader } from "./message/reader.ts";
import { nextSerial, type RingEntry, readEntry, ringHead } from "./message/ring.ts";
import type { Sight } from "./message/seek.ts";
import * as seek from "./message/seek.ts";
import { BUSY } from "./outcome.ts";
import { isWildcardName, type StorePolicy } from "./policy.ts";
import { mendAfter, timesMended } from "./recovery/damage.ts";
import { hasForgotten, momentOf, readMoment } from "./replica/moments.ts";
import { publishedIn } from "./replica/replica.ts";
import { ReplicaStore } from "./replica/replica-store.ts";
import * as revocations from "./revocations.ts";
import { endService, isOnDisk } from "./service.ts";
import * as slots from "./slots.ts";
import { type StoreTotals, totalsOf } from "./totals.ts";
import { WebhookStore } from "./webhook/webhook-store.ts";

/** Channel records gone through in one go: some 10 ms where none of them is in the processor's cache. */
const RECORDS_A_TURN = 16_384;

export type { OpenReport, StorePolicy, StoreShape };

export class Store {
  /** When main opened the store: the zone's uptime (push-stream spec 0.4). */
  readonly startedSec: number;
  /** A node of a cluster: ids are positions of the cluster (replica.ts). */
  readonly isClustered: boolean;
  readonly maxMessageBytes: number;
  readonly channelCapacity: number;
  readonly workerSlots: number;
  readonly ringSize: number;
  /** The memory itself, for tests and the invariants checker. */
  readonly arena: Arena;
  /** What only a node of a cluster does; null: this is none. */
  readonly replica: ReplicaStore | null;
  /** Sluice's own channels. */
  readonly internal: InternalStore;
  /** Where webhooks are kept. */
  readonly webhooks: WebhookStore;
  /** Who is there; null: no location counts anybody. */
  members: MemberStore | null;
  /** For whoever was told BUSY and can wait beside the event loop. */
  readonly patience: Patience;
  /** Channels that found no room, of those this process asked for. */
  roomless = 0;
  readonly #epoch: number;
  #policy: StorePolicy;
  #isMain: boolean;
  #onEvent: (() => void) | null = null;
  #onLost: ((index: number, incarnation: number) => void) | null = null;
  /** How far slots have been given back that are on their way. */
  readonly #released = new Map<number, number>();
  readonly #forgotten = new Map<number, number>();
  readonly #ledger = new Ledger(() => this.#tellReaders());

  constructor(arena: Arena, policy: StorePolicy, isMain: boolean) {
    this.arena = arena;
    this.patience = new Patience(arena);
    this.internal = new InternalStore(
      arena,
      () => this.#policy,
      () => this.#tellReaders(),
    );
    this.webhooks = new WebhookStore(arena, () => this.#policy);
    this.replica = arena.layout.clusterWord === 0 ? null : new ReplicaStore(arena, () => this.#policy);
    this.members = this.#membersOf(arena);
    this.#policy = policy;
    this.#isMain = isMain;
    this.#epoch = wide(arena.u32, HEAD_EPOCH);
    this.startedSec = arena.u32[HEAD_STARTED_SEC]!;
    this.isClustered = arena.layout.clusterWord !== 0;
    this.maxMessageBytes = arena.layout.maxMessageBytes;
    this.channelCapacity = arena.layout.channels;
    this.workerSlots = arena.layout.workerSlots;
    this.ringSize = arena.layout.ringSize;
  }

  #membersOf(arena: Arena): MemberStore | null {
    const { members } = arena;
    if (members === null) return null;
    return new MemberStore(
      arena,
      members,
      () => this.#policy,
      () => this.#tellReaders(),
    );
  }

  /**
   * Main, at a reload: the first location that counts members needs the table. One that is there stays as it
   * is.
   */
  needMembers(room: MembersRoom): void {
    if (this.members !== null) return;
    makeMembers(this.arena, room, Math.floor(Date.now() / 1000));
    this.members = this.#membersOf(this.arena);
  }

  /** Another ttl or limit from now on (reload); messages keep the expiry they were stored with. */
  setPolicy(policy: StorePolicy): void {
    this.#policy = policy;
  }

  /** Changes while it is open on a node of a cluster alone (cluster/rejoin.ts). */
  get epoch(): number {
    return this.isClustered ? wide(this.arena.u32, HEAD_EPOCH) : this.#epoch;
  }

  // What was taken back (src/access)

  get revokedVersion(): number {
    return revocations.revokedVersion(this.arena);
  }

  revokedMarks(nowSec: number): readonly revocations.RevokedMark[] {
    return revocations.revokedMarks(this.arena, nowSec);
  }

  revoke(mark: revocations.RevokedMark, nowSec: number): revocations.RevokeOutcome {
    return revocations.revoke(this.arena, mark, nowSec);
  }

  // Workers

  /** Takes a free slot for a worker, with counters at 0 and the cursor at the head; -1 when all are taken. */
  claimSlot(pid: number, nowSec: number): number {
    return slots.claimSlot(this.arena, pid, nowSec);
  }

  /**
   * Gives a slot back with every subscriber it counted, each of which is told of in the events channel;
   * harmless when it was given back already. False: it has not come to the end, because the lock is taken or
   * there are many channels; call it again.
   */
  releaseSlot(slot: number, nowMs = Date.now()): boolean {
    // Nobody of that worker is owed anything any more, however long the rest takes.
    slots.setOwed(this.arena, slot, slots.OWED_NOTHING);
    const nowSec = Math.floor(nowMs / 1000);
    const from = this.#released.get(slot) ?? 0;
    const to = Math.min(this.channelCapacity, from + RECORDS_A_TURN);
    const reached = this.#mending(() => events.tellOfLost(this.arena, this.#policy, slot, nowSec, from, to));
    slots.forgetSubscribers(this.arena, slot, from, reached);
    this.#released.set(slot, reached);
    this.#tellReaders();
    if (reached < this.channelCapacity || !this.#forgetMembers(slot, nowMs)) return false;
    this.#released.delete(slot);
    this.#forgotten.delete(slot);
    slots.releaseSlot(this.arena, slot);
    return true;
  }

  /** What the worker had in the table of members; false: not all of it yet. */
  #forgetMembers(slot: number, nowMs: number): boolean {
    const { members } = this;
    if (members === null) return true;
    const reached = members.forgetSlot(slot, this.#forgotten.get(slot) ?? 0, nowMs);
    this.#forgotten.set(slot, reached);
    return reached > members.records;
  }

  /** The slot of a worker, -1 when it has none. */
  slotOf(pid: number): number {
    return slots.slotOf(this.arena, pid);
  }

  /** The worker in a slot, 0 when the slot is free. */
  slotPid(slot: number): number {
    return slots.slotPid(this.arena, slot);
  }

  slotStartedSec(slot: number): number {
    return slots.slotStartedSec(this.arena, slot);
  }

  /** Main: a worker that died was replaced. */
  countReplaced(): void {
    slots.countReplaced(this.arena);
  }

  /**
   * Main: if this dead process held the lock, finishes what it was at and frees it, unless that takes longer
   * than microseconds.
   */
  finishAfterDeath(pid: number): AfterDeath {
    return takeOverInPassing(this.arena, pid);
  }

  /** The same, however long it takes; true if it held the lock. */
  repairAfterDeath(pid: number): boolean {
    return takeOver(this.arena, pid);
  }

  /** How often links led where none can lead, and the lists were made anew; main says so in the log. */
  get timesMended(): number {
    return timesMended(this.arena);
  }

  /** The process that holds the lock, 0 when it is free. */
  lockOwner(): number {
    return lockOwner(this.arena);
  }

  /** Another number whenever the lock changed hands or its owner got on. */
  lockProgress(): number {
    return lockProgress(this.arena);
  }

  /**
   * Main: says that nobody writes any more, so that the next open needs no recovery. Takes as long as the
   * disk does. Throws when it cannot be said, because the disk did not take everything.
   */
  markClean(): void {
    endService(this.arena);
  }

  /** Whether the messages outlive the machine; false: the file is in memory. */
  get isOnDisk(): boolean {
    return isOnDisk(this.arena);
  }

  /** For whoever waits for the disk; null when there is none to wait for. Close it. */
  openFlush(): DiskFlush | null {
    return this.isOnDisk ? new DiskFlush(this.arena) : null;
  }

  /** Lets go of the store. The mapping itself ends with the object. */
  close(): void {
    this.#ledger.stop();
    if (!this.#isMain) return;
    if (this.members !== null) removeMembers(this.arena.path);
    clearOwner(this.arena);
  }

  // Channels

  /**
   * Index of a living channel, with its incarnation in `into`; -1 when there is none, BUSY when that is not
   * to be known now.
   */
  find(name: Uint8Array, into = new ChannelRef()): number {
    if (isInternalName(name)) return -1;
    return channels.findChannel(this.arena, name, into);
  }

  /**
   * Finds or creates: the index, with the incarnation in `into`; -1 = the limit of its class is reached, -2 =
   * no room for it, BUSY.
   */
  open(name: Uint8Array, nowSec: number, into = new ChannelRef()): number {
    if (isInternalName(name)) return -1;
    if (this.#ledger.isFull) return BUSY;
    const index = this.#mending(() => openChannel(this.arena, this.#policy, name, nowSec, into));
    if (index === NO_ROOM) this.roomless++;
    this.#tellReaders();
    return index;
  }

  /**
   * Whether the name is that of a wildcard channel by the policy of now; a channel keeps the class it was
   * made with.
   */
  isWildcard(name: Uint8Array): boolean {
    return isWildcardName(this.#policy, name);
  }

  /** Odd while the channel lives. Changes when it is removed; never comes back for the same index. */
  incarnation(index: number): number {
    return channels.incarnationOf(this.arena, index);
  }

  isLive(index: number, incarnation: number): boolean {
    return channels.isLive(this.arena, index, incarnation);
  }

  /** position = base + id; never goes back when a channel is deleted and created again. */
  base(index: number): number {
    return channels.baseOf(this.arena, index);
  }

  /** Position of somebody who stands in a channel of this base and was given nothing. */
  beginning(base: number): number {
    return this.isClustered ? momentOf(this.arena) : base;
  }

  /** Of a cluster: where to go on after a position, and whether what was missed can be known. */
  placeAfter(index: number, position: number): { readonly afterId: number; readonly isUnknown: boolean } {
    return jumps.placeAfter(this.arena, index, position);
  }

  /**
   * Of a cluster: time and tag of a position that is a moment, and whether anything since was forgotten;
   * null: it is a message's.
   */
  momentAt(position: number): { time: number; tag: number; isForgotten: boolean } | null {
    const moment = readMoment(position);
    return moment && { ...moment, isForgotten: hasForgotten(this.arena, moment.time) };
  }

  /** A copy of the channel's name. Stays readable for 10 s after the channel was removed. */
  name(index: number): Uint8Array {
    return channels.nameOf(this.arena, index);
  }

  /** Time and tag of the newest message, or a moment after it: no message that is published later has less. */
  get clock(): { readonly sec: number; readonly tag: number } {
    return clockOf(this.arena);
  }

  /**
   * Every message that comes from here on has a later time than `nowSec` with tag 0, and what has not is there
   * already. False: this cannot be said, for the lock is held, or the clock was set back.
   */
  clockIsAt(nowSec: number): boolean {
    return clockIsAt(this.arena, nowSec);
  }

  /** Messages ever published = the last id (push-stream spec 0.4). */
  publishedCount(index: number): number {
    return channels.lastIdOf(this.arena, index);
  }

  /** The same, where ids are positions of a cluster, as the cluster counts. */
  publishedTotal(index: number): number {
    return publishedIn(this.arena, index);
  }

  /**
   * Messages that somebody lacks who was given everything up to `after` and nothing up to `upTo`; infinite:
   * not to be counted.
   */
  missedBetween(index: number, after: number, upTo: number): number {
    return this.isClustered ? jumps.missedBetween(this.arena, index, after, upTo) : upTo - after;
  }

  storedCount(index: number): number {
    return channels.storedCountOf(this.arena, index);
  }

  /** Those of one worker. */
  subscribersOf(index: number, slot: number): number {
    return channels.subscribersOfSlot(this.arena, index, slot);
  }

  subscriberCount(index: number): number {
    return channels.subscriberCountOf(this.arena, index);
  }

  lastTime(index: number): number {
    return channels.lastTimeOf(this.arena, index);
  }

  lastTag(index: number): number {
    return channels.lastTagOf(this.arena, index);
  }

  /**
   * Counts a subscription in and keeps the channel from being collected. With an incarnation: false when the
   * channel is gone (open it again); while others are still being told of its deletion it is counted all the
   * same, so count it out as well. Without one the caller must have opened it in this very turn. Where the
   * lock is taken it is counted later, and onLost told when the channel is gone by then.
   */
  addSubscriber(slot: number, index: number, nowSec: number, incarnation?: number): boolean {
    if (!this.#ledger.isEmpty) return this.#addLater(slot, index, nowSec, incarnation);
    const outcome = addSubscriber(this.arena, this.#policy, slot, index, nowSec, incarnation);
    return outcome === BUSY ? this.#addLater(slot, index, nowSec, incarnation) : outcome === 1;
  }

  #addLater(slot: number, index: number, nowSec: number, incarnation = this.incarnation(index)): boolean {
    this.#ledger.do(() => {
      const outcome = addSubscriber(this.arena, this.#policy, slot, index, nowSec, incarnation);
      if (outcome === 0) this.#onLost?.(index, incarnation);
      return outcome !== BUSY;
    });
    return this.isLive(index, incarnation);
  }

  /** Calls `lost` when a channel is gone whose subscriber could not be counted in at once. */
  onLost(lost: ((index: number, incarnation: number) => void) | null): void {
    this.#onLost = lost;
  }

  /**
   * Counts it out and tells of it in the events channel: `channel_destroyed` waits for the count. With an
   * incarnation: nothing happens when the channel is in the trash or further, its counts went with it.
   */
  removeSubscriber(slot: number, index: number, incarnation?: number, nowMs?: number): void {
    if (this.eventsChannel < 0 && this.#ledger.isEmpty) {
      channels.removeSubscriber(this.arena, slot, index, incarnation);
      return;
    }
    const nowSec = Math.floor((nowMs ?? Date.now()) / 1000);
    this.#ledger.do(() =>
      this.#mending(() =>
        events.endOwnSubscription(this.arena, this.#policy, slot, index, incarnation, nowSec),
      ),
    );
    this.#tellReaders();
  }

  /**
   * Tells the events channel of a subscription that was counted in and has its old messages (push-stream spec
   * 7).
   */
  tellOfSubscriber(index: number, incarnation: number, nowMs?: number): void {
    if (this.eventsChannel < 0) return;
    // The clock is asked only when there is something to tell.
    const nowSec = Math.floor((nowMs ?? Date.now()) / 1000);
    this.#ledger.do(() =>
      this.#mending(() => events.tellOfSubscriber(this.arena, this.#policy, index, incarnation, nowSec)),
    );
    this.#tellReaders();
  }

  /** Index of the events channel, -1 = there is none. The same for as long as main has the store open. */
  get eventsChannel(): number {
    return events.eventsChannelOf(this.arena);
  }

  /** Calls `wake` after events were published from here, as whoever appends a message wakes its readers. */
  onEvent(wake: (() => void) | null): void {
    this.#onEvent = wake;
  }

  /** For what may be done again from its beginning. */
  #mending<T>(work: () => T): T {
    const before = nextSerial(this.arena);
    try {
      return work();
    } catch (error) {
      mendAfter(this.arena, error, before);
      return work();
    }
  }

  #tellReaders(): void {
    if (!this.arena.eventsDue) return;
    this.arena.eventsDue = false;
    this.#onEvent?.();
  }

  /** Visits living channels in creation order; ones removed during the visit may be left out. False: busy. */
  eachChannel(visit: (index: number) => void): boolean {
    return channels.eachChannel(this.arena, visit);
  }

  // Messages

  /**
   * Stores a message and makes it visible to all: its id, 0 = the channel is gone (open again), -1 = larger
   * than the store, BUSY. Event id and type may have 65,534 bytes; more throws RangeError. Ring the other
   * workers afterwards.
   */
  append(
    index: number,
    incarnation: number,
    data: Uint8Array,
    eventId: Uint8Array | null,
    eventType: Uint8Array | null,
    stored: boolean,
    nowMs: number,
    marks: Marks | null = null,
  ): number {
    const { arena } = this;
    const policy = this.#policy;
    const before = nextSerial(arena);
    try {
      return appendMessage(
        arena,
        policy,
        index,
        incarnation,
        data,
        eventId,
        eventType,
        stored,
        nowMs,
        false,
        null,
        marks,
      );
    } catch (error) {
      // Done again, unless it had come far enough to be finished by the repair.
      if (mendAfter(arena, error, before)) return channels.lastIdOf(arena, index);
      return appendMessage(
        arena,
        policy,
        index,
        incarnation,
        data,
        eventId,
        eventType,
        stored,
        nowMs,
        false,
        null,
        marks,
      );
    }
  }

  /**
   * The same for several, each with what became of it: how many were settled from this one on, or BUSY. Call
   * it again for the rest; one whose channel is gone (GONE) is not settled.
   */
  appendAll(entries: readonly Entry[], from: number, nowMs: number): number {
    try {
      return appendAll(this.arena, this.#policy, entries, from, nowMs);
    } catch (error) {
      let at = from;
      while (entries[at] !== undefined && entries[at]?.outcome !== UNSETTLED) at++;
      const entry = entries[at];
      // Done again, unless it had come far enough to be finished by the repair.
      if (mendAfter(this.arena, error, serialBeforeEntry()) && entry !== undefined) {
        settleAs(this.arena, entry, channels.lastIdOf(this.arena, entry.index));
        at++;
      }
      return at - from;
    }
  }

  /** Idempotency keys that were given up before their time, because so many others came. */
  get keysGivenUp(): number {
    return wide(this.arena.u32, HEAD_KEYS_GIVEN_UP);
  }

  /**
   * Removes a channel at once and puts a deletion (id CHANNEL_DELETED_ID, data = text) into the ring: 1, 0 =
   * no such channel, BUSY. Throws RangeError when the text is larger than maxMessageBytes.
   */
  deleteChannel(name: Uint8Array, text: Uint8Array, nowMs: number): number {
    const before = nextSerial(this.arena);
    try {
      return deleteChannel(this.arena, this.#policy, name, text, nowMs);
    } catch (error) {
      const isDone = mendAfter(this.arena, error, before);
      return isDone ? 1 : deleteChannel(this.arena, this.#policy, name, text, nowMs);
    }
  }

  /** Reads the channel on after this id; with a number: presence events as well, those behind it. */
  reader(index: number, incarnation: number, afterId: number, afterNumber: number | null = null): Reader {
    return new Reader(this.arena, index, incarnation, afterId, afterNumber);
  }

  /** Number of the newest presence event in a channel; 0: there was none. */
  presenceNumber(index: number, incarnation: number): number {
    return this.members === null ? 0 : this.members.numberOf(index, incarnation);
  }

  /** What its numbers began at: the first event has the next one. 0: there was none. */
  presenceBegan(index: number, incarnation: number): number {
    return this.members === null ? 0 : this.members.beganAt(index, incarnation);
  }

  /**
   * Fills `into` with the oldest message of a later time, or of this one with at least the tag: AT_PLACE,
   * NOTHING_NEWER, DISTURBED.
   */
  seekTime(index: number, incarnation: number, time: number, tag: number | null, into: Sight): number {
    return seek.seekTime(this.arena, index, incarnation, time, tag, into);
  }

  /** Fills `into` with the channel's newest message, whatever it is; false when there is none. */
  seeNewest(index: number, incarnation: number, into: Sight): boolean {
    return seek.seeNewest(this.arena, index, incarnation, into);
  }

  /**
   * The id before the last `count` stored messages, -1 when they have to be counted; `newest` when nothing is
   * stored.
   */
  beforeLastStored(index: number, incarnation: number, count: number, newest: number): number {
    return seek.beforeLastStored(this.arena, index, incarnation, count, newest);
  }

  /** Whether something with an id above this one is stored. */
  hasStoredAfter(index: number, afterId: number): boolean {
    return seek.hasStoredAfter(this.arena, index, afterId);
  }

  /** Whether something newer than time and tag (null: than the whole second) was stored and is no longer. */
  hasLostAfter(index: number, time: number, tag: number | null): boolean {
    return channels.hasLostAfter(this.arena, index, time, tag);
  }

  /** Copies a message out; false when it was evicted meanwhile (`into` is then garbage). */
  read(block: number, stamp: number, into: Message): boolean {
    return readMessage(this.arena, block, stamp, into, true);
  }

  // Dispatch ring

  /** Serial of the next publish: entries below it can be read. */
  head(): number {
    return ringHead(this.arena);
  }

  /** False = lapped: the ring went round, compare the channels with the store instead. */
  entry(serial: number, out: RingEntry): boolean {
    return readEntry(this.arena, serial, out);
  }

  /** Says that this worker has dispatched everything below `serial`. */
  setCursor(slot: number, serial: number): void {
    slots.setCursor(this.arena, slot, serial);
  }

  /** Says what this worker's subscribers are owed: OWED_NOTHING, OWED_LIVE or OWED_BEHIND of slots.ts. */
  setOwed(slot: number, owed: number): void {
    slots.setOwed(this.arena, slot, owed);
  }

  /**
   * True = nothing new, go to sleep and wait for the bell; false = there is more, this worker still counts as
   * awake.
   */
  beginSleep(slot: number, cursor: number): boolean {
    return slots.beginSleep(this.arena, slot, cursor);
  }

  /** After a publish: calls `ring` for each other worker that sleeps. */
  ringOthers(slot: number, ring: (slot: number) => void): void {
    slots.ringOthers(this.arena, slot, ring);
  }

  // Housekeeping

  /** Every worker calls it once a second; one of them does the work. */
  sweep(nowMs: number): void {
    const before = nextSerial(this.arena);
    try {
      sweepStore(this.arena, this.#policy, nowMs);
    } catch (error) {
      // The next sweep goes on.
      mendAfter(this.arena, error, before);
    }
    this.#tellReaders();
  }

  totals(nowMs: number): StoreTotals {
    return totalsOf(this.arena, nowMs);
  }

  count(slot: number, counter: Counter, delta: number): void {
    slots.addCounter(this.arena, slot, counter, delta);
  }

  /** A request, or a message of a WebSocket client, was refused with this status. */
  countRefusal(slot: number, status: number): void {
    this.count(slot, Counter.REFUSED, 1);
    for (const [counted, counter] of REFUSED_STATUSES) if (counted === status) this.count(slot, counter, 1);
  }

  counter(slot: number, counter: Counter): number {
    return slots.readCounter(this.arena, slot, counter);
  }

  setCounter(slot: number, counter: Counter, value: number): void {
    slots.writeCounter(this.arena, slot, counter, value);
  }
}
