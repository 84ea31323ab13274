/**
 * Keeps a subscription standing: connects, and when the connection is lost, waits and connects again from where it stopped.
 * Called by `sluice sub`; knows no transport in particular.
 */
import { pause } from "./pause.ts";
import { QuietWatch } from "./quiet-watch.ts";
import { closed, type Delivery, type Ending, type Sink, type Transport } from "./transport.ts";

const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 15_000;
/** A server may ask for a longer pause than ours, but not for one that looks like the end. */
const LONGEST_WISH_MS = 300_000;

/** Told about the state of the connection, for stderr. */
export interface SessionListener {
  /** `again`: not the first connection; `resumed`: it goes on exactly where the last one stopped. */
  connected(again: boolean, resumed: boolean): void;
  lost(reason: string, delayMs: number): void;
}

/**
 * Runs until the signal aborts (resolves null) or until going on is pointless (resolves with the ending that says why): the
 * first connection failed, a refusal that will not pass, or a peer that does not speak our protocol.
 */
export async function keepSubscribed(
  transport: Transport,
  sink: Sink,
  listener: SessionListener,
  signal: AbortSignal,
): Promise<Ending | null> {
  let failures = 0;
  let everOpened = false;
  while (!signal.aborted) {
    const again = everOpened;
    const resumed = transport.canResume();
    const round = new Round(sink, () => {
      everOpened = true;
      listener.connected(again, resumed);
    });
    const ending = await connectWatched(transport, round, signal);
    if (signal.aborted) break;
    if (isFinal(ending, everOpened)) return ending;
    // A server that accepts and drops at once is no recovery; one that delivered something is.
    failures = round.anyDelivered ? 0 : failures + 1;
    const delayMs = nextDelayMs(failures, Math.max(transport.retryMs(), retryAfterMs(ending)));
    listener.lost(reasonOf(ending), delayMs);
    await pause(delayMs, signal);
  }
  return null;
}

/** One connection, given up when it has been silent for too long. */
async function connectWatched(transport: Transport, round: Round, signal: AbortSignal): Promise<Ending> {
  const dead = new AbortController();
  const timer = round.watch.start(() => dead.abort());
  const ending = await transport.connect(round, AbortSignal.any([signal, dead.signal]));
  clearInterval(timer);
  return dead.signal.aborted ? closed("the server fell silent") : ending;
}

/** The sink of one connection: passes everything on and remembers what the session needs to judge it. */
class Round implements Sink {
  readonly watch = new QuietWatch();
  anyDelivered = false;
  readonly #sink: Sink;
  readonly #onOpen: () => void;

  constructor(sink: Sink, onOpen: () => void) {
    this.#sink = sink;
    this.#onOpen = onOpen;
  }

  opened(): void {
    this.watch.heard();
    this.#onOpen();
    this.#sink.opened();
  }

  delivered(message: Delivery): void {
    this.watch.heard();
    this.anyDelivered = true;
    this.#sink.delivered(message);
  }

  missed(channel: string | null, count: number | null): void {
    this.watch.heard();
    this.#sink.missed(channel, count);
  }

  deleted(channel: string | null, text: string): void {
    this.watch.heard();
    this.#sink.deleted(channel, text);
  }

  pinged(): void {
    this.watch.pinged();
  }
}

/** Before the first success everything is final: a wrong address or channel should not look like a long wait. */
function isFinal(ending: Ending, everOpened: boolean): boolean {
  if (ending.kind === "broken") return true;
  if (ending.kind === "refused") return !everOpened || (ending.status < 500 && ending.status !== 429);
  return !everOpened;
}

/**
 * Exponential back-off, the upper half of it random, so that the subscribers of a restarted server do not come back in one
 * wave. The server's own wish is a lower bound. In ms.
 */
export function nextDelayMs(failures: number, atLeastMs: number, random: () => number = Math.random): number {
  const full = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(failures, 16));
  return Math.round(Math.min(atLeastMs, LONGEST_WISH_MS) + full * (0.5 + random() / 2));
}

const retryAfterMs = (ending: Ending): number => (ending.kind === "refused" ? (ending.retryAfterMs ?? 0) : 0);

function reasonOf(ending: Ending): string {
  if (ending.kind === "broken") return ending.sentence;
  if (ending.kind !== "refused") return ending.reason;
  return `refused: ${ending.status}${ending.explain === "" ? "" : ` ${ending.explain}`}`;
}
