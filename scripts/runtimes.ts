/**
 * Bun for other systems than this one, out of the npm registry. Called by release.ts.
 *
 * `bun build --compile --target` alone would download a release from the web. The same executables are
 * packages, `bun` depends on all of them optionally, so bun.lock names each one's hash: what is installed
 * here is held to that.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { devDependencies } from "../package.json";
import { type Runtime, root } from "./compile.ts";

/** Artefact name → `--target` of the compiler and package with the runtime. */
export const TARGETS: Readonly<Record<string, { readonly target: string; readonly package: string }>> = {
  "linux-x64": { target: "bun-linux-x64", package: "@oven/bun-linux-x64" },
  "linux-x64-musl": { target: "bun-linux-x64-musl", package: "@oven/bun-linux-x64-musl" },
  "linux-arm64": { target: "bun-linux-arm64", package: "@oven/bun-linux-aarch64" },
  "linux-arm64-musl": { target: "bun-linux-arm64-musl", package: "@oven/bun-linux-aarch64-musl" },
};

const version = devDependencies.bun;

/**
 * The runtime of a target, installed below .cache/ the first time. Throws when there is no such target, when
 * the registry cannot be reached, or when it sends something else than bun.lock says.
 */
export function fetchRuntime(name: string): Runtime {
  const found = TARGETS[name];
  if (found === undefined) throw new Error(`no target ${name}; there are ${Object.keys(TARGETS).join(", ")}`);
  const folder = join(root, ".cache", "runtimes", `${name}-${version}`);
  const executable = join(folder, "node_modules", found.package, "bin", "bun");
  if (!existsSync(executable)) install(folder, found.package);
  const wanted = lockedHash(join(root, "bun.lock"), found.package);
  if (wanted === null || wanted !== lockedHash(join(folder, "bun.lock"), found.package))
    throw new Error(`${found.package}: its hash is not the one in bun.lock`);
  return { target: found.target, executable };
}

function install(folder: string, name: string): void {
  mkdirSync(folder, { recursive: true });
  const manifest = { name: "runtime", private: true, dependencies: { [name]: version } };
  writeFileSync(join(folder, "package.json"), JSON.stringify(manifest));
  // "*": also what is not for this machine.
  const run = Bun.spawnSync([process.execPath, "install", "--cpu=*", "--os=*", "--ignore-scripts"], {
    cwd: folder,
    stdout: "ignore",
    stderr: "pipe",
  });
  if (!run.success) throw new Error(`${name} cannot be had from the registry: ${run.stderr}`);
}

/**
 * "sha512-…" of a package's entry in a lock file; null without one. Bun checks what it downloads against it.
 */
function lockedHash(lockFile: string, name: string): string | null {
  if (!existsSync(lockFile)) return null;
  const entry = readFileSync(lockFile, "utf8")
    .split("\n")
    .find((line) => line.trim().startsWith(`"${name}": ["${name}@${version}"`));
  return entry === undefined ? null : (/"(sha512-[^"]+)"/.exec(entry)?.[1] ?? null);
}
