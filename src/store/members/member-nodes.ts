/**
 * Members on the other nodes of a cluster, as presence/ sees them (MemberStore.nodes); the work is in
 * members-remote.ts. False is busy everywhere: again in a moment.
 */
import { REQUEST_MS, SWEEP_MS } from "../lock/lock.ts";
import type { Newcomer, Table } from "./member-table.ts";
import * as remote from "./members-remote.ts";

/** Does something under the lock; false: it could not be had. */
type Locked = (nowMs: number, work: (under: Table) => void, patienceMs: number) => boolean;

/** Each may be told of, which takes some microseconds under the lock. */
const RECORDS_A_SLICE = 256;
/** What nodes said in a shard before this node lacked a part of its log. */
interface Doubt {
  /** Slots of those that have said again who is there, or were forgotten. */
  readonly settled: Set<number>;
  /** What was said again, as places in the table (`placeOf`). */
  readonly again: Set<number>;
}

/** Of a slot in a record. */
const placeOf = (record: number, slot: number): number => record * 65_536 + slot;

/** No node's life. */
const GONE: remote.Digest = [0, 0];

export class MemberNodes {
  readonly #records: number;
  readonly #under: Locked;
  /** Slots of nodes whose words do not hold any more, until all of them are forgotten. */
  readonly #stale = new Set<number>();
  readonly #doubts = new Map<number, Doubt>();

  constructor(records: number, under: Locked) {
    this.#records = records;
    this.#under = under;
  }

  #locked(nowMs: number, work: (under: Table) => void, patienceMs = SWEEP_MS): boolean {
    return this.#under(nowMs, work, patienceMs);
  }

  /** A node speaks: what it said in another life does not hold. False: busy. */
  heardNode(node: remote.Digest, life: remote.Digest, nowMs: number): boolean {
    const isDone = this.#locked(nowMs, ({ members }) => {
      const { slot, isOther } = remote.slotOfNode(members, node, life, false);
      if (isOther) this.#stale.add(slot);
    });
    return isDone && this.#forgetStale(nowMs);
  }

  /** A node is gone. False: busy, and not all of it is forgotten. */
  lostNode(node: remote.Digest, nowMs: number): boolean {
    let slot = -1;
    const isDone = this.#locked(nowMs, ({ members }) => {
      slot = remote.slotOfNode(members, node, GONE, false).slot;
    });
    if (!isDone || slot < 0) return isDone;
    this.#stale.add(slot);
    return this.#forgetStale(nowMs) && this.#locked(nowMs, ({ members }) => remote.forgetNode(members, slot));
  }

  #forgetStale(nowMs: number): boolean {
    for (const slot of this.#stale) {
      if (!this.#forgetRemote(slot, nowMs)) return false;
      this.#stale.delete(slot);
      for (const { settled } of this.#doubts.values()) settled.add(slot);
    }
    return true;
  }

  /**
   * What nodes have said in a shard may be over: entries that told so were not read here. What they say from
   * here on holds.
   */
  doubt(shard: number): void {
    this.#doubts.set(shard, { settled: new Set(), again: new Set() });
  }

  /**
   * A node has said again who is there, in the channels of a shard: whom it did not name has left. False:
   * busy.
   */
  settle(shard: number, node: remote.Digest, isOfShard: (index: number) => boolean, nowMs: number): boolean {
    const doubt = this.#doubts.get(shard);
    if (doubt === undefined) return true;
    let slot = -1;
    let slots: number[] = [];
    const isDone = this.#locked(nowMs, ({ members }) => {
      slot = remote.slotNamed(members, node);
      slots = remote.slotsOfNodes(members);
    });
    if (!isDone || slot < 0 || doubt.settled.has(slot)) return isDone;
    const isOver = (record: number, index: number): boolean =>
      !doubt.again.has(placeOf(record, slot)) && isOfShard(index);
    if (!this.#forgetRemote(slot, nowMs, isOver)) return false;
    doubt.settled.add(slot);
    if (slots.every((each) => doubt.settled.has(each))) this.#doubts.delete(shard);
    return true;
  }

  #forgetRemote(slot: number, nowMs: number, isOver?: (record: number, index: number) => boolean): boolean {
    for (let from = 1; from <= this.#records; from += RECORDS_A_SLICE) {
      const to = Math.min(this.#records + 1, from + RECORDS_A_SLICE);
      const isDone = this.#locked(
        nowMs,
        (under) => remote.forgetRemote(under, slot, from, to, Math.floor(nowMs / 1000), isOver),
        REQUEST_MS,
      );
      if (!isDone) return false;
    }
    return true;
  }

  /** What a node said of somebody; `node` null: this one. False: busy. */
  hear(
    node: readonly [remote.Digest, remote.Digest] | null,
    isHere: boolean,
    index: number,
    incarnation: number,
    who: Newcomer,
    nowMs: number,
  ): boolean {
    if (!this.#forgetStale(nowMs)) return false;
    let isOther = false;
    const isDone = this.#locked(
      nowMs,
      (under) => {
        const known = node === null ? null : remote.slotOfNode(under.members, ...node, isHere);
        const slot = known?.slot ?? -1;
        if (known !== null && slot < 0) return;
        // Of a life that nobody has told of yet: the one before it goes first.
        if (known?.isOther === true) {
          isOther = true;
          this.#stale.add(slot);
        } else if (!isHere) remote.hearOut(under, slot, index, incarnation, who, nowMs);
        else if (slot >= 0) {
          const record = remote.hearIn(under, slot, index, incarnation, who, Math.floor(nowMs / 1000));
          for (const { again } of this.#doubts.values()) again.add(placeOf(record, slot));
        }
      },
      REQUEST_MS,
    );
    return isDone && !isOther;
  }

  /** Says once more who is here, from this record on; up to which it came. */
  sayAll(from: number, nowMs: number): number {
    const to = Math.min(this.#records + 1, from + RECORDS_A_SLICE);
    return this.#locked(nowMs, (under) => remote.sayAll(under, Math.max(1, from), to)) ? to : from;
  }
}
