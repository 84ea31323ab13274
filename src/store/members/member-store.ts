/**
 * The member table as the other folders see it (Store.members; null where no location counts anybody). It
 * takes the lock, mends what a death left half done, and forwards; the work is in the files of the parts.
 */

import { lastIdOf } from "../channel/channels.ts";
import type { StoreCore } from "../core.ts";
import { REQUEST_MS, release, SWEEP_MS, tryAcquire } from "../lock/lock.ts";
import { type Arena, wide } from "../memory/arena.ts";
import {
  COUNT_DEGRADED,
  COUNT_JOINS,
  COUNT_LEAVES,
  COUNT_UNLISTED,
  MC_BEGAN,
  MC_INCARNATION,
  MC_NUMBER,
  MC_STATE,
  MH_BASE,
  MH_CHANGING,
  MH_COUNTS,
  MH_FORGOTTEN,
  MH_SECRET,
  MH_SWEPT_SEC,
  MH_USED,
  STATE_DEGRADED,
} from "../memory/layout-members.ts";
import { nextSerial } from "../message/ring.ts";
import { BUSY } from "../outcome.ts";
import { mendAfter } from "../recovery/damage.ts";
import { memberChannelWord } from "./member-lists.ts";
import { MemberNodes } from "./member-nodes.ts";
import { beginReading, type Found, type MemberView, readRecord, readSlice } from "./member-reading.ts";
import { beginChange, endChange } from "./member-records.ts";
import type { Newcomer, Said, Table } from "./member-table.ts";
import { NO_RECORD } from "./member-table.ts";
import * as table from "./members.ts";
import type { Members } from "./members-file.ts";
import { leaveLate, occupancyOf, queuedChannels, tellCounts } from "./members-look.ts";
import { mendMembers } from "./members-mend.ts";

export interface MemberTotals {
  readonly members: number;
  readonly room: number;
  readonly joins: number;
  readonly leaves: number;
  /** How often a channel went over to telling no names. */
  readonly degraded: number;
  /** Those for whom the table had no room. */
  readonly unlisted: number;
}

/** A channel as it was when a reading began. */
export interface Occupancy {
  readonly count: number;
  readonly isDegraded: boolean;
  /** Of the newest message, and of the newest event behind it. */
  readonly lastId: number;
  readonly number: number;
}

/** Records that main looks at in one turn for a worker that is gone. */
export const MEMBERS_A_TURN = 16_384;

export class MemberStore {
  readonly #core: StoreCore;
  readonly #arena: Arena;
  readonly #members: Members;
  readonly base: number;
  /** Those on other nodes of a cluster. */
  readonly nodes: MemberNodes;
  /** Of a node of a cluster: what the others are to hear of. */
  onSaid: ((said: Said) => void) | null = null;

  constructor(core: StoreCore, members: Members) {
    this.#core = core;
    this.#arena = core.arena;
    this.#members = members;
    this.base = wide(members.u32, MH_BASE);
    this.nodes = new MemberNodes(members.layout.records, (nowMs, work, patienceMs) =>
      this.#locked(nowMs, work, patienceMs),
    );
  }

  /** The same for all workers, and for as long as the table. */
  get secret(): Uint8Array {
    return new Uint8Array(this.#members.u32.slice(MH_SECRET, MH_SECRET + 8).buffer);
  }

  /** Bytes of name and information that one has room for. */
  get textBytes(): number {
    return this.#members.layout.textBytes;
  }

  /** Whoever is new finds no room. */
  get isFull(): boolean {
    return this.#members.u32[MH_USED]! >= this.#members.layout.records;
  }

  get records(): number {
    return this.#members.layout.records;
  }

  /** Counts a connection in: its record, NO_RECORD (it counts, but has none), BUSY. */
  join(slot: number, index: number, incarnation: number, who: Newcomer, nowMs: number): number {
    let record = NO_RECORD;
    const isDone = this.#changing(index, nowMs, (under) => {
      record = table.join(under, slot, index, incarnation, who, Math.floor(nowMs / 1000));
    });
    return isDone ? record : BUSY;
  }

  /** Counts it out. False: busy. */
  leave(slot: number, index: number, record: number, nowMs: number): boolean {
    return this.#changing(index, nowMs, (under) => table.leave(under, slot, record, nowMs));
  }

  /** Main: what a worker that is gone had, in the records from this one on; up to which it came. */
  forgetSlot(slot: number, from: number, nowMs: number): number {
    const to = Math.min(this.records + 1, from + MEMBERS_A_TURN);
    const isDone = this.#locked(nowMs, (under) => {
      beginChange(under.members, 0);
      table.forgetSlot(under, slot, Math.max(1, from), to, nowMs);
      endChange(under.members);
      under.members.u32[under.members.layout.readersWord + slot] = 0;
      if (to > this.records) under.members.u32[MH_FORGOTTEN] = under.members.u32[MH_FORGOTTEN]! + 1;
    });
    return isDone ? to : from;
  }

  /** Another number when a worker was forgotten. */
  get forgotten(): number {
    return this.#members.u32[MH_FORGOTTEN]!;
  }

  /** Every worker, once a second. False: there is more to do, call it again in this second. */
  look(nowMs: number): boolean {
    const nowSec = Math.floor(nowMs / 1000);
    const { u32 } = this.#members;
    // The first of the workers in this second has done it.
    if (u32[MH_SWEPT_SEC] === nowSec && u32[MH_USED] === 0) return true;
    let isOver = true;
    this.#locked(nowMs, (under) => {
      isOver = leaveLate(under, nowSec);
    });
    return isOver;
  }

  /** How many channels have a count to tell; tell so many, a slice at a time. */
  get queued(): number {
    return queuedChannels({ members: this.#members });
  }

  /** How many of these it came to; 0: busy. */
  tellCounts(most: number, nowMs: number): number {
    let told = 0;
    this.#locked(nowMs, (under) => {
      told = tellCounts(under, most, Math.floor(nowMs / 1000));
    });
    return told;
  }

  /** Number of the newest event of a channel; 0: there was none. */
  numberOf(index: number, incarnation: number): number {
    return this.#numberAt(index, incarnation, MC_NUMBER);
  }

  /** What the numbers of the channel began at. */
  beganAt(index: number, incarnation: number): number {
    return this.#numberAt(index, incarnation, MC_BEGAN);
  }

  #numberAt(index: number, incarnation: number, word: number): number {
    const { u32 } = this.#members;
    const channel = memberChannelWord(this.#members, index);
    // Pairs with settleChannel, which writes the incarnation last.
    if (Atomics.load(u32, channel + MC_INCARNATION) !== incarnation) return 0;
    return this.base + Atomics.load(u32, channel + word);
  }

  // Reading

  /** Members on all nodes, as a snapshot without the lock; null: nobody was ever counted there. */
  countOf(index: number, incarnation: number): number | null {
    const { u32 } = this.#members;
    // Pairs with settleChannel, as in #numberAt.
    if (Atomics.load(u32, memberChannelWord(this.#members, index) + MC_INCARNATION) !== incarnation)
      return null;
    return occupancyOf({ arena: this.#arena, members: this.#members }, index, Math.floor(Date.now() / 1000));
  }

  /** How many there are, and with `isReading` the first step of reading them; null: busy. */
  occupancy(
    slot: number,
    index: number,
    incarnation: number,
    isReading: boolean,
    nowMs: number,
  ): Occupancy | null {
    let seen: Occupancy | null = null;
    this.#locked(nowMs, ({ arena, members }) => {
      const channel = memberChannelWord(members, index);
      const isKnown = members.u32[channel + MC_INCARNATION] === incarnation;
      if (isReading && isKnown) beginReading(members, slot, index);
      else if (isReading) members.u32[members.layout.readersWord + slot] = 0;
      seen = {
        count: isKnown ? occupancyOf({ arena, members }, index, Math.floor(nowMs / 1000)) : 0,
        isDegraded: isKnown && (members.u32[channel + MC_STATE]! & STATE_DEGRADED) !== 0,
        lastId: lastIdOf(arena, index),
        number: isKnown ? this.numberOf(index, incarnation) : 0,
      };
    });
    return seen;
  }

  /** Adds the next records of the reading to `found`; "busy": nothing was read. */
  readOn(slot: number, index: number, found: Found): "more" | "done" | "busy" {
    let isMore = false;
    const isDone = this.#locked(Date.now(), ({ members }) => {
      isMore = readSlice(members, slot, index, found);
    });
    if (!isDone) return "busy";
    return isMore ? "more" : "done";
  }

  read(index: number, record: number, stamp: number, into: MemberView): boolean {
    return readRecord(this.#members, index, record, stamp, into);
  }

  totals(): MemberTotals {
    const { f64, u32, layout } = this.#members;
    const counted = (which: number): number => f64[MH_COUNTS + which]!;
    return {
      members: u32[MH_USED]!,
      room: layout.records,
      joins: counted(COUNT_JOINS),
      leaves: counted(COUNT_LEAVES),
      degraded: counted(COUNT_DEGRADED),
      unlisted: counted(COUNT_UNLISTED),
    };
  }

  #changing(index: number, nowMs: number, work: (under: Table) => void): boolean {
    return this.#locked(
      nowMs,
      (under) => {
        beginChange(under.members, index);
        work(under);
        endChange(under.members);
      },
      REQUEST_MS,
    );
  }

  #locked(nowMs: number, work: (under: Table) => void, patienceMs = SWEEP_MS): boolean {
    const arena = this.#arena;
    const members = this.#members;
    if (!tryAcquire(arena, patienceMs)) return false;
    const before = nextSerial(arena);
    const said: Said[] | null = this.onSaid === null ? null : [];
    try {
      if (members.u32[MH_CHANGING] !== 0) mendMembers(arena, members, Math.floor(nowMs / 1000));
      work({ arena, members, policy: this.#core.policy, said });
      release(arena);
    } catch (error) {
      // The store's own lists were damaged, and are repaired now; the table's are by whoever comes next.
      mendAfter(arena, error, before);
    }
    this.#core.tellReaders();
    if (said !== null) for (const one of said) this.onSaid?.(one);
    return true;
  }
}
