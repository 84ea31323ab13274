/**
 * Has the engine look at all of its heap again when that has grown much since it last did. By itself it looks
 * at what is new only, for as long as the heap has grown by less than a share of it; and it takes the mapped
 * store for a part of its heap. What is alive at such a look, like the message of a megabyte that is just
 * being sent, counts as old from then on and stays when it is over: 140 such messages left 120 MB. This also
 * gives back what a crowd of handshakes has left. app.ts asks once a second.
 */
import { fullGC, heapSize } from "bun:jsc";

/**
 * Less is not worth the pause: about 10 ms, once for so much. Bun.gc(false) makes none, and does not look at
 * what is old either.
 */
const GROWN_BYTES = 8 * 2 ** 20;

export class HeapWatch {
  /** After the last whole look, or less if it shrank since. */
  #leastBytes = heapSize();

  look(): void {
    const bytes = heapSize();
    if (bytes - this.#leastBytes > GROWN_BYTES) this.#leastBytes = fullGC();
    else this.#leastBytes = Math.min(this.#leastBytes, bytes);
  }
}
