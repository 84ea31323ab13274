/**
 * One phase: a load, faults on it, quiet, and the verdict. A history is judged and forgotten phase by phase,
 * so a run may be as long as anyone likes. Called by run.ts.
 */
import { check, type Verdict } from "./checker.ts";
import { Crew, type Load } from "./crew.ts";
import type { History } from "./history.ts";
import { LANE_READERS, type Sink } from "./lanes.ts";
import { Link, LinkEnd } from "./link/link.ts";
import type { Random } from "./random.ts";
import type { Reader } from "./reader.ts";
import { Recorder } from "./recorder.ts";
import type { ServerUnderTest } from "./server.ts";

export interface PhaseSetting {
  /** Where publishers and readers go: they move between them. */
  readonly servers: readonly ServerUnderTest[];
  readonly load: Load;
  readonly seconds: number;
  readonly random: Random;
  readonly isDense: boolean;
  /** Whether the store has room for all that is published. */
  readonly keepsAll: boolean;
  /** Does its worst once and resolves when that is over; is called again until the time is up. */
  readonly fault: ((recorder: Recorder) => Promise<void>) | null;
  /** The server is gone, and nobody will bring it back: what came up to there is all there is to judge. */
  readonly isOver: () => boolean;
  /** Told what goes on, for people who wait. */
  readonly progress: (accepted: number, leftSec: number) => void;
}

export interface PhaseResult {
  readonly verdict: Verdict;
  readonly faults: number;
  /** Longest time in which nothing was accepted, and in which a reader stood nowhere; milliseconds. */
  readonly publishersWaited: number;
  readonly readersWaited: number;
}

/** From the last accepted message to its last reader. */
const SETTLE_MS = 60_000;
/** How long the last message has before another one is sent; each next one has twice as long. */
const FIRST_WAIT_MS = 2000;

export async function runPhase(setting: PhaseSetting): Promise<PhaseResult> {
  const { servers, load, seconds, random, fault, progress, isDense, keepsAll, isOver } = setting;
  const recorder = new Recorder(Math.floor(random.next() * 36 ** 6).toString(36));
  const crew = new Crew(servers, recorder, random.fork(), load);
  crew.start();
  const endAt = recorder.now() + seconds * 1000;
  const timer = setInterval(
    () => progress(recorder.accepted, Math.max(0, (endAt - recorder.now()) / 1000)),
    500,
  );
  let faults = 0;
  try {
    while (recorder.now() < endAt && !isOver()) {
      await Bun.sleep(random.between(200, 1500));
      if (load.crowd > 0 && random.chance(0.3)) await crew.crowd();
      if (fault === null || recorder.now() > endAt || isOver()) continue;
      await fault(recorder);
      faults++;
    }
    await crew.quiet();
    await settle(crew, recorder, isOver);
  } finally {
    clearInterval(timer);
    await crew.leave();
  }
  const stored = isOver() ? new Map() : await readStored(servers, crew.channels, recorder).catch(ignoreGone);
  const { publishersWaited, readersWaited } = recorder;
  const history = recorder.history(stored, { isDense, keepsAll });
  return {
    verdict: check(isOver() ? cutShort(history) : history),
    faults,
    publishersWaited,
    readersWaited,
  };
}

/**
 * Everybody stays and reads until he has the last message of each of his channels, or the time is over: the
 * checker sees who has not. Who came without a position behind the last message never will, so there is
 * another now and then.
 */
async function settle(crew: Crew, recorder: Recorder, isOver: () => boolean): Promise<void> {
  for (const reader of crew.readers) reader.calm();
  const untilAt = recorder.now() + SETTLE_MS;
  let isDone = false;
  const isLate = (): boolean => recorder.now() >= untilAt || isOver();
  for (let waitMs = FIRST_WAIT_MS; !isDone && !isLate(); waitMs *= 2) {
    const lasts = new Map<string, string | null>();
    for (const channel of crew.channels) lasts.set(channel, await crew.last(channel, isLate));
    const hasAll = (reader: Reader): boolean =>
      reader.channels.every((channel) => reader.has(lasts.get(channel) ?? ""));
    const waitUntil = Math.min(untilAt, recorder.now() + waitMs);
    do {
      await Bun.sleep(50);
      isDone = crew.readers.every(hasAll);
    } while (!isDone && recorder.now() < waitUntil && !isOver());
  }
}

/** Nobody could stay to the end. */
const cutShort = (history: History): History => ({
  ...history,
  lines: history.lines.map((line) => ({ ...line, stays: false })),
});

/** Nobody answers any more: the history says enough. */
function ignoreGone(error: unknown): History["stored"] {
  if (error instanceof LinkEnd) return new Map();
  throw error;
}

/** As many as a channels path may ask for. */
const ALL = 100_000;

/** What is stored in each channel at the end, by a reader who asks for everything. */
async function readStored(
  [server]: readonly ServerUnderTest[],
  channels: readonly string[],
  recorder: Recorder,
): Promise<History["stored"]> {
  if (server === undefined) throw new Error("there is no server");
  return new Map(
    await Promise.all(
      channels.map(async (channel) => [channel, await readChannel(server, channel, recorder)] as const),
    ),
  );
}

async function readChannel(
  server: ServerUnderTest,
  channel: string,
  recorder: Recorder,
): Promise<{ key: string; id: number | null }[]> {
  const messages: { key: string; id: number | null }[] = [];
  const link = await Link.open(server.target, 10_000);
  const sink: Sink = {
    position: null,
    opened: () => undefined,
    gap: () => undefined,
    message: (_channel, text, id) => {
      const key = recorder.keyOf(text);
      if (key !== null) messages.push({ key, id });
    },
  };
  // Nothing is published any more: when it is silent for a moment, that was all.
  const silence = setInterval(() => {
    if (performance.now() - link.heardAt > 1000) link.destroy();
  }, 100);
  try {
    await LANE_READERS["ws-json"]({ server, link, channels: [`${channel}.b${ALL}`], sink, pollMs: () => 0 });
  } catch (error) {
    if (!(error instanceof LinkEnd)) throw error;
  } finally {
    clearInterval(silence);
    link.destroy();
  }
  return messages;
}
