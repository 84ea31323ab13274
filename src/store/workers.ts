/**
 * The workers of a store (Store.workers): which slot each has, how far it has dispatched, whether it sleeps,
 * and what is given back when it is gone. Used by the pump and the doorbell in each worker, and by main,
 * which clears up after a death. The words themselves are in slots.ts.
 */
import type { StoreCore } from "./core.ts";
import type { MemberStore } from "./members/member-store.ts";
import { tellOfLost } from "./message/events.ts";
import { mending } from "./recovery/damage.ts";
import * as slots from "./slots.ts";

/** Channel records gone through in one go: some 10 ms where none of them is in the processor's cache. */
const RECORDS_A_TURN = 16_384;

export class Workers {
  readonly #core: StoreCore;
  readonly #members: () => MemberStore | null;
  /** How far slots have been given back that are on their way: channels, and members behind them. */
  readonly #released = new Map<number, number>();
  readonly #forgotten = new Map<number, number>();

  constructor(core: StoreCore, members: () => MemberStore | null) {
    this.#core = core;
    this.#members = members;
  }

  /** Takes a free slot for a worker, with counters at 0 and the cursor at the head; -1 when all are taken. */
  claimSlot(pid: number, nowSec: number): number {
    return slots.claimSlot(this.#core.arena, pid, nowSec);
  }

  /**
   * Gives a slot back with every subscriber it counted, each of which is told of in the events channel;
   * harmless when it was given back already. False: it has not come to the end, because the lock is taken or
   * there are many channels; call it again.
   */
  releaseSlot(slot: number, nowMs = Date.now()): boolean {
    const { arena, policy } = this.#core;
    const { channels } = arena.layout;
    // Nobody of that worker is owed anything any more, however long the rest takes.
    slots.setOwed(arena, slot, slots.OWED_NOTHING);
    const nowSec = Math.floor(nowMs / 1000);
    const from = this.#released.get(slot) ?? 0;
    const to = Math.min(channels, from + RECORDS_A_TURN);
    const reached = mending(arena, () => tellOfLost(arena, policy, slot, nowSec, from, to));
    slots.forgetSubscribers(arena, slot, from, reached);
    this.#released.set(slot, reached);
    this.#core.tellReaders();
    if (reached < channels || !this.#forgetMembers(slot, nowMs)) return false;
    this.#released.delete(slot);
    this.#forgotten.delete(slot);
    slots.releaseSlot(arena, slot);
    return true;
  }

  /** What the worker had in the table of members; false: not all of it yet. */
  #forgetMembers(slot: number, nowMs: number): boolean {
    const members = this.#members();
    if (members === null) return true;
    const reached = members.forgetSlot(slot, this.#forgotten.get(slot) ?? 0, nowMs);
    this.#forgotten.set(slot, reached);
    return reached > members.records;
  }

  /** The slot of a worker, -1 when it has none. */
  slotOf(pid: number): number {
    return slots.slotOf(this.#core.arena, pid);
  }

  /** The worker in a slot, 0 when the slot is free. */
  slotPid(slot: number): number {
    return slots.slotPid(this.#core.arena, slot);
  }

  slotStartedSec(slot: number): number {
    return slots.slotStartedSec(this.#core.arena, slot);
  }

  /** Main: a worker that died was replaced. */
  countReplaced(): void {
    slots.countReplaced(this.#core.arena);
  }

  /** Says that this worker has dispatched everything below `serial`. */
  setCursor(slot: number, serial: number): void {
    slots.setCursor(this.#core.arena, slot, serial);
  }

  /** Says what this worker's subscribers are owed: OWED_NOTHING, OWED_LIVE or OWED_BEHIND of slots.ts. */
  setOwed(slot: number, owed: number): void {
    slots.setOwed(this.#core.arena, slot, owed);
  }

  /**
   * True = nothing new, go to sleep and wait for the bell; false = there is more, this worker still counts as
   * awake.
   */
  beginSleep(slot: number, cursor: number): boolean {
    return slots.beginSleep(this.#core.arena, slot, cursor);
  }

  /** After a publish: calls `ring` for each other worker that sleeps. */
  ringOthers(slot: number, ring: (slot: number) => void): void {
    slots.ringOthers(this.#core.arena, slot, ring);
  }
}
