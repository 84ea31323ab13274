/**
 * The Reader: reads one channel on from an id, message by message, without the lock. Everything that reads
 * stored messages is one: the worker's own delivery, streams that lag, sockets that join, handlers' feeds,
 * polls and long polls.
 *
 * It stands on the message it took last (block and stamp), so the next step is one link and costs the same
 * however much is stored. When that message is gone it finds its place again by id (seek.ts). `next` looks,
 * `accept` takes the step; between the two the caller may decide to tell a hole first.
 *
 * What it may believe:
 *   a link     if the message it was read from still has its stamp afterwards: it was true then
 *   a message  if its stamp is the same after the copy, and it is of this channel and newer than the last one
 *   a hole, an end  only if CH_VERSION was even and the same before and after: nothing was being unlinked, or
 *                   linked anew by a repair
 * So what follows without a hole, nearly everything, never waits for anybody; and a process that stands still
 * in the middle of an eviction keeps only those waiting who stand at that very hole (BUSY: call again in a
 * moment), until main has seen to it.
 */
import { FLAG_PRESENCE } from "../../message.ts";
import { incarnationOf, isLive, lastIdOf } from "../channel/channels.ts";
import { type Arena, blockWord, channelWord, readFence } from "../memory/arena.ts";
import { CH_VERSION } from "../memory/layout-channel.ts";
import { MSG_NEWER, MSG_STAMP } from "../memory/layout-message.ts";
import { BUSY } from "../outcome.ts";
import type { Message } from "./message-view.ts";
import { readMessage } from "./read.ts";
import { AT_PLACE, DISTURBED, Sight, seekId } from "./seek.ts";

/** A message was copied out. */
export const FOUND = 1;
/** There is nothing newer now. */
export const END = 0;
/** The channel is no more, and nothing of it is left. */
export const GONE = -1;

const TRIES = 8;
/** Presence events that nobody asked for, gone over in one call. */
const MOST_PASSED = 4096;
const AGAIN = -4;

const sight = new Sight();

export class Reader {
  readonly index: number;
  readonly incarnation: number;
  /** The id it stands at: what comes after it is next. */
  lastId: number;
  /** Of the presence event it stands at, or stood at last. */
  lastNumber: number;
  readonly #withPresence: boolean;
  #block = 0;
  #stamp = 0;
  readonly #arena: Arena;

  /** `afterNumber` null: presence events are passed over. */
  constructor(
    arena: Arena,
    index: number,
    incarnation: number,
    lastId: number,
    afterNumber: number | null = null,
  ) {
    this.#arena = arena;
    this.index = index;
    this.incarnation = incarnation;
    this.lastId = lastId;
    this.lastNumber = afterNumber ?? 0;
    this.#withPresence = afterNumber !== null;
  }

  /**
   * Copies the next message, stored or not, into `m`: FOUND, END, GONE or BUSY. Without `withData`: numbers,
   * event id and type.
   */
  next(m: Message, withData = true): number {
    for (let attempt = 0, passed = 0; attempt < TRIES; attempt++) {
      const outcome = this.#look(m, withData);
      if (outcome !== FOUND || this.#withPresence || (m.flags & FLAG_PRESENCE) === 0) {
        if (outcome !== AGAIN) return outcome;
        continue;
      }
      this.accept(m);
      // Steps, not tries; and never so many that others wait.
      if (++passed === MOST_PASSED) return BUSY;
      attempt = -1;
    }
    return isLive(this.#arena, this.index, this.incarnation) ? BUSY : GONE;
  }

  /** Stands on the message that `next` gave. */
  accept(m: Message): void {
    this.lastId = m.id;
    if ((m.flags & FLAG_PRESENCE) !== 0) this.lastNumber = m.number;
    this.#block = m.block;
    this.#stamp = m.stamp;
  }

  /** Stands behind a message that its caller had without reading it. */
  skipTo(id: number): void {
    if (id <= this.lastId) return;
    this.lastId = id;
    // Its place is looked for when it is next asked.
    this.#block = 0;
  }

  #look(m: Message, withData: boolean): number {
    const { u32, layout } = this.#arena;
    const version = channelWord(layout, this.index) + CH_VERSION;
    // Pairs with the stores in dropMessage and in a repair.
    const before = Atomics.load(u32, version);
    const block = this.#following();
    if (block === DISTURBED) return AGAIN;
    if (block === 0) {
      if (!isQuiet(u32, version, before)) return AGAIN;
      return incarnationOf(this.#arena, this.index) === this.incarnation ? END : GONE;
    }
    if (block > layout.blocks) return AGAIN;
    const stamp = Atomics.load(u32, blockWord(layout, block) + MSG_STAMP);
    if (!readMessage(this.#arena, block, stamp, m, withData)) return AGAIN;
    if (m.channelIndex !== this.index || m.incarnation !== this.incarnation || !this.#isBehind(m))
      return AGAIN;
    if (this.#isUncounted(m)) return END;
    const isNext = m.id === this.lastId + 1 || m.id === this.lastId;
    return isNext || isQuiet(u32, version, before) ? FOUND : AGAIN;
  }

  /** Presence events have the id of the message before them. */
  #isBehind({ id, number, flags }: Message): boolean {
    if (id !== this.lastId) return id > this.lastId;
    return (flags & FLAG_PRESENCE) !== 0 && number > this.lastNumber;
  }

  /**
   * Linked, but its publish is not over: whoever had it now and came back with its position a moment later
   * would be ahead of the channel. Only the newest can be that.
   */
  #isUncounted({ block, id }: Message): boolean {
    const { u32, layout } = this.#arena;
    return (
      u32[blockWord(layout, block) + MSG_NEWER] === 0 &&
      id > lastIdOf(this.#arena, this.index) &&
      incarnationOf(this.#arena, this.index) === this.incarnation
    );
  }

  /** Block of the next message, 0 = none, DISTURBED. */
  #following(): number {
    const { u32, layout } = this.#arena;
    if (this.#block !== 0) {
      const at = blockWord(layout, this.#block);
      // Pairs with the store in linkInChannel; the stamp afterwards, with that in dropMessage, says that the
      // link was true.
      const newer = Atomics.load(u32, at + MSG_NEWER);
      if (Atomics.load(u32, at + MSG_STAMP) === this.#stamp) return newer;
      this.#block = 0;
    }
    const found = seekId(this.#arena, this.index, this.incarnation, this.lastId, this.lastNumber, sight);
    return found === AT_PLACE ? sight.block : found;
  }
}

function isQuiet(u32: Uint32Array, version: number, before: number): boolean {
  readFence();
  return (before & 1) === 0 && Atomics.load(u32, version) === before;
}
