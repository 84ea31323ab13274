// Builds the C parts of the bench (ceiling.c, load/*.c) into the system's temp folder, once per content.
// Called by peers/ceiling.ts and load/swarm-client.ts, which have a TypeScript stand-in for null, and
// load/crowd-client.ts, which has none.

import { existsSync, mkdirSync, renameSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";

function compilerPath(): string | null {
  return Bun.which("cc") ?? Bun.which("gcc");
}

/** Whether this run uses the C parts; decides what "ceiling" in its table means. */
export function hasCompiler(): boolean {
  return compilerPath() !== null;
}

/**
 * Path of the executable, of the file and the header beside it, or null when there is no compiler. Throws the
 * compiler's words when the source is bad.
 */
export async function compileC(sourcePath: string): Promise<string | null> {
  const compiler = compilerPath();
  if (compiler === null) return null;
  const common = Bun.file(join(dirname(sourcePath), "common.h"));
  const source = (await Bun.file(sourcePath).text()) + ((await common.exists()) ? await common.text() : "");
  const folder = join(tmpdir(), "sluice-bench");
  const target = join(folder, `${basename(sourcePath, ".c")}-${Bun.hash(source).toString(36)}`);
  if (existsSync(target)) return target;
  mkdirSync(folder, { recursive: true });
  const draft = `${target}.${process.pid}`;
  const result = Bun.spawnSync([compiler, "-O2", "-Wall", "-o", draft, sourcePath]);
  if (!result.success) throw new Error(`${compiler} ${sourcePath}: ${result.stderr.toString()}`);
  renameSync(draft, target);
  return target;
}
