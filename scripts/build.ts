/**
 * Builds the one file that is shipped, for this machine: dist/sluice. Called by `bun run build`, by `start`
 * and by the tests; with an argument it writes there instead.
 *
 * Does nothing when the file is newer than everything it is made of and was made from the same commit.
 */
import { existsSync, readdirSync, statSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { writeChecksum } from "./checksum.ts";
import { compile, currentCommit, inputs, root } from "./compile.ts";

const target = resolve(process.argv[2] ?? join(root, "dist", "sluice"));
const shown = relative(root, target);

process.exit(main());

function main(): number {
  const commit = currentCommit();
  if (isFresh(commit)) {
    console.log(`${shown} is up to date`);
    return 0;
  }
  const startedMs = performance.now();
  if (!compile(commit, target)) return 1;
  writeChecksum(target);
  const { size } = statSync(target);
  console.log(
    `${shown} built from ${commit}: ${Math.round(size / 2 ** 20)} MiB in ` +
      `${Math.round(performance.now() - startedMs)} ms`,
  );
  return 0;
}

function isFresh(commit: string): boolean {
  if (!existsSync(target)) return false;
  const builtMs = statSync(target).mtimeMs;
  return inputs.every((path) => newestMs(path) < builtMs) && builtCommit() === commit;
}

/** The latest change at or below a path. Folders count: a file that was deleted changes nothing else. */
function newestMs(path: string): number {
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.mtimeMs;
  return Math.max(stat.mtimeMs, ...readdirSync(path).map((name) => newestMs(join(path, name))));
}

function builtCommit(): string | null {
  const run = Bun.spawnSync([target, "version", "--json"], { stderr: "ignore" });
  if (!run.success) return null;
  const info: unknown = JSON.parse(run.stdout.toString());
  return typeof info === "object" && info !== null && "commit" in info ? String(info.commit) : null;
}
