/**
 * What a soak looks at: each process's own memory, descriptors and timers, and the blocks of the store. Used
 * by scripts/soak.ts. Timers can be counted from inside only, so a handler of the server under test does it.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { OwnServer } from "../../src/verify/own-server.ts";

export interface ProcessLook {
  readonly name: string;
  readonly pid: number;
  /** Bytes that are the process's own; the store, which all share, is not in it. */
  readonly memory: number;
  readonly descriptors: number;
  /** null: not looked at, or it did not answer. */
  readonly timers: number | null;
}

export interface Look {
  readonly hours: number;
  /** Nobody reads or publishes, and every channel was deleted: what is there now should not grow. */
  readonly isAtRest: boolean;
  readonly processes: readonly ProcessLook[];
  /** null: it did not answer. */
  readonly blocks: number | null;
}

/** A location of the server under test that counts the timers of the worker that answers. */
export function counterIn(folder: string): string {
  writeFileSync(
    join(folder, "timers.ts"),
    `import { heapStats } from "bun:jsc";
export default () => Response.json({ pid: process.pid, timers: heapStats().objectTypeCounts.Timeout ?? 0 });
`,
  );
  return `
[[location]]
match = "= /timers"
handler = "timers.ts"
`;
}

const ANSWER_MS = 2000;

export async function look(own: OwnServer, hours: number, isAtRest: boolean): Promise<Look> {
  const workers = await own.workers();
  const timers = isAtRest ? await timersOf(own, workers) : new Map<number, number>();
  const processes = [own.pid, ...workers].flatMap((pid, at) => {
    const seen = processLook(pid, at === 0 ? "main" : `worker ${at - 1}`, timers.get(pid) ?? null);
    return seen === null ? [] : [seen];
  });
  return { hours, isAtRest, processes, blocks: await blocksOf(own) };
}

/** null: it ended meanwhile. */
function processLook(pid: number, name: string, timers: number | null): ProcessLook | null {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    const memory = Number(/^RssAnon:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
    return { name, pid, memory, descriptors: readdirSync(`/proc/${pid}/fd`).length, timers };
  } catch (error) {
    if (error instanceof Error && "code" in error) return null;
    throw error;
  }
}

async function answerOf(own: OwnServer, path: string): Promise<string | null> {
  try {
    const response = await fetch(new URL(path, own.server.base), {
      keepalive: false,
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    return response.ok ? await response.text() : null;
  } catch {
    // It stands still, or is being started again: the next look sees it.
    return null;
  }
}

async function blocksOf(own: OwnServer): Promise<number | null> {
  const found = /^sluice_store_blocks_used (\d+)$/m.exec((await answerOf(own, "/metrics")) ?? "");
  return found === null ? null : Number(found[1]);
}

/** The kernel chooses the worker that answers; so many tries meet each of two almost surely. */
const TRIES = 24;

async function timersOf(own: OwnServer, workers: readonly number[]): Promise<ReadonlyMap<number, number>> {
  const timers = new Map<number, number>();
  for (let at = 0; at < TRIES && timers.size < workers.length; at++) {
    const text = await answerOf(own, "/timers");
    if (text === null) continue;
    const answer = JSON.parse(text) as { pid: number; timers: number };
    timers.set(answer.pid, answer.timers);
  }
  return timers;
}

/** Deletes every channel and waits, boundedly, until the store has given back what they held. */
export async function emptyStore(own: OwnServer): Promise<void> {
  const listed = await answerOf(own, "/channels-stats?id=ALL");
  const { infos = [] } = JSON.parse(listed ?? "{}") as { infos?: readonly { channel: string }[] };
  for (const { channel } of infos) {
    const url = new URL("/pub", own.server.base);
    url.searchParams.set("id", channel);
    await fetch(url, { method: "DELETE", signal: AbortSignal.timeout(ANSWER_MS) }).catch(() => undefined);
  }
  const endAt = performance.now() + 30_000;
  while (performance.now() < endAt && (await blocksOf(own)) !== 0) await Bun.sleep(500);
}
