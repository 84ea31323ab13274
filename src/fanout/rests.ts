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
/**
 * A channel on several workers rests on for such a share, while it has fewer messages than the last time. Of
 * two workers that begin in turns each has half of what is under way, and so it stays; this way both begin
 * with all of it, at about the same time. What comes at an even pace is not held up: it is as many by then.
 */
const AWAIT_SHARE = 0.5;
const AWAIT_MAX_MS = 5;
/** So many of the last time's are as many: what comes at random would else have to be more each time. */
const AS_MANY = 0.9;
const LOOK_AGAIN_MS = 1;

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
      const othersMs = this.#othersMs(channel);
      const restMs = fanoutMs * REST_SHARE + othersMs * (1 + REST_SHARE);
      channel.restUntilMs = doneMs + Math.min(restMs, REST_MAX_MS);
      const awaitMs = othersMs > 0 ? Math.min(fanoutMs * AWAIT_SHARE, AWAIT_MAX_MS) : 0;
      channel.awaitUntilMs = channel.restUntilMs + awaitMs;
    }
    channel.fanoutMs = 0;
  }

  /** How long it should rest yet; 0: its next job may begin. */
  leftMs(channel: LocalChannel, nowMs: number): number {
    const { restUntilMs, awaitUntilMs } = channel;
    if (restUntilMs > nowMs) return restUntilMs - nowMs;
    return awaitUntilMs > nowMs && this.#hasFewer(channel) ? LOOK_AGAIN_MS : 0;
  }

  /** Its end, and events of who comes and goes, wait with them. */
  #hasFewer({ index, delivered, batched }: LocalChannel): boolean {
    return this.#store.publishedCount(index) - delivered < batched * AS_MANY;
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
