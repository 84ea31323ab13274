/**
 * Which transport is tried next, and remembered: the first that works. Used by client.ts.
 *
 * One that fails where another works is passed over from the second time on. Where all fail in a row, the
 * server is away, which says nothing of them.
 */
import type { Options, TransportName } from "./sluice.d.ts";

const KEY = "sluice transport";
const ENOUGH = 2;

export class Transports {
  readonly #names: readonly TransportName[];
  readonly #storage: Options["storage"];
  /** How often each was of no use while another was. */
  readonly #blocked: number[];
  /** Since one worked. */
  readonly #failed = new Set<number>();
  #at: number;

  constructor(names: readonly TransportName[], storage: Options["storage"]) {
    this.#names = names;
    this.#storage = storage;
    const first = names.indexOf((storage?.getItem(KEY) ?? "") as TransportName);
    // The page before it has seen that once.
    this.#blocked = names.map((_, i) => (i < first ? ENOUGH - 1 : 0));
    this.#at = Math.max(0, first);
  }

  get current(): TransportName {
    return this.#names[this.#at] ?? "websocket";
  }

  get #first(): number {
    return Math.max(
      0,
      this.#blocked.findIndex((times) => times < ENOUGH),
    );
  }

  worked(): void {
    for (const at of this.#failed) this.#blocked[at] = (this.#blocked[at] ?? 0) + 1;
    this.#failed.clear();
    this.#blocked[this.#at] = 0;
    this.#storage?.setItem(KEY, this.current);
  }

  /** True: all of them have. */
  failed(): boolean {
    this.#failed.add(this.#at);
    const isRound = this.#failed.size === this.#names.length;
    if (isRound) this.#failed.clear();
    this.#at = isRound ? this.#first : (this.#at + 1) % this.#names.length;
    return isRound;
  }
}
