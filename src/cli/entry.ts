/**
 * Which of its roles the executable plays: a worker, one that mends the store, or whatever the command line
 * says. Called by main.ts.
 *
 * A worker does not pass the argument parser: main starts it with nothing to parse, and it must be up fast.
 */
import { MEND_COMMAND, WORKER_COMMAND } from "../supervisor/handshake.ts";

/** Runs to the end and resolves to the exit code. */
export async function runCommandLine(args: readonly string[]): Promise<number> {
  if (args[0] === WORKER_COMMAND) return await (await import("./worker.ts")).workerCommand();
  if (args[0] === MEND_COMMAND) return (await import("../supervisor/store/mend.ts")).runMend(args.slice(1));
  return await (await import("./program.ts")).runProgram(args);
}
