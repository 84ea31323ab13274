/**
 * What a location does around its role: who may come in, and what is added to the answer on its way out. app.ts calls `before` and `finish`
 * for each request; the roles know nothing of it.
 *
 * Compiled per index of Config.locations, variants included. A location with none of it has no entry: it costs one array read.
 */
import { closing, isLastRequest } from "../answer.ts";
import type { LocatedRequest } from "../config/located-request.ts";
import type { Config, LocationConfig } from "../config/model.ts";
import { type Answer, asResponse } from "../direct-answer.ts";
import { type Refusal, Refusals } from "../errors.ts";
import { type AccessCheck, compileAccess } from "./access.ts";
import { AccessLog, LogFiles } from "./access-log.ts";
import { compileAddedHeaders, type HeaderAdder } from "./added-headers.ts";
import { Authentication, type Resume, UserCheck } from "./authentication.ts";
import { errorPage } from "./error-page.ts";
import { Compressor } from "./gzip.ts";
import { compileHostCheck, type HostCheck } from "./known-hosts.ts";
import { compileOriginCheck, type OriginCheck } from "./origin-check.ts";
import { Verifications } from "./verifications.ts";

interface Entry {
  readonly access: AccessCheck | null;
  readonly authentication: Authentication | null;
  readonly compressor: Compressor | null;
  readonly addHeaders: HeaderAdder | null;
  readonly accessLog: AccessLog | null;
}

export class Front {
  readonly #entries: readonly (Entry | null)[];
  readonly #origins: readonly (OriginCheck | null)[];
  readonly #knowsHost: HostCheck | null;
  readonly #logs = new LogFiles();
  readonly verifications = new Verifications();

  constructor(config: Pick<Config, "locations" | "allowedHosts" | "listen" | "servers">) {
    this.#origins = config.locations.map(compileOriginCheck);
    this.#knowsHost = compileHostCheck(config);
    const users = new Map<string, UserCheck>();
    // Locations with one user file share what they remember of it.
    const userCheck = (path: string): UserCheck => {
      const check = users.get(path) ?? new UserCheck(path, this.verifications);
      users.set(path, check);
      return check;
    };
    this.#entries = config.locations.map((location) => compileEntry(location, userCheck, this.#logs));
  }

  /** Nothing is asked of the requests of this location, and nothing is done to its answers. */
  isOpen(index: number): boolean {
    return (this.#entries[index] ?? null) === null;
  }

  /** What a browser may not be made to do by the pages of others; null: nothing is wrong. Beside `before`, as most locations have nothing else. */
  misuse(located: LocatedRequest): Refusal | null {
    if (this.#knowsHost?.(located) === false) return Refusals.foreignHost;
    return this.#origins[located.index]?.(located) === true ? Refusals.foreignOrigin : null;
  }

  /**
   * null: the role may answer. A Response refuses. Where a password takes long to verify, the promise is of a refusal or of what `resume`
   * answers (as the role answers, not finished yet).
   */
  before(located: LocatedRequest, resume: Resume): Answer | Promise<Answer> | null {
    const entry = this.#entries[located.index] ?? null;
    if (entry === null) return null;
    entry.accessLog?.arrived(located);
    if (entry.access !== null && !entry.access(located.peer)) return errorPage(403);
    return entry.authentication?.check(located.header("authorization"), resume) ?? null;
  }

  /** Says whether the connection ends, compresses, adds headers, writes the log. For answers of every kind, refusals of `before` included. */
  finish(located: LocatedRequest, answer: Response | Promise<Response>): Response | Promise<Response>;
  finish(located: LocatedRequest, answer: Answer | Promise<Answer>): Answer | Promise<Answer>;
  finish(located: LocatedRequest, answer: Answer | Promise<Answer>): Answer | Promise<Answer> {
    const entry = this.#entries[located.index] ?? null;
    const isLast = isLastRequest(located.request);
    if (entry === null && !isLast) return answer;
    const finish = (made: Answer): Response | Promise<Response> => {
      const response = asResponse(made);
      return finished(entry, located, isLast ? closing(response) : response);
    };
    return answer instanceof Promise ? answer.then(finish) : finish(answer);
  }

  /** The log files were moved away. */
  reopenLogs(): void {
    this.#logs.reopen();
  }

  /** Resolves when all lines are written. */
  async close(): Promise<void> {
    await this.#logs.close();
  }
}

function finished(
  entry: Entry | null,
  located: LocatedRequest,
  answer: Response,
): Response | Promise<Response> {
  if (entry === null) return answer;
  const packed = entry.compressor?.compress(located, answer) ?? answer;
  return packed instanceof Promise
    ? packed.then((response) => completed(entry, located, response))
    : completed(entry, located, packed);
}

function completed(entry: Entry, located: LocatedRequest, response: Response): Response | Promise<Response> {
  entry.addHeaders?.(located, response);
  return entry.accessLog?.answered(located, response) ?? response;
}

function compileEntry(
  location: LocationConfig,
  userCheck: (path: string) => UserCheck,
  logs: LogFiles,
): Entry | null {
  const { auth, gzip, role } = location;
  const entry: Entry = {
    access: compileAccess(location.access),
    authentication: auth === null ? null : new Authentication(auth.realm, userCheck(auth.userFile)),
    // Subscribers flush after each message: their own side compresses.
    compressor:
      gzip === null || role.kind === "subscriber" ? null : new Compressor(gzip, role.kind === "handler"),
    addHeaders: compileAddedHeaders(location),
    accessLog: location.accessLogs.length === 0 ? null : new AccessLog(location, logs),
  };
  return Object.values(entry).every((part) => part === null) ? null : entry;
}
