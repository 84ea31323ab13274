/**
 * The last N stored messages of a channel with holes, counted one by one from the newest on. Where there is
 * no hole, arithmetic tells (seek.ts). Used by subscribe/ in steps, as somebody may ask for a million, and by
 * handlers at once.
 */
import type { Arena } from "../memory/arena.ts";
import { Sight, seeNewest, stepBack } from "./seek.ts";

export class LastSearch {
  afterId: number;
  isInVain = false;
  readonly #arena: Arena;
  readonly #index: number;
  readonly #incarnation: number;
  readonly #sight = new Sight();
  #left: number;
  #isDone: boolean;

  constructor(
    { arena }: { readonly arena: Arena },
    index: number,
    incarnation: number,
    count: number,
    newest: number,
  ) {
    this.#arena = arena;
    this.#index = index;
    this.#incarnation = incarnation;
    this.#left = count;
    this.afterId = newest;
    this.#isDone = !seeNewest(arena, index, incarnation, this.#sight);
    if (!this.#isDone) this.#count();
  }

  #count(): void {
    if (!this.#sight.isStored) return;
    this.afterId = this.#sight.id - 1;
    this.#isDone = --this.#left === 0;
  }

  run(steps: number): boolean {
    for (let step = 0; step < steps && !this.#isDone; step++) {
      if (!stepBack(this.#arena, this.#index, this.#incarnation, this.#sight)) return true;
      this.#count();
    }
    return this.#isDone;
  }
}
