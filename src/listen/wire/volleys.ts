/**
 * What many sockets are given in one go (http/volley.ts), by fan-out or as answers, by the kernel's ring: 128
 * of them a system call. Filled by outlet.ts.
 *
 * Nothing of ours runs while it is fired. First all of them learn what became of their bytes, then those that
 * are slow go on as after any write, which may close some: by then each is as it would be after a write.
 */
import { volley } from "../../http/volley.ts";
import { log } from "../../log.ts";
import { type KernelRing, openRing, RING_BYTES, RING_ENTRIES, UNTOLD } from "./kernel-ring.ts";
import type { Outlet } from "./outlet.ts";
import type { SharedPiece } from "./shared-piece.ts";

const copyRange = Buffer.prototype.copy;

class Volleys {
  #ring: KernelRing | null = null;
  #wasAsked = false;
  /** Of a fixed length: lists that are emptied and filled again are made anew each time. */
  readonly #targets = new Array<Outlet | null>(RING_ENTRIES).fill(null);
  readonly #pieces = new Array<SharedPiece | null>(RING_ENTRIES).fill(null);
  #count = 0;
  /** So much of the ring's bytes is in use. */
  #used = 0;
  /** What lies there last, for all who are given the same. */
  #piece: SharedPiece | null = null;
  #offset = 0;
  /** Who was slow since it was asked last. */
  #slow = 0;

  /** For the first listener of this process. */
  begin(): void {
    if (this.#wasAsked) return;
    this.#wasAsked = true;
    this.#ring = openRing();
    if (this.#ring !== null) volley.serve(() => this.#report());
  }

  /** False: it is to be sent at once. `piece`: the same object has the same bytes; null: they are its own. */
  take(
    target: Outlet,
    bytes: Uint8Array,
    offset: number,
    length: number,
    piece: SharedPiece | null,
  ): boolean {
    const ring = this.#ring;
    if (ring === null || length > RING_BYTES) return false;
    if (piece === null || piece !== this.#piece) this.#load(ring, bytes, offset, length, piece);
    if (ring.isBroken) return false;
    target.aim();
    const at = this.#count++;
    ring.offsets[at] = this.#offset;
    ring.lengths[at] = length;
    this.#targets[at] = target;
    this.#pieces[at] = piece;
    if (this.#count === RING_ENTRIES) this.fire();
    return true;
  }

  #load(
    ring: KernelRing,
    bytes: Uint8Array,
    offset: number,
    length: number,
    piece: SharedPiece | null,
  ): void {
    if (this.#used + length > RING_BYTES) {
      this.fire();
      this.#used = 0;
    }
    copyRange.call(bytes, ring.bytes, this.#used, offset, offset + length);
    this.#offset = this.#used;
    this.#used += length;
    this.#piece = piece;
  }

  fire(): void {
    const ring = this.#ring;
    const count = this.#count;
    if (count === 0 || ring === null) return;
    for (let i = 0; i < count; i++) {
      const target = this.#targets[i] ?? null;
      // The number may be another's by now. The kernel refuses this one.
      ring.descriptors[i] = target === null || target.isClosed ? -1 : target.descriptor;
    }
    ring.send(count);
    if (ring.isBroken) this.#giveUp(ring, count);
    this.#count = 0;
    const slow = this.#settle(ring, count);
    if (slow !== null) for (const one of slow) if (one.sendRest()) this.#slow++;
  }

  /** Who has not taken all. */
  #settle(ring: KernelRing, count: number): Outlet[] | null {
    let slow: Outlet[] | null = null;
    for (let i = 0; i < count; i++) {
      const target = this.#targets[i] ?? null;
      const piece = this.#pieces[i] ?? null;
      this.#targets[i] = null;
      this.#pieces[i] = null;
      if (target === null) continue;
      const length = ring.lengths[i] ?? 0;
      const told = ring.taken[i] ?? 0;
      const taken = told === UNTOLD ? length : told;
      if (target.settle(taken, ring.bytes, ring.offsets[i] ?? 0, length, piece)) continue;
      slow ??= [];
      slow.push(target);
    }
    return slow;
  }

  /** Nobody knows what became of some of them: they are told by their end, and come back. */
  #giveUp(ring: KernelRing, count: number): void {
    log("error", "the kernel's ring did not answer; sending without it");
    this.#ring = null;
    const lost = this.#targets.filter((_, i) => i < count && ring.taken[i] === UNTOLD);
    queueMicrotask(() => {
      for (const one of lost) one?.cutOff();
    });
  }

  #report(): number {
    this.fire();
    const slow = this.#slow;
    this.#slow = 0;
    return slow;
  }
}

export const volleys = new Volleys();
