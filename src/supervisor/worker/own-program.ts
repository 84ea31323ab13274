/**
 * How main starts this program again, as a worker (worker-process.ts) or to mend the store (store-mender.ts).
 */
import { statSync } from "node:fs";
import { withoutRuntimeVariables } from "../service/clean-environment.ts";
import { NOTIFY_VARIABLES } from "../service/service-manager.ts";

/**
 * The command that starts this program again. From source the script is an argument; a compiled binary (its
 * entry lies in the virtual /$bunfs) is the program itself.
 *
 * When the file on disk was replaced by an upgrade, /proc/self/exe still is what runs here: a child must be
 * of the version of its main, whose store layout it shares.
 */
export function ownProgram(): readonly string[] {
  const path = process.execPath;
  const self = "/proc/self/exe";
  const program = inode(self) === inode(path) || inode(self) === null ? path : self;
  return Bun.main.startsWith("/$bunfs") ? [program] : [program, Bun.main];
}

/** Main's own, but for what systemd told main alone, and for what would change the runtime. */
export function childEnvironment(): NodeJS.ProcessEnv {
  const environment = withoutRuntimeVariables(process.env);
  for (const name of NOTIFY_VARIABLES) delete environment[name];
  return environment;
}

const inode = (path: string): string | null => {
  const found = statSync(path, { throwIfNoEntry: false });
  return found === undefined ? null : `${found.dev}:${found.ino}`;
};
