/**
 * `bun run mutants [-- FILE]`: the mistakes of test/mutants.ts, one by one, in a copy of the tree: the tests
 * of the part have to turn red. Prints those that survive, and the share that was seen. Some twenty minutes
 * on a quiet machine.
 */
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
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
  fanout: { tests: ["./test/fanout", "./test/fuzz/fanout.test.ts"], builds: false },
  listen: { tests: ["./test/listen", "./test/fuzz/http1.test.ts"], builds: true },
  publish: { tests: ["./test/publish"], builds: true },
  subscribe: { tests: ["./test/delivery", "./test/subscribe"], builds: true },
  cluster: { tests: ["./test/cluster/terms.test.ts", "./test/cluster/across.test.ts"], builds: true },
};
/** A mistake that makes something wait for ever is seen, too. */
const LONGEST_MS = 240_000;

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

const survivors: Mutant[] = [];
let tried = 0;
try {
  for (const mutant of MUTANTS) {
    const [file, find, put] = mutant;
    if (!file.includes(wanted) || put in EQUIVALENT) continue;
    tried++;
    const isSeen = isNoticed(mutant);
    if (!isSeen) survivors.push(mutant);
    process.stdout.write(`${isSeen ? "seen     " : "SURVIVES "} ${file}: ${find}  →  ${put}\n`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.stdout.write(
  `${tried - survivors.length} of ${tried} seen, ${Object.keys(EQUIVALENT).length} change nothing\n`,
);
process.exit(survivors.length === 0 ? 0 : 1);

function isNoticed([file, find, put]: Mutant): boolean {
  const text = readFileSync(join(root, file), "utf8");
  if (text.split(find).length !== 2) throw new Error(`${file} has not exactly one ${JSON.stringify(find)}`);
  const suites = SUITES[file.split("/")[1] ?? ""];
  if (suites === undefined) throw new Error(`no tests are named for ${file}`);
  writeFileSync(
    join(folder, file),
    text.replace(find, () => put),
  );
  try {
    if (suites.builds && !run([process.execPath, "scripts/build.ts"])) return true;
    return !run([process.execPath, "test", "--bail", "--timeout", "30000", ...suites.tests]);
  } finally {
    cpSync(join(root, file), join(folder, file));
  }
}

function run(command: readonly string[]): boolean {
  const env = { ...process.env, SLUICE_BINARY: join(folder, "dist/sluice") };
  return Bun.spawnSync([...command], {
    cwd: folder,
    env,
    stdin: "ignore",
    stdout: "ignore",
    stderr: "ignore",
    timeout: LONGEST_MS,
  }).success;
}
