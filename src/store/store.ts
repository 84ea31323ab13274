/**
 * The store as the other folders see it: one object a process over the shared file. Publish appends, fanout
 * follows the ring and reads, subscribe replays, admin counts, supervisor opens and repairs. Here are
 * channels and what is published to them; each other subject is an object of its own:
 *
 *   workers      slots, cursors, sleep and bells      subscribers  who stands where
 *   counters     what each worker counts              positions    where clients stand and go on
 *   history      reading what is stored               upkeep       what main does: deaths, disk, the end
 *   revoked      what was taken back                  members      who is there (presence)
 *   internal     sluice's own channels                webhooks     what they are told
 *   replica      what a node of a cluster does
 *
 * Calls are synchronous, take well under a microsecond unless said otherwise, and throw for nothing but
 * arguments that are a programmer's error. Where the lock cannot be had for REQUEST_MS, because its owner
 * died or stands still, they do nothing and say BUSY.
 */
import type { Marks } from "../message.ts";
import { NO_ROOM } from "./channel/channel-life.ts";
import { ChannelRef } from "./channel/channel-ref.ts";
import * as channels from "./channel/channels.ts";
import { isInternalName } from "./channel/internal-channels.ts";
import { InternalStore } from "./channel/internal-store.ts";
import { sweepStore } from "./channel/sweep.ts";
import { StoreCore } from "./core.ts";
import { History } from "./history.ts";
import { clearOwner } from "./lock/owner.ts";
import { Patience } from "./lock/patience.ts";
import { MemberStore } from "./members/member-store.ts";
import { type MembersRoom, removeMembers } from "./members/members-file.ts";
import { makeMembers } from "./members/members-of-store.ts";
import { type Arena, wide } from "./memory/arena.ts";
import type { OpenReport, StoreShape } from "./memory/file.ts";
import { HEAD_EPOCH, HEAD_KEYS_GIVEN_UP, HEAD_STARTED_SEC } from "./memory/layout-header.ts";
import { openChannel } from "./memory/open.ts";
import type { Entry } from "./message/append-all.ts";
import { appendAllMended, appendMended, deleteMended } from "./message/append-mended.ts";
import { eventsChannelOf } from "./message/events.ts";
import { nextSerial, type RingEntry, readEntry, ringHead } from "./message/ring.ts";
import { BUSY } from "./outcome.ts";
import { isWildcardName, type StorePolicy } from "./policy.ts";
import { Positions } from "./positions.ts";
import { mendAfter, mending } from "./recovery/damage.ts";
import { ReplicaStore } from "./replica/replica-store.ts";
import { RevokedTable } from "./revocations.ts";
import { SlotCounters } from "./slot-counters.ts";
import { Subscribers } from "./subscribers.ts";
import { type StoreTotals, totalsOf } from "./totals.ts";
import { Upkeep } from "./upkeep.ts";
import { WebhookStore } from "./webhook/webhook-store.ts";
import { Workers } from "./workers.ts";

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
  readonly workers: Workers;
  readonly counters: SlotCounters;
  readonly subscribers: Subscribers;
  readonly positions: Positions;
  readonly history: History;
  readonly upkeep: Upkeep;
  readonly revoked: RevokedTable;
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
  readonly #core: StoreCore;
  readonly #epoch: number;
  readonly #isMain: boolean;

  constructor(arena: Arena, policy: StorePolicy, isMain: boolean) {
    const core = new StoreCore(arena, policy);
    const members = (): MemberStore | null => this.members;
    this.arena = arena;
    this.#core = core;
    this.#isMain = isMain;
    this.workers = new Workers(core, members);
    this.counters = new SlotCounters(arena);
    this.subscribers = new Subscribers(core);
    this.positions = new Positions(arena, members);
    this.history = new History(arena);
    this.upkeep = new Upkeep(arena);
    this.revoked = new RevokedTable(arena);
    this.patience = new Patience(arena);
    this.internal = new InternalStore(core);
    this.webhooks = new WebhookStore(core);
    this.isClustered = arena.layout.clusterWord !== 0;
    this.replica = this.isClustered ? new ReplicaStore(core) : null;
    this.members = arena.members && new MemberStore(core, arena.members);
    this.#epoch = wide(arena.u32, HEAD_EPOCH);
    this.startedSec = arena.u32[HEAD_STARTED_SEC]!;
    this.maxMessageBytes = arena.layout.maxMessageBytes;
    this.channelCapacity = arena.layout.channels;
    this.workerSlots = arena.layout.workerSlots;
    this.ringSize = arena.layout.ringSize;
  }

  /**
   * Main, at a reload: the first location that counts members needs the table. One that is there stays as it
   * is.
   */
  needMembers(room: MembersRoom): void {
    if (this.members !== null) return;
    makeMembers(this.arena, room, Math.floor(Date.now() / 1000));
    this.members = this.arena.members && new MemberStore(this.#core, this.arena.members);
  }

  /** Another ttl or limit from now on (reload); messages keep the expiry they were stored with. */
  setPolicy(policy: StorePolicy): void {
    this.#core.policy = policy;
  }

  /** Changes while it is open on a node of a cluster alone (cluster/rejoin.ts). */
  get epoch(): number {
    return this.isClustered ? wide(this.arena.u32, HEAD_EPOCH) : this.#epoch;
  }

  /** Lets go of the store. The mapping itself ends with the object. */
  close(): void {
    this.subscribers.stop();
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
    if (this.subscribers.isFull) return BUSY;
    const index = mending(this.arena, () => openChannel(this.arena, this.#core.policy, name, nowSec, into));
    if (index === NO_ROOM) this.roomless++;
    this.#core.tellReaders();
    return index;
  }

  /**
   * Whether the name is that of a wildcard channel by the policy of now; a channel keeps the class it was
   * made with.
   */
  isWildcard(name: Uint8Array): boolean {
    return isWildcardName(this.#core.policy, name);
  }

  /** Odd while the channel lives. Changes when it is removed; never comes back for the same index. */
  incarnation(index: number): number {
    return channels.incarnationOf(this.arena, index);
  }

  isLive(index: number, incarnation: number): boolean {
    return channels.isLive(this.arena, index, incarnation);
  }

  /** A copy of the channel's name. Stays readable for 10 s after the channel was removed. */
  name(index: number): Uint8Array {
    return channels.nameOf(this.arena, index);
  }

  /** Messages ever published = the last id (push-stream spec 0.4). */
  publishedCount(index: number): number {
    return channels.lastIdOf(this.arena, index);
  }

  storedCount(index: number): number {
    return channels.storedCountOf(this.arena, index);
  }

  lastTime(index: number): number {
    return channels.lastTimeOf(this.arena, index);
  }

  lastTag(index: number): number {
    return channels.lastTagOf(this.arena, index);
  }

  /** Visits living channels in creation order; ones removed during the visit may be left out. False: busy. */
  eachChannel(visit: (index: number) => void): boolean {
    return channels.eachChannel(this.arena, visit);
  }

  /** Index of the events channel, -1 = there is none. The same for as long as main has the store open. */
  get eventsChannel(): number {
    return eventsChannelOf(this.arena);
  }

  /** Calls `wake` after events were published from here, as whoever appends a message wakes its readers. */
  onEvent(wake: (() => void) | null): void {
    this.#core.onEvent(wake);
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
    const { arena, policy } = this.#core;
    return appendMended(arena, policy, index, incarnation, data, eventId, eventType, stored, nowMs, marks);
  }

  /**
   * The same for several, each with what became of it: how many were settled from this one on, or BUSY. Call
   * it again for the rest; one whose channel is gone (GONE) is not settled.
   */
  appendAll(entries: readonly Entry[], from: number, nowMs: number): number {
    return appendAllMended(this.arena, this.#core.policy, entries, from, nowMs);
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
    return deleteMended(this.arena, this.#core.policy, name, text, nowMs);
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

  // Housekeeping

  /** Every worker calls it once a second; one of them does the work. */
  sweep(nowMs: number): void {
    const before = nextSerial(this.arena);
    try {
      sweepStore(this.arena, this.#core.policy, nowMs);
    } catch (error) {
      // The next sweep goes on.
      mendAfter(this.arena, error, before);
    }
    this.#core.tellReaders();
  }

  totals(nowMs: number): StoreTotals {
    return totalsOf(this.arena, nowMs);
  }
}
