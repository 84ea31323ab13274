/**
 * `sluice reload`: tells a running main to read its configuration again and waits until that is through, so
 * that a script, or the ExecReload of a unit, knows how it went. Called by program.ts.
 */
import { readFileSync } from "node:fs";
import { findMains, type Notice, readNotice } from "../supervisor/reload-board.ts";
import { CommandFailure, ExitCode, usageFault } from "./failure.ts";
import { writeNote } from "./output.ts";

export interface ReloadOptions {
  readonly pid?: number;
  readonly pidFile?: string;
  /** Seconds. */
  readonly timeout: number;
}

const LOOK_MS = 10;

/**
 * 0 when the new configuration is in force, 1 with the faults when it was refused, 3 when it took too long.
 */
export async function reloadCommand(options: ReloadOptions): Promise<number> {
  const pid = pidOf(options);
  const before = readNotice(pid, process.env);
  if (before === null)
    throw new CommandFailure(
      ExitCode.FAILURE,
      `there is no sluice with process id ${pid} that is serving and yours to see.`,
    );
  signal(pid);
  const { faults } = await outcome(before, options.timeout);
  for (const fault of faults) writeNote(`sluice: ${fault}\n`);
  if (faults.length > 0) writeNote("sluice: reload refused; the old configuration stays in force\n");
  return faults.length === 0 ? ExitCode.OK : ExitCode.FAILURE;
}

function pidOf({ pid, pidFile }: ReloadOptions): number {
  if (pid !== undefined && pidFile !== undefined)
    throw usageFault("--pid and --pid-file say the same thing.");
  if (pid !== undefined) return pid;
  if (pidFile !== undefined) return pidIn(pidFile);
  const found = findMains(process.env);
  const [only] = found;
  if (found.length === 1 && only !== undefined) return only;
  throw usageFault(
    found.length === 0
      ? "no sluice of this user is serving; --pid or --pid-file says which one is meant."
      : `several are serving (${found.join(", ")}); --pid or --pid-file says which one is meant.`,
  );
}

function pidIn(file: string): number {
  let text: string;
  try {
    text = readFileSync(file, "utf8").trim();
  } catch (error) {
    throw new CommandFailure(ExitCode.FAILURE, `${file} cannot be read: ${(error as Error).message}`);
  }
  // What is no number of one process means a group of them, or all, to kill(2).
  if (/^[1-9][0-9]{0,9}$/.test(text)) return Number(text);
  throw new CommandFailure(ExitCode.FAILURE, `${file} does not hold a process id.`);
}

function signal(pid: number): void {
  try {
    process.kill(pid, "SIGHUP");
  } catch (error) {
    throw new CommandFailure(ExitCode.FAILURE, `process ${pid} cannot be told: ${(error as Error).message}`);
  }
}

/** The first notice of a reload that began after `before` and is through. */
async function outcome({ pid, begun }: Notice, timeoutSec: number): Promise<Notice> {
  const deadlineMs = performance.now() + timeoutSec * 1000;
  while (performance.now() < deadlineMs) {
    const notice = readNotice(pid, process.env);
    if (notice === null)
      throw new CommandFailure(ExitCode.FAILURE, `process ${pid} ended before the reload was through.`);
    if (notice.ended > begun) return notice;
    await Bun.sleep(LOOK_MS);
  }
  throw new CommandFailure(ExitCode.TIMEOUT, `the reload was not through within ${timeoutSec} s.`);
}
