/**
 * The files that main itself has open or makes, by the configuration: the log and the pid file. Used by supervisor.ts at the
 * start, with each reload and at the end.
 */
import type { Config } from "../config/model.ts";
import { LogFile } from "./log-file.ts";
import { PidFile } from "./pid-file.ts";

export class MainFiles {
  #log = new LogFile();
  #pid = new PidFile();
  #logPath: string | null = null;

  /** First thing of a start: what goes wrong after it is in the log. Faults when it cannot be opened. */
  openLog(path: string | null): readonly string[] | null {
    try {
      this.#log.use(path);
    } catch (error) {
      return [`error_log: ${(error as Error).message}`];
    }
    this.#logPath = path;
    return null;
  }

  /** When everything serves. Those of the old configuration stay when one of the new cannot be had. */
  take({ errorLog, pidFile }: Pick<Config, "errorLog" | "pidFile">): readonly string[] | null {
    const oldLog = this.#logPath;
    const faults = this.openLog(errorLog);
    if (faults !== null) return faults;
    const fault = this.#pid.moveTo(pidFile);
    return fault === null ? null : [fault, ...(this.openLog(oldLog) ?? [])];
  }

  reopenLog(): void {
    this.#log.reopen();
  }

  removePid(): void {
    this.#pid.remove();
  }
}
