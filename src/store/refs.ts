/**
 * A list of message references (block, stamp) filled by collect() and read by the caller with read(). Owned and reused by the
 * caller so that a replay allocates nothing once the list has grown; pairs of words instead of objects for the same reason.
 */
const FIRST_PAIRS = 64;

export class RefList {
  length = 0;
  #pairs = new Uint32Array(FIRST_PAIRS * 2);

  block(at: number): number {
    return this.#pairs[at * 2]!;
  }

  stamp(at: number): number {
    return this.#pairs[at * 2 + 1]!;
  }

  push(block: number, stamp: number): void {
    const at = this.length * 2;
    if (at === this.#pairs.length) this.#grow();
    this.#pairs[at] = block;
    this.#pairs[at + 1] = stamp;
    this.length++;
  }

  clear(): void {
    this.length = 0;
  }

  /** Cuts the list back, for a walk that has to start over; never lengthens it. */
  truncate(length: number): void {
    if (length < this.length) this.length = length;
  }

  /** Turns round the part from `from` on: walks run newest first, callers want oldest first. */
  reverseFrom(from: number): void {
    const pairs = this.#pairs;
    for (let low = from * 2, high = (this.length - 1) * 2; low < high; low += 2, high -= 2) {
      const block = pairs[low]!;
      const stamp = pairs[low + 1]!;
      pairs[low] = pairs[high]!;
      pairs[low + 1] = pairs[high + 1]!;
      pairs[high] = block;
      pairs[high + 1] = stamp;
    }
  }

  #grow(): void {
    const larger = new Uint32Array(this.#pairs.length * 2);
    larger.set(this.#pairs);
    this.#pairs = larger;
  }
}
