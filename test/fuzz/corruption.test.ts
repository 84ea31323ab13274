/**
 * Store files with flipped bits and with pages of different ages (corruption-run.ts): seen were endless
 * walks, dead workers, 500s and messages that nobody had published. `CORRUPTION_SEED=n` repeats one.
 */
import { expect, test } from "bun:test";
import { join } from "node:path";

const ROUNDS = 240;

test.each(["flips", "torn", "live"])(
  "a damaged file (%s) is opened and used without a hang, a wrong message or a broken list",
  async (kind) => {
    const given = process.env["CORRUPTION_SEED"];
    const first = Number(given ?? 1 + crypto.getRandomValues(new Uint16Array(1))[0]! * ROUNDS);
    const rounds = given === undefined ? ROUNDS : 1;
    const run = Bun.spawn(
      [process.execPath, join(import.meta.dir, "corruption-run.ts"), kind, `${first}`, `${rounds}`],
      { stdout: "pipe", stderr: "pipe", timeout: 25_000 },
    );
    const [out, fault] = await Promise.all([run.stdout.text(), run.stderr.text()]);
    expect([await run.exited, fault], `first seed ${first}`).toEqual([0, ""]);
    const { recovered, kept } = JSON.parse(out) as { recovered: number; kept: number };
    if (kind !== "live") expect(recovered).toBeGreaterThan(0.8 * rounds);
    // Some 130 messages are stored: one damaged word costs one of them, not all.
    if (kind === "flips") expect(kept / rounds).toBeGreaterThan(50);
  },
  30_000,
);
