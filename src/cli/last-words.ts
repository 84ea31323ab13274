/**
 * Errors that nobody expected, in one line. Without this the runtime prints several, with the source around
 * the place: of a compiled program a screen of minified text in the journal. Called by main.ts first of all,
 * and by program.ts.
 */
import { causeOf, isJournal, log } from "../log.ts";
import { ExitCode } from "./failure.ts";
import { writeNote } from "./output.ts";

/**
 * Ends the process with `exit` on what nobody caught, unless main or a worker is up, which end themselves in
 * order.
 */
export function endInOneLine(exit: (code: number) => void): void {
  const lastWords = (error: unknown): void => {
    if (process.listenerCount("uncaughtException") > 1) return;
    tellInternal(error);
    exit(ExitCode.FAILURE);
  };
  process.on("uncaughtException", lastWords).on("unhandledRejection", lastWords);
}

export function tellInternal(error: unknown): void {
  const sentence = `internal error: ${causeOf(error)}`;
  if (isJournal()) log("error", sentence);
  else writeNote(`sluice: ${sentence}\n`);
}
