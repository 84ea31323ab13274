/**
 * Errors nobody expected, in main and in a command (a worker's: main.test.ts): seen was the runtime's page of
 * (minified) source on stderr. The program is run from source, because only there a preload can throw in its
 * place.
 */
import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

setDefaultTimeout(20_000);

const folder = mkdtempSync(join(tmpdir(), "sluice-words-"));
/** Takes connections and never answers. */
const silent = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => undefined } });
afterAll(() => {
  silent.stop(true);
  rmSync(folder, { recursive: true, force: true });
});

const preload = join(folder, "preload.ts");
writeFileSync(
  preload,
  `const thrown = new Error("a mistake\\nof two lines");
   setTimeout(() => {
     if (process.env["THROW_HOW"] === "rejection") Promise.reject(thrown);
     else throw thrown;
   }, 600);`,
);

const SERVE = ["serve", "--listen", "127.0.0.1:0", "--workers", "1"];
const SUB = ["sub", "news", "--url", `http://127.0.0.1:${silent.port}`];

test.each([
  ["main", "exception", SERVE],
  ["a command", "exception", SUB],
  ["a command", "rejection", SUB],
] as const)(
  "in %s, an %s that nobody caught ends it with one line: what, and where",
  async (_, how, args) => {
    const child = Bun.spawn([process.execPath, join(import.meta.dir, "../../src/main.ts"), ...args], {
      env: { ...process.env, THROW_HOW: how, BUN_OPTIONS: `--preload ${preload}`, RUNTIME_DIRECTORY: folder },
      stdio: ["ignore", "ignore", "pipe"],
    });
    const lines = (await child.stderr.text()).trimEnd().split("\n");
    expect(await child.exited).toBe(1);
    const last = lines.pop() ?? "";
    expect(last).toMatch(/^sluice: internal error: a mistake of two lines \(at \S+preload\.ts:\d+:\d+\)$/);
    // Everything before it is the log of an ordinary start and stop.
    for (const line of lines) expect(line).toMatch(/^\S+Z (?:info |warn ) main: \S.*$/);
  },
);
