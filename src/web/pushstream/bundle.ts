/**
 * A macro: pushstream-script.ts imports it so that Bun runs it while that file is transpiled or compiled, and
 * puts the result in its place. So `bun src/main.ts`, the tests and dist/sluice all have the script as a
 * plain string, and the binary needs no file beside it. Macros may not call Bun.build (the bundler would wait
 * for itself), hence the command.
 */
import { join } from "node:path";

/**
 * The browser client as one classic script, readable, without comments. Throws what the bundler has to say.
 */
export function bundlePushStream(): string {
  const entry = join(import.meta.dir, "../pushstream-client.ts");
  const options = ["--format=iife", "--target=browser"];
  const run = Bun.spawnSync([process.execPath, "build", entry, ...options]);
  if (!run.success) throw new Error(run.stderr.toString());
  return run.stdout.toString();
}
