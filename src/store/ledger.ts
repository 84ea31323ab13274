/**
 * What a worker owes the store because the lock was taken when it happened: subscribers to count in and to
 * tell of in the events channel, and to count out. Those have no request any more that could be refused, so
 * it is done later, in the order in which it happened, and never lost; what is not done when the worker dies,
 * main does in its place (releaseSlot). One a process, made by Store.
 *
 * As long as something is owed, everything of the kind goes through here, or an end would overtake its
 * beginning.
 */
const SETTLE_MS = 5;
/** Under the lock one after the other, a microsecond each or an event. */
const ENTRIES_A_TURN = 256;
/** From here on new subscribers are told BUSY; the ends of those who are there are still taken. */
export const MOST_OWED = 65_536;

/** False: the lock could not be had. */
export type Entry = () => boolean;

export class Ledger {
  readonly #settled: () => void;
  readonly #entries: Entry[] = [];
  #next = 0;
  #timer: ReturnType<typeof setInterval> | null = null;

  /** `settled` is called after some of it was done. */
  constructor(settled: () => void) {
    this.#settled = settled;
  }

  get isEmpty(): boolean {
    return this.#entries.length === 0;
  }

  get isFull(): boolean {
    return this.#entries.length - this.#next >= MOST_OWED;
  }

  /** Does it now, or in its turn. */
  do(entry: Entry): void {
    if (!this.isEmpty) this.settle();
    if (this.isEmpty && entry()) return;
    this.#entries.push(entry);
    this.#timer ??= setInterval(() => this.settle(), SETTLE_MS);
  }

  settle(): void {
    const before = this.#next;
    const end = Math.min(this.#entries.length, before + ENTRIES_A_TURN);
    while (this.#next < end && this.#entries[this.#next]?.() === true) this.#next++;
    if (this.#next > before) this.#settled();
    if (this.#next < this.#entries.length) return;
    this.#entries.length = 0;
    this.#next = 0;
    this.stop();
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }
}
