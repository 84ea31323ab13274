/**
 * One run of `bun build --compile`: the source of this checkout into one executable. Called by build.ts and
 * release.ts.
 *
 * Two runs for the same commit give the same bytes, wherever the checkout lies: the compiler puts neither
 * times nor paths into its output, except the name of the file it writes. So it always writes `sluice`, in a
 * folder of its own, and the result is renamed. A rename also means that a running server keeps its file and
 * two builds at once cannot mix their bytes.
 */
import { mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { version } from "../package.json";

export const root = join(import.meta.dir, "..");

/** What a build is made of. */
export const inputs: readonly string[] = [
  join(root, "src"),
  join(root, "systemd"),
  join(root, "package.json"),
  join(root, "bun.lock"),
  import.meta.path,
];

/** The runtime of another system: its name for `--target`, and its executable. */
export interface Runtime {
  readonly target: string;
  readonly executable: string;
}

/** "unknown" outside a git checkout, or without git, unless $SLUICE_COMMIT tells it (Dockerfile). */
export function currentCommit(): string {
  return process.env["SLUICE_COMMIT"] ?? git(["rev-parse", "--short=12", "HEAD"]) ?? "unknown";
}

/**
 * When the commit was made, in seconds since 1970: the time all release files carry. 0 outside a git
 * checkout.
 */
export function commitSeconds(): number {
  return Number(git(["log", "-1", "--format=%ct"]) ?? 0);
}

function git(args: readonly string[]): string | null {
  const program = Bun.which("git");
  if (program === null) return null;
  const run = Bun.spawnSync([program, ...args], { cwd: root, stderr: "ignore" });
  return run.success ? run.stdout.toString().trim() : null;
}

/**
 * Writes `outfile`; without a runtime for the machine this runs on. False when it failed, with the compiler's
 * words on stderr.
 */
export function compile(commit: string, outfile: string, runtime: Runtime | null = null): boolean {
  mkdirSync(dirname(outfile), { recursive: true });
  // On the same file system, or the rename would be a copy.
  const folder = mkdtempSync(join(dirname(outfile), ".build-"));
  try {
    const unfinished = join(folder, "sluice");
    const run = Bun.spawnSync([process.execPath, ...buildArguments(commit, unfinished, runtime)], {
      cwd: root,
      stdout: "pipe",
      stderr: "pipe",
    });
    if (run.success) renameSync(unfinished, outfile);
    else {
      process.stderr.write(run.stdout);
      process.stderr.write(run.stderr);
    }
    return run.success;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * The two `no-autoload` switches matter: without them the shipped daemon would read .env and bunfig.toml from
 * whatever folder it is started in.
 */
function buildArguments(commit: string, outfile: string, runtime: Runtime | null): string[] {
  const cross =
    runtime === null ? [] : [`--target=${runtime.target}`, `--compile-executable-path=${runtime.executable}`];
  return [
    "build",
    "--compile",
    "--minify",
    "--bytecode",
    "--format=esm",
    "--no-compile-autoload-dotenv",
    "--no-compile-autoload-bunfig",
    ...cross,
    "--define",
    `SLUICE_VERSION=${JSON.stringify(version)}`,
    "--define",
    `SLUICE_COMMIT=${JSON.stringify(commit)}`,
    "src/main.ts",
    `--outfile=${outfile}`,
  ];
}
