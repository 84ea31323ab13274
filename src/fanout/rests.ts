/**
 * Rests of busy channels, of which the pump has one object. A channel whose fan-out took long rests before
 * the next one, for a share of the time it took: what is published meanwhile shares the next write to every
 * subscriber. That costs a busy channel a quarter more latency and saves it most of its system calls.
 */
import type { Store } from "../store/store.ts";
import type { LocalChannel } from "./local-channel.ts";

const REST_SHARE = 0.25;
const REST_FROM_MS = 1;
const REST_MAX_MS = 10;

export class Rests {
  readonly #store: Store;
  readonly #ended: (channels: ReadonlySet<LocalChannel>) => void;
  /** Channels that rest although they have something to deliver. */
  readonly #resting = new Set<LocalChannel>();
  #timer: ReturnType<typeof setTimeout> | null = null;

  /** `ended` is told who rested, once for all. */
  constructor(store: Store, ended: (channels: ReadonlySet<LocalChannel>) => void) {
    this.#store = store;
    this.#ended = ended;
  }

  /** Nobody waits for the end of a rest. */
  get isEmpty(): boolean {
    return this.#resting.size === 0;
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  /**
   * A job is done, or will be at `doneMs`, when Bun has sent the last of it: how long it took says how long
   * to rest.
   */
  paced(channel: LocalChannel, doneMs: number): void {
    const { fanoutMs } = channel;
    if (fanoutMs > REST_FROM_MS) {
      const restMs = fanoutMs * REST_SHARE + this.#othersMs(channel) * (1 + REST_SHARE);
      channel.restUntilMs = doneMs + Math.min(restMs, REST_MAX_MS);
    }
    channel.fanoutMs = 0;
  }

  /** The native timer has millisecond steps; a rest shorter than that ends at the next turn. */
  rest(channel: LocalChannel, restMs: number): void {
    this.#resting.add(channel);
    this.#timer ??= setTimeout(() => this.#rested(), Math.max(1, Math.round(restMs)));
  }

  #rested(): void {
    this.#timer = null;
    this.#ended(this.#resting);
    this.#resting.clear();
  }

  /**
   * About how long the other workers take for what this one has just written, if messages come so fast that
   * they share writes. Each would else begin anew as soon as its part of the subscribers is through, with
   * half the messages a write: the more workers, the more system calls. This way the crowd is served in the
   * rhythm that it has on one worker.
   */
  #othersMs({ index, standing, fanoutMs, batched }: LocalChannel): number {
    if (batched < 2) return 0;
    const others = Math.max(0, this.#store.subscribers.countOf(index) - standing);
    return (fanoutMs * others) / Math.max(1, standing);
  }
}
