/**
 * `bun run fuzz [-- --minutes 10]`: everything that reads what others sent, given random and mutated input,
 * for as long as anyone likes; in the test run each has a fixed small budget. Every round draws new seeds; a
 * round that fails is printed with its seed, and `FUZZ_SEED=n bun test <file>` makes it again.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";

const { values } = parseArgs({ options: { minutes: { type: "string", default: "10" } } });
const minutes = Number(values.minutes);
if (!(minutes > 0)) throw new Error("--minutes wants a number above 0");
const endAt = performance.now() + minutes * 60_000;
/** Of each reader in a round. */
const BUDGET_MS = Math.min(30_000, Math.max(500, minutes * 1000));
const FILES = ["./test/fuzz", "./test/supervisor/handshake.test.ts", "./test/store/doorbell.test.ts"];

for (let round = 1; round === 1 || performance.now() < endAt; round++) {
  const { exitCode, stdout, stderr } = Bun.spawnSync(
    [process.execPath, "test", "--timeout", String(60_000 + 4 * BUDGET_MS), ...FILES],
    {
      cwd: join(import.meta.dir, ".."),
      env: { ...process.env, FUZZ_MS: String(BUDGET_MS), FUZZ_RUNS: String(BUDGET_MS) },
      stdin: "ignore",
    },
  );
  const said = `${stdout.toString()}${stderr.toString()}`;
  process.stdout.write(`round ${round}: ${exitCode === 0 ? "holds" : `RED\n${said}`}\n`);
  if (exitCode !== 0) process.exit(1);
}
