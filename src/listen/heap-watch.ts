/**
 * Has the engine look at all of its heap again when that has grown much since it last did. By itself it looks
 * at what is new only, for as long as the heap has grown by less than a share of it; and it takes the mapped
 * store for a part of its heap. What is alive at such a look, like the message of a megabyte that is just
 * being sent, counts as old from then on and stays when it is over: 140 such messages left 120 MB. app.ts
 * asks once a second.
 *
 * The same when a crowd has come or gone: ten thousand handshakes leave 1 to 2 MB among what lives, too
 * little for the engine to look for by itself, and too much to keep for as long as nothing else happens.
 *
 * Everybody waits for such a look, some 10 ms with ten thousand connections: who has little to do can afford
 * it for less.
 */
import { fullGC, heapSize } from "bun:jsc";
import { giveBackSpare } from "../http/spent-bytes.ts";

/** Of a second, computing: above it a worker is busy. */
const BUSY = 0.2;
/** Less is not worth the pause. Bun.gc(false) makes none, and does not look at what is old either. */
const GROWN_BYTES = 8 * 2 ** 20;
const GROWN_BYTES_BUSY = 32 * 2 ** 20;
/** Connections more or fewer than at the last whole look, and this share of those there were. */
const CROWD = 1000;
const CROWD_SHARE = 0.1;

export class HeapWatch {
  /** After the last whole look, or less if it shrank since. */
  #leastBytes = heapSize();
  #spent = process.cpuUsage();
  #lookedMs = performance.now();
  /** At the last whole look. */
  #connections = 0;

  look(connections: number): void {
    giveBackSpare();
    const bytes = heapSize();
    const isBusy = this.#isBusy();
    const hasGrown = bytes - this.#leastBytes > (isBusy ? GROWN_BYTES_BUSY : GROWN_BYTES);
    if (hasGrown || (!isBusy && this.#isCrowd(connections))) {
      this.#leastBytes = fullGC();
      this.#connections = connections;
    } else this.#leastBytes = Math.min(this.#leastBytes, bytes);
  }

  #isCrowd(connections: number): boolean {
    return Math.abs(connections - this.#connections) >= Math.max(CROWD, CROWD_SHARE * this.#connections);
  }

  #isBusy(): boolean {
    const nowMs = performance.now();
    const { user, system } = process.cpuUsage(this.#spent);
    const share = (user + system) / 1000 / (nowMs - this.#lookedMs);
    this.#spent = process.cpuUsage();
    this.#lookedMs = nowMs;
    return share > BUSY;
  }
}
