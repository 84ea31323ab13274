/**
 * How a command ends badly: an exit code that means something and one sentence for people. Thrown by the
 * commands of this folder, caught once in program.ts, which prints `sluice: <sentence>` on stderr.
 */

/** Exit codes of every command; `--help` documents them, so scripts may rely on them. */
export const ExitCode = { OK: 0, FAILURE: 1, USAGE: 2, TIMEOUT: 3 } as const;

/**
 * Thrown when a command cannot go on. `message` is the sentence the user reads, without "sluice:" and without
 * a line break.
 */
export class CommandFailure extends Error {
  readonly exitCode: number;
  constructor(exitCode: number, sentence: string) {
    super(sentence);
    this.name = "CommandFailure";
    this.exitCode = exitCode;
  }
}

/** A fault of the command line itself: wrong option, missing text (exit code 2). */
export const usageFault = (sentence: string): CommandFailure => new CommandFailure(ExitCode.USAGE, sentence);
