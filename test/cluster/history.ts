/**
 * What publishers were told, what the log has in the end and what subscribers saw, held against each other:
 * the promises of a cluster as a function. Called after each fault, and by the randomised run.
 */
import type { Redis } from "ioredis";
import type { Reader } from "./reader.ts";

export type Outcome = "taken" | "refused" | "unknown";

export interface Published {
  readonly channel: string;
  readonly text: string;
  readonly outcome: Outcome;
}

/** Texts of a channel, in the order of the log. */
export type History = ReadonlyMap<string, readonly string[]>;

/** Reads the whole log; texts are those of every channel. */
export async function readHistory(redis: Redis, name = "main"): Promise<History> {
  const raw = (await redis.call("XRANGE", `{sluice:${name}:0}log`, "-", "+")) as [string, string[]][];
  const history = new Map<string, string[]>();
  for (const [, fields] of raw) {
    const [line = "", data = ""] = fields;
    const [head = "", channel = ""] = line.split("\n");
    if (!head.startsWith("m ")) continue;
    history.set(channel, [...(history.get(channel) ?? []), data]);
  }
  return history;
}

/**
 * Every broken promise, as a sentence; none is as it should be. `before`: the histories that were, while they
 * were.
 */
export function faultsOf(
  published: readonly Published[],
  readers: readonly Reader[],
  final: History,
  before: readonly History[] = [],
): string[] {
  return [
    ...readers.flatMap((reader) => orderFaults(reader, [...before, final])),
    ...readers.flatMap(twiceFaults),
    ...readers.flatMap((reader) => tailFaults(reader, published, final)),
    ...published.flatMap((one) => refusedFaults(one, final)),
    ...published.flatMap((one) => lostFaults(one, readers, final)),
  ];
}

/** (a) Each saw, between two gaps, a part of one history, without a hole. */
function orderFaults({ title, channel, seen }: Reader, histories: readonly History[]): string[] {
  const final = new Set(histories.at(-1)?.get(channel));
  const runs: string[][] = [[]];
  for (const one of seen) {
    if (one.kind === "message") runs.at(-1)?.push(one.text);
    else runs.push([]);
  }
  return runs
    .filter(
      (run) => run.length > 0 && !histories.some((history) => isPart(run, history.get(channel) ?? [], final)),
    )
    .map(
      (run) =>
        `${title}: ${run.slice(0, 4).join(" ")} … ${run.slice(-4).join(" ")} ` +
        `(${run.length}) is no part of a history`,
    );
}

/**
 * What comes behind the end of a history that was noted while publishers went on was lost with it, if it is
 * in none; but for the last, which may have been sent again.
 */
function isPart(run: readonly string[], all: readonly string[], final: ReadonlySet<string>): boolean {
  const start = all.indexOf(run[0] ?? "");
  return (
    start >= 0 &&
    run.every((text, at) => {
      const expected = all[start + at];
      return expected === undefined ? !final.has(text) || at === run.length - 1 : expected === text;
    })
  );
}

/**
 * (b) But for the last before a gap: lost with the engine before its publisher was answered, it is sent
 * again. (A channel has one publisher, who waits for the answer.)
 */
function twiceFaults({ title, seen }: Reader): string[] {
  const known = new Set<string>();
  return seen.flatMap((one, at) => {
    if (one.kind !== "message") return [];
    const isTwice = known.has(one.text);
    if (seen[at + 1]?.kind === "gap") known.delete(one.text);
    else known.add(one.text);
    return isTwice ? [`${title}: ${one.text} was seen twice`] : [];
  });
}

/** (c) What was taken and is in no history any more: whoever saw it was told afterwards. */
function tailFaults(
  { title, channel, seen }: Reader,
  published: readonly Published[],
  final: History,
): string[] {
  const there = new Set(final.get(channel));
  return seen.flatMap((one, at) => {
    if (one.kind !== "message" || there.has(one.text)) return [];
    if (!published.some(({ text }) => text === one.text))
      return [`${title}: ${one.text} was never published`];
    const isTold = seen.slice(at + 1).some(({ kind }) => kind === "gap");
    return isTold ? [] : [`${title}: ${one.text} was lost, and who saw it was not told`];
  });
}

/** (d) What was refused is nowhere. */
const refusedFaults = ({ channel, text, outcome }: Published, final: History): string[] =>
  outcome === "refused" && (final.get(channel) ?? []).includes(text)
    ? [`${text} was refused, and is there`]
    : [];

/** What is in the history, a reader who stands there to the end has seen, or was told of a gap. */
function lostFaults({ channel, text }: Published, readers: readonly Reader[], final: History): string[] {
  if (!(final.get(channel) ?? []).includes(text)) return [];
  return readers
    .filter((reader) => reader.channel === channel && !reader.texts.includes(text) && reader.gaps === 0)
    .map(({ title }) => `${title}: ${text} is in the history, and was not given to all`);
}
