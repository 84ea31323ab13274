/**
 * The files that main itself has open or makes, by the configuration: the log and the pid file. Used by
 * supervisor.ts at the start, with each reload and at the end. Access logs are the workers'; main only sees
 * to it that they can be written, and by the user whom the workers become.
 */
import { closeSync, constants, openSync } from "node:fs";
import type { Config } from "../../config/model.ts";
import { log } from "../../log.ts";
import { LogFile } from "./log-file.ts";
import { PidFile } from "./pid-file.ts";
import { giveTo, type KnownUser, userToBecome } from "./user.ts";

const { O_APPEND, O_CREAT, O_NONBLOCK, O_WRONLY } = constants;
/** As front/log-file.ts makes them. */
const ACCESS_LOG_MODE = 0o644;

/**
 * nginx does not start with an access log it cannot write, and neither do we: nobody looks at a log before it
 * is needed.
 */
export function accessLogFaults({ locations }: Pick<Config, "locations">): readonly string[] | null {
  const faults: string[] = [];
  for (const path of logsOf(locations)) {
    try {
      closeSync(openSync(path, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK, ACCESS_LOG_MODE));
    } catch (error) {
      // A pipe nobody reads yet, or a socket in the place of /dev/stdout.
      if ((error as NodeJS.ErrnoException).code !== "ENXIO")
        faults.push(`access_log: ${path} cannot be written: ${(error as Error).message}`);
    }
  }
  return faults.length === 0 ? null : faults;
}

export class MainFiles {
  #user: KnownUser | null = null;
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

  /** Whom workers become; null: they stay who they are. */
  get user(): KnownUser | null {
    return this.#user;
  }

  /** At the start: the user is found, and has the logs. Faults when there is none of that name. */
  findUser(config: Config): readonly string[] | null {
    const user = userToBecome(config.user);
    if (typeof user === "string") return [user];
    this.#user = user;
    this.giveLogs(config);
    if (user === null && config.user !== null) {
      const fields = { user: config.user.name };
      log("warn", "user has a meaning for root alone: workers stay who they are", fields);
    }
    return null;
  }

  /** Workers open theirs again as the user they have become, long after main has made them. */
  giveLogs({ locations, errorLog }: Pick<Config, "locations" | "errorLog">): void {
    if (this.#user === null) return;
    const paths = logsOf(locations);
    if (errorLog !== null) paths.add(errorLog);
    for (const path of paths) giveTo(this.#user, path);
  }

  /** Main makes the access logs, as their folder may be root's. */
  reopenLogs(config: Config): void {
    this.#log.reopen();
    if (this.#user !== null && accessLogFaults(config) === null) this.giveLogs(config);
  }

  removePid(): void {
    this.#pid.remove();
  }
}

const logsOf = (locations: Config["locations"]): Set<string> =>
  new Set(locations.flatMap(({ accessLogs }) => accessLogs.map(({ path }) => path)));
