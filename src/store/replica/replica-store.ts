/**
 * A clustered node's store as cluster/ sees it, beside Store: what only the reader of the log does to it, and
 * how far it has come. The work is in replica.ts, lost-tail.ts and lease.ts. Like Store it says BUSY where
 * the lock cannot be had.
 */
import { ChannelRef } from "../channel/channel-ref.ts";
import { livingChannels, nameOf } from "../channel/channels.ts";
import { hashName } from "../channel/names.ts";
import type { StoreCore } from "../core.ts";
import { endLease, takeLease } from "../lock/lease.ts";
import { REQUEST_MS, release, tryAcquire } from "../lock/lock.ts";
import { type Arena, channelWord, setWide, wide } from "../memory/arena.ts";
import { probe } from "../memory/hash-table.ts";
import {
  CX_REMOTE,
  HEAD_JOINED,
  HEAD_LEASE,
  HEAD_NODES,
  HEAD_READER_STARTS,
  HEAD_REMOTE_SUBSCRIBERS,
  MAX_SHARDS,
  SHARD_AWAITED_MS,
  SHARD_CONNECTED,
  SHARD_N,
  SHARD_READY,
  SHARD_SEEN_N,
  SHARD_TERM,
} from "../memory/layout-cluster.ts";
import { HEAD_CLOCK_SEC, HEAD_CLOCK_TAG, HEAD_EPOCH } from "../memory/layout-header.ts";
import { deleteChannel } from "../message/publish.ts";
import { BUSY } from "../outcome.ts";
import { mending } from "../recovery/damage.ts";
import { type RevokedMark, revoke } from "../revocations.ts";
import { type Incarnation, noteIncarnation } from "./forks.ts";
import { cutTail, type Fork, type Rest, reach, type Torn, tornChannels } from "./lost-tail.ts";
import {
  clearRemoteSubscribers,
  localSubscribers,
  type Others,
  othersOf,
  setRemoteSubscribers,
} from "./other-nodes.ts";
import {
  applyMessage,
  isNext,
  type LogMessage,
  type LogPlace,
  moveCursor,
  openUntold,
  shardWord,
} from "./replica.ts";
import { type ShardState, shardState } from "./shard-state.ts";

export type { Fork, LogMessage, LogPlace, Rest, RevokedMark, ShardState, Torn };

export interface Cursor {
  readonly term: number;
  readonly n: number;
}

/** Who publishes now will publish again. */
const AWAITED_FOR_MS = 50;

const found = new ChannelRef();

export class ReplicaStore {
  readonly #core: StoreCore;
  readonly #arena: Arena;

  constructor(core: StoreCore) {
    this.#core = core;
    this.#arena = core.arena;
  }

  // --- the log ---------------------------------------------------------------------------------------------

  cursor(shard: number): Cursor {
    const { u32 } = this.#arena;
    const at = shardWord(shard);
    return { term: wide(u32, at + SHARD_TERM), n: wide(u32, at + SHARD_N) };
  }

  /** Whether that is the last entry that was applied. */
  isAt(shard: number, term: number, n: number): boolean {
    const { u32 } = this.#arena;
    const at = shardWord(shard);
    return wide(u32, at + SHARD_N) === n && wide(u32, at + SHARD_TERM) === term;
  }

  /** Whether an entry with this place has been applied. */
  hasReached(shard: number, term: number, n: number): boolean {
    const { u32 } = this.#arena;
    const at = shardWord(shard);
    const reached = wide(u32, at + SHARD_TERM);
    return reached > term || (reached === term && wide(u32, at + SHARD_N) >= n);
  }

  /** APPLIED, KNOWN, UNPLACED or BUSY of replica.ts. */
  applyMessage(entry: LogMessage, nowMs: number): number {
    return mending(this.#arena, () => applyMessage(this.#arena, this.#core.policy, entry, nowMs));
  }

  /**
   * Finds or makes a channel that began on another node: its index, or a number below 0 when that cannot be
   * done now.
   */
  open(name: Uint8Array, nowSec: number, into: ChannelRef): number {
    const hash = hashName(this.#arena, name);
    const known = probe(this.#arena, name, hash, into);
    if (known >= 0) return known;
    return mending(this.#arena, () => openUntold(this.#arena, this.#core.policy, name, hash, nowSec, into));
  }

  /** True: it is done, whether there was such a channel or not. */
  applyDeletion(place: LogPlace, name: Uint8Array, text: Uint8Array, nowMs: number): boolean {
    const { u32, layout } = this.#arena;
    if (!isNext(this.#arena, place)) return true;
    const index = probe(this.#arena, name, hashName(this.#arena, name), found);
    // The others' counts went with it: nobody here waits for them.
    if (index >= 0) u32[channelWord(layout, index) + layout.clusterWord + CX_REMOTE] = 0;
    // Of a node whose store is larger.
    const said = text.length > layout.maxMessageBytes ? text.subarray(0, 0) : text;
    const outcome = mending(this.#arena, () =>
      deleteChannel(this.#arena, this.#core.policy, name, said, nowMs),
    );
    return outcome !== BUSY && this.moveOn(place, nowMs);
  }

  /** An entry that changes nothing here. False: busy. */
  moveOn(place: LogPlace, nowMs: number): boolean {
    if (!tryAcquire(this.#arena, REQUEST_MS)) return false;
    if (isNext(this.#arena, place)) moveCursor(this.#arena, place, Math.floor(nowMs / 1000));
    release(this.#arena);
    return true;
  }

  /** Nothing of an entry but its place can be read. False: busy. */
  passOver(shard: number, term: number, n: number): boolean {
    if (!tryAcquire(this.#arena, REQUEST_MS)) return false;
    const at = shardWord(shard);
    setWide(this.#arena.u32, at + SHARD_N, n);
    setWide(this.#arena.u32, at + SHARD_TERM, term);
    release(this.#arena);
    return true;
  }

  /** Another log than the one that was read: its first entry is the next one. False: busy. */
  beginLog(shard: number): boolean {
    return this.passOver(shard, 0, 0);
  }

  tornChannels(fork: Fork, isOfShard: (name: Uint8Array) => boolean): Torn[] | null {
    return tornChannels(this.#arena, fork, isOfShard);
  }

  /** How many messages it took out, or BUSY. */
  cutTail(torn: Torn, rest: Rest | null, fork: Fork, base: number, nowMs: number): number {
    return mending(this.#arena, () => cutTail(this.#arena, torn, rest, fork, base, Math.floor(nowMs / 1000)));
  }

  /** An incarnation was read. */
  noteIncarnation(shard: number, incarnation: Incarnation): void {
    noteIncarnation(this.#arena, shard, incarnation);
  }

  /** Living channels, for whoever asks the engine what it knows of them; null: busy. */
  channels(isOfShard: (name: Uint8Array) => boolean): Torn[] | null {
    const living = livingChannels(this.#arena);
    if (living === null) return null;
    const all: Torn[] = [];
    living.indices.forEach((index, at) => {
      const name = nameOf(this.#arena, index);
      if (isOfShard(name)) all.push({ index, incarnation: living.incarnations[at] ?? 0, name });
    });
    return all;
  }

  /**
   * Entries between were trimmed away before this node read them: the channel goes on where its counter
   * stands. False: busy.
   */
  reach(channel: Torn, rest: Rest): boolean {
    return reach(this.#arena, channel, rest);
  }

  /** What another node took back. False: busy. A table that is full is told where it was asked for. */
  revoke(mark: RevokedMark, nowSec: number): boolean {
    return mark.untilSec <= nowSec || revoke(this.#arena, mark, nowSec) !== "busy";
  }

  // --- the reader ------------------------------------------------------------------------------------------

  takeLease(slot: number): boolean {
    const { u32 } = this.#arena;
    if (u32[HEAD_LEASE] === slot + 1) return true;
    if (!takeLease(this.#arena, slot)) return false;
    u32[HEAD_READER_STARTS] = u32[HEAD_READER_STARTS]! + 1;
    return true;
  }

  endLease(slot: number): void {
    endLease(this.#arena, slot);
  }

  setReady(shard: number, isReady: boolean): void {
    this.#arena.u32[shardWord(shard) + SHARD_READY] = isReady ? 1 : 0;
  }

  /** A publisher of this node waits for an entry: the reader is not to dawdle. */
  setAwaited(shard: number, nowMs: number): void {
    this.#arena.u32[shardWord(shard) + SHARD_AWAITED_MS] = nowMs >>> 0;
  }

  isAwaited(shard: number, nowMs: number): boolean {
    return ((nowMs >>> 0) - this.#arena.u32[shardWord(shard) + SHARD_AWAITED_MS]!) >>> 0 < AWAITED_FOR_MS;
  }

  setConnected(shard: number, isConnected: boolean): void {
    this.#arena.u32[shardWord(shard) + SHARD_CONNECTED] = isConnected ? 1 : 0;
  }

  setSeen(shard: number, n: number): void {
    setWide(this.#arena.u32, shardWord(shard) + SHARD_SEEN_N, n);
  }

  shard(shard: number): ShardState {
    return shardState(this.#arena, shard);
  }

  /** Those that were ever read of. */
  shards(): ShardState[] {
    const states = Array.from({ length: MAX_SHARDS }, (_, shard) => this.shard(shard));
    return states.filter(({ term, isConnected }, shard) => shard === 0 || term > 0 || isConnected);
  }

  /** Engine's time as far as it was read here. */
  get clock(): { readonly sec: number; readonly tag: number } {
    const { u32 } = this.#arena;
    return { sec: u32[HEAD_CLOCK_SEC]!, tag: u32[HEAD_CLOCK_TAG]! };
  }

  // --- the other nodes -------------------------------------------------------------------------------------

  /** Subscribers of this node in a channel. */
  localSubscribers(index: number): number {
    return localSubscribers(this.#arena, index);
  }

  /** Written by the reader alone. */
  setRemoteSubscribers(index: number, incarnation: number, count: number): void {
    setRemoteSubscribers(this.#arena, index, incarnation, count);
  }

  clearRemoteSubscribers(): void {
    clearRemoteSubscribers(this.#arena);
  }

  setOthers(nodes: number, subscribers: number): void {
    this.#arena.u32[HEAD_NODES] = nodes;
    this.#arena.u32[HEAD_REMOTE_SUBSCRIBERS] = subscribers;
  }

  get others(): Others {
    return othersOf(this.#arena);
  }

  /** Of the cluster whose messages these are; 0 = not known. */
  get joinedEpoch(): number {
    const { u32 } = this.#arena;
    const epoch = wide(u32, HEAD_JOINED);
    return epoch === wide(u32, HEAD_EPOCH) ? epoch : 0;
  }

  /**
   * Every position that was given out by another one means nothing from here on. Main, before anybody serves,
   * in an empty store; or the reader of the log, which takes out what is of another. Who reads both words in
   * between has a foreign epoch for that moment.
   */
  join(epoch: number): void {
    setWide(this.#arena.u32, HEAD_EPOCH, epoch);
    setWide(this.#arena.u32, HEAD_JOINED, epoch);
  }

  /** Main, at a start: nothing that is known of others, or of how far the log goes, holds any more. */
  beginRun(): void {
    this.clearRemoteSubscribers();
    this.setOthers(1, 0);
    for (let shard = 0; shard < MAX_SHARDS; shard++) {
      this.setReady(shard, false);
      this.setConnected(shard, false);
    }
  }
}
