/**
 * What the positions of a channel, or of a connection with several, count, as the tokens say it
 * (wire/position.ts). The same for as long as the store has one epoch; a node of a cluster whose engine was
 * emptied and begun anew by others takes over another one while people stand in it.
 */
import type { Store } from "../store/store.ts";
import { lifeOf } from "../wire/position.ts";

export class Life {
  readonly #store: Pick<Store, "epoch">;
  readonly #names: readonly Uint8Array[];
  #epoch: number;
  #text: string;

  constructor(store: Pick<Store, "epoch">, names: readonly Uint8Array[]) {
    this.#store = store;
    this.#names = names;
    this.#epoch = store.epoch;
    this.#text = lifeOf(this.#epoch, names);
  }

  get text(): string {
    const { epoch } = this.#store;
    if (epoch !== this.#epoch) {
      this.#epoch = epoch;
      this.#text = lifeOf(epoch, this.#names);
    }
    return this.#text;
  }
}
