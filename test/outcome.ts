/** One command of a test run, and what its output says. Used by run.ts. */
import { join } from "node:path";

export const root = join(import.meta.dir, "..");

/** Below those that the kernel gives to clients. */
const FIRST_PORT = 20_000;
const PORTS_A_LANE = 750;

export interface Outcome {
  readonly output: string;
  readonly code: number;
  readonly seconds: number;
  /** Of all processes it started and waited for. */
  readonly cpuSeconds: number;
}

/**
 * `lane`: of those that run side by side. Each has ports of its own, or servers of two files would share
 * their clients in silence.
 */
export async function outcomeOf(command: readonly string[], lane = 0): Promise<Outcome> {
  const startedMs = performance.now();
  const child = Bun.spawn([...command], {
    cwd: root,
    env: {
      ...process.env,
      SLUICE_BINARY: join(root, "dist/sluice"),
      SLUICE_TEST_PORTS: `${FIRST_PORT + lane * PORTS_A_LANE}-${FIRST_PORT + (lane + 1) * PORTS_A_LANE - 1}`,
    },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, errors, code] = await Promise.all([text(child.stdout), text(child.stderr), child.exited]);
  const cpuSeconds = Number(child.resourceUsage()?.cpuTime.total ?? 0) / 1e6;
  return { output: out + errors, code, seconds: (performance.now() - startedMs) / 1000, cpuSeconds };
}

const text = (stream: ReadableStream<Uint8Array>): Promise<string> => new Response(stream).text();

/** How many tests came out as the word says ("pass", "fail", "skip"). */
export const count = (output: string, word: string): number =>
  Number(new RegExp(`^ *(\\d+) ${word}$`, "m").exec(output)?.[1] ?? 0);

/** The lines of failed tests, each once. */
export const failures = (output: string): string[] => [
  ...new Set(output.split("\n").filter((line) => line.startsWith("(fail)"))),
];

/** Files with a failed test; none where something outside a test failed: a file that does not load. */
export function failedFiles(output: string): readonly string[] {
  const files = new Set<string>();
  let file = "";
  for (const line of output.split("\n")) {
    if (/^test\/\S+\.ts:$/.test(line)) file = line.slice(0, -1);
    // The list at the end names no files.
    if (/^\d+ tests failed:$/.test(line)) break;
    if (line.startsWith("(fail)")) files.add(file);
  }
  return /^ *\d+ errors?$/m.test(output) || files.has("") ? [] : [...files];
}

/** A failing suite without its passing tests. */
export const interesting = (output: string): string =>
  output
    .split("\n")
    .filter((line) => !line.startsWith("(pass)") && !line.startsWith("(skip)"))
    .join("\n");

/** What a suite that passed has to say all the same. */
export const remarks = (output: string): string[] =>
  output.split("\n").filter((line) => /seed|skipped:|^measured:/i.test(line));

export interface Timed {
  readonly title: string;
  readonly seconds: number;
}

/** How long each test took, by its own account. */
export function testTimes(title: string, output: string): Timed[] {
  const times: Timed[] = [];
  // The failed ones are named once more at the end.
  for (const line of output.split(/^\d+ tests failed:$/m, 1)[0]?.split("\n") ?? []) {
    const [, name, ms] = /^\((?:pass|fail)\) (.*) \[([\d.]+)ms\]$/.exec(line) ?? [];
    if (name !== undefined) times.push({ title: `${title}: ${name}`, seconds: Number(ms) / 1000 });
  }
  return times;
}
