/**
 * Builds the one file that is shipped: dist/sluice. Called by `bun run build`, by `start` and by the tests.
 *
 * Does nothing when dist/sluice is newer than everything it is made of and was made from the same commit. The new file takes
 * the old one's place by rename: a running server keeps its own, and two builds at once cannot mix their bytes.
 */
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { version } from "../package.json";

const root = join(import.meta.dir, "..");
const target = join(root, "dist", "sluice");
const inputs = [join(root, "src"), join(root, "package.json"), join(root, "bun.lock"), import.meta.path];

process.exit(main());

function main(): number {
  const commit = currentCommit();
  if (isFresh(commit)) {
    console.log("dist/sluice is up to date");
    return 0;
  }
  const startedMs = performance.now();
  if (!build(commit)) return 1;
  const { size } = statSync(target);
  console.log(
    `dist/sluice built from ${commit}: ${Math.round(size / 2 ** 20)} MiB in ${Math.round(performance.now() - startedMs)} ms`,
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

/** "unknown" outside a git checkout, or without git. */
function currentCommit(): string {
  const git = Bun.which("git");
  if (git === null) return "unknown";
  const run = Bun.spawnSync([git, "rev-parse", "--short=12", "HEAD"], { cwd: root, stderr: "ignore" });
  return run.success ? run.stdout.toString().trim() : "unknown";
}

function build(commit: string): boolean {
  mkdirSync(join(root, "dist"), { recursive: true });
  const unfinished = `${target}.${process.pid}.new`;
  const run = Bun.spawnSync([process.execPath, ...buildArguments(commit, unfinished)], {
    cwd: root,
    stdout: "pipe",
    stderr: "pipe",
  });
  if (!run.success) {
    process.stderr.write(run.stdout);
    process.stderr.write(run.stderr);
    rmSync(unfinished, { force: true });
    return false;
  }
  renameSync(unfinished, target);
  return true;
}

/**
 * The two `no-autoload` switches matter: without them the shipped daemon would read .env and bunfig.toml from whatever
 * folder it is started in.
 */
function buildArguments(commit: string, outfile: string): string[] {
  return [
    "build",
    "--compile",
    "--minify",
    "--bytecode",
    "--format=esm",
    "--no-compile-autoload-dotenv",
    "--no-compile-autoload-bunfig",
    "--define",
    `SLUICE_VERSION=${JSON.stringify(version)}`,
    "--define",
    `SLUICE_COMMIT=${JSON.stringify(commit)}`,
    "src/main.ts",
    `--outfile=${outfile}`,
  ];
}
