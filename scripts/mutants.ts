/**
 * `bun run mutants [-- FILE]`: the mistakes of test/mutants.ts, one by one, in a copy of the tree: the tests
 * of the part have to turn red. First they have to be green without a mistake, or what they say of one says
 * nothing. Prints those that survive, and the share that was seen. Some twenty minutes on a quiet machine.
 */
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EQUIVALENT, MUTANTS, type Mutant } from "../test/mutants.ts";

interface Suites {
  readonly tests: readonly string[];
  /** They drive the binary. */
  readonly builds: boolean;
}

/** The tests that should notice, by the folder of the mistake. */
const SUITES: Readonly<Record<string, Suites>> = {
  store: { tests: ["./test/store", "./test/fuzz/store.test.ts"], builds: false },
  "store/replica": {
    tests: ["./test/cluster/terms.test.ts", "./test/cluster/across.test.ts"],
    builds: true,
  },
  fanout: { tests: ["./test/fanout", "./test/fuzz/fanout.test.ts"], builds: false },
  listen: { tests: ["./test/listen", "./test/fuzz/http1.test.ts"], builds: true },
  publish: { tests: ["./test/publish"], builds: true },
  subscribe: {
    tests: ["./test/delivery", "./test/subscribe", "./test/binary/idle-connections.test.ts"],
    builds: true,
  },
  cluster: {
    tests: ["./test/cluster/entry.test.ts", "./test/cluster/terms.test.ts", "./test/cluster/across.test.ts"],
    builds: true,
  },
};
/** A mistake that makes something wait for ever is seen, too: after so many times what is usual. */
const PATIENCE = 3;
const LEAST_MS = 60_000;

const root = join(import.meta.dir, "..");
const wanted = process.argv[2] ?? "";
const folder = mkdtempSync(join(tmpdir(), "sluice-mutants-"));
for (const name of [
  "src",
  "scripts",
  "systemd",
  "test",
  "docs",
  "bench",
  "package.json",
  "tsconfig.json",
  "bunfig.toml",
  "bun.lock",
  "README.md",
])
  if (existsSync(join(root, name))) cpSync(join(root, name), join(folder, name), { recursive: true });
symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));

type Verdict = "seen" | "hangs" | "SURVIVES";
const survivors: Mutant[] = [];
/** By the folder, how long its tests take without a mistake. */
const usualMs = new Map<string, number>();
let tried = 0;
let hung = 0;
try {
  for (const mutant of MUTANTS) {
    const [file, find, put] = mutant;
    if (!file.includes(wanted) || put in EQUIVALENT) continue;
    tried++;
    const verdict = verdictOn(mutant);
    if (verdict === "SURVIVES") survivors.push(mutant);
    if (verdict === "hangs") hung++;
    process.stdout.write(`${verdict.padEnd(9)} ${file}: ${find}  →  ${put}\n`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.stdout.write(
  `${tried - survivors.length} of ${tried} seen (${hung} of them stood still), ` +
    `${Object.keys(EQUIVALENT).length} change nothing\n`,
);
process.exit(survivors.length === 0 ? 0 : 1);

function verdictOn([file, find, put]: Mutant): Verdict {
  const text = readFileSync(join(root, file), "utf8");
  if (text.split(find).length !== 2) throw new Error(`${file} has not exactly one ${JSON.stringify(find)}`);
  const [, outer = "", inner = ""] = file.split("/");
  const part = `${outer}/${inner}` in SUITES ? `${outer}/${inner}` : outer;
  const suites = SUITES[part];
  if (suites === undefined) throw new Error(`no tests are named for ${file}`);
  const usual = usualMs.get(part) ?? timeWithout(part, suites);
  usualMs.set(part, usual);
  writeFileSync(
    join(folder, file),
    text.replace(find, () => put),
  );
  try {
    const { isGreen, isLate } = outcomeOf(suites, Math.round(usual * PATIENCE) + LEAST_MS);
    if (isGreen) return "SURVIVES";
    return isLate ? "hangs" : "seen";
  } finally {
    cpSync(join(root, file), join(folder, file));
  }
}

function timeWithout(part: string, suites: Suites): number {
  const sinceMs = performance.now();
  // A machine that does much else may fail a test for time alone: it is asked once more.
  if (!outcomeOf(suites).isGreen && !outcomeOf(suites).isGreen)
    throw new Error(`the tests of ${part} are red without any mistake`);
  const tookMs = performance.now() - sinceMs;
  process.stdout.write(`green     ${suites.tests.join(" ")} without a mistake: ${Math.round(tookMs)} ms\n`);
  return tookMs;
}

function outcomeOf({ builds, tests }: Suites, longestMs?: number): { isGreen: boolean; isLate: boolean } {
  if (builds && !run([process.execPath, "scripts/build.ts"]).success)
    return { isGreen: false, isLate: false };
  const { success, exitedDueToTimeout = false } = run(
    [process.execPath, "test", "--bail", "--timeout", "30000", ...tests],
    longestMs,
  );
  endWhatIsLeft();
  return { isGreen: success, isLate: exitedDueToTimeout };
}

/** Tests that give up at the first failure, or are ended, leave servers behind: all that work in the copy. */
function endWhatIsLeft(): void {
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      if (readlinkSync(`/proc/${pid}/cwd`).startsWith(folder)) process.kill(Number(pid), "SIGKILL");
    } catch {
      // It has ended by itself, or is none of ours.
    }
  }
}

function run(command: readonly string[], timeout?: number): Bun.SyncSubprocess {
  return Bun.spawnSync([...command], {
    cwd: folder,
    env: { ...process.env, SLUICE_BINARY: join(folder, "dist/sluice") },
    stdin: "ignore",
    stdout: "ignore",
    stderr: "ignore",
    ...(timeout === undefined ? {} : { timeout }),
  });
}
