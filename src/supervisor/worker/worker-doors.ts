/**
 * How a worker closes its listening sockets without resetting anybody (doors.ts; main's side is handover.ts):
 *
 *   1. the handshakes under way end, the queues are emptied by the event loop, and everything that was
 *     accepted is read;
 *   2. where others serve already, the connections that are kept fall silent: each answer says by now that it
 *     is the last one;
 *   3. main hears that all is quiet, and gives its word when new connections go elsewhere for certain;
 *   4. what came between is taken as in 1, and the sockets close in the same turn.
 *
 * Without 2, a request that is on its way over a kept connection meets a closed one. It still may, when it
 * was half a second in coming: HTTP has no way to say "not on this one any more" to somebody who does not ask
 * (RFC 9112, 9.6).
 */
import type { Closing, Doors } from "../../listen/doors.ts";
import { log } from "../../log.ts";
import type { SteerMessage } from "../handshake.ts";
import { ConnectionWatch } from "../sockets/connection-watch.ts";
import { ownListeningSockets } from "../sockets/listening-sockets.ts";
import { ParkedListeners } from "../sockets/parked-listeners.ts";
import { steer } from "../sockets/steering.ts";

/** The kernel looks at a handshake after one second and after three; then there is the way there and back. */
const HANDSHAKE_MS = 4000;
/** Nobody else serves: those who are on their way are refused a moment later anyway. */
const LAST_HANDSHAKE_MS = 100;
const SILENCE_MS = 500;
const LONGEST_SILENCE_WAIT_MS = 2000;
/** Main waits for a worker that stands still (handover.ts). Had it died, this process would have ended. */
const WORD_MS = 60_000;
const LOOK_MS = 5;
/** So much longer than a look takes is the time until the next. */
const REST = 4;
/** Accepting is one turn of the event loop, reading another; one more for good measure. */
const TURNS = 3;

export class WorkerDoors implements Doors {
  /** Main will say when; otherwise they close as soon as it is quiet. */
  awaitsWord = false;
  readonly #tell: (kind: "quiet" | "deaf") => void;
  #listeners: ParkedListeners | null = null;
  readonly #word = Promise.withResolvers<boolean>();

  constructor(tell: (kind: "quiet" | "deaf") => void) {
    this.#tell = tell;
  }

  opened(): void {
    try {
      this.#listeners = new ParkedListeners();
    } catch (error) {
      log("debug", "listening sockets cannot be parked here", { error: String(error) });
    }
  }

  park(isParked: boolean): void {
    this.#listeners?.park(isParked);
  }

  mayClose(closing: Closing): Promise<void> {
    const endMs = performance.now() + closing.withinMs;
    return this.#settle(closing.isReload, endMs).catch((error: unknown) =>
      log("warn", "connections that wait cannot be looked at here; some may be reset", {
        error: String(error),
      }),
    );
  }

  /** Main's. `again`: new connections may have come since it was quiet. */
  giveWord(again: boolean): void {
    this.#word.resolve(again);
  }

  closed(): void {
    this.#tell("deaf");
  }

  /** On behalf of main. */
  steer({ steering, untilMs }: SteerMessage): string | null {
    if (Date.now() > untilMs) return "a worker was too busy";
    try {
      return steer(ownListeningSockets(), steering);
    } catch (error) {
      return String(error);
    }
  }

  async #settle(isReload: boolean, endMs: number): Promise<void> {
    const watch = new ConnectionWatch(ownListeningSockets());
    try {
      watch.acceptSilent();
      await emptied(watch, isReload ? HANDSHAKE_MS : LAST_HANDSHAKE_MS, endMs);
      if (isReload) await silent(watch, Math.min(endMs, performance.now() + LONGEST_SILENCE_WAIT_MS));
      if (!this.awaitsWord) return;
      this.#tell("quiet");
      const patienceMs = Math.min(WORD_MS, endMs - performance.now());
      const again = await Promise.race([this.#word.promise, inVain(patienceMs)]);
      await emptied(watch, again ? HANDSHAKE_MS : 0, endMs);
    } finally {
      watch.close();
    }
  }
}

/** Those that shook hands at the beginning are through, nobody waits, and all that was accepted is read. */
async function emptied(watch: ConnectionWatch, handshakeMs: number, endMs: number): Promise<void> {
  await handshakesOver(watch, Math.min(endMs, performance.now() + handshakeMs));
  for (let waiting = 1; waiting > 0; waiting = watch.waiting) {
    for (let turn = 0; turn < TURNS; turn++) await Bun.sleep(1);
    if (performance.now() < endMs) continue;
    if (watch.waiting > 0)
      log("warn", "connections still wait to be accepted when the time is over", { waiting: watch.waiting });
    return;
  }
}

/** Those that are under way now; new ones begin all the time, on other sockets of these ports. */
async function handshakesOver(watch: ConnectionWatch, endMs: number): Promise<void> {
  if (performance.now() >= endMs) return;
  let startMs = performance.now();
  let left = await watch.handshakes();
  while (left.size > 0 && performance.now() < endMs) {
    await Bun.sleep(Math.max(LOOK_MS, REST * (performance.now() - startMs)));
    startMs = performance.now();
    left = left.intersection(await watch.handshakes());
  }
}

/** Nobody has said anything for a while. */
async function silent(watch: ConnectionWatch, endMs: number): Promise<void> {
  while (watch.isTalkedTo(SILENCE_MS) && performance.now() < endMs) await Bun.sleep(10 * LOOK_MS);
}

const inVain = (ms: number): Promise<false> => Bun.sleep(Math.max(0, ms)).then(() => false);
