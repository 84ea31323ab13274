/**
 * What a location does around its role: who may come in, and what is added to the answer on its way out.
 * app.ts calls `before` and `finish` for each request; the roles know nothing of it.
 *
 * Compiled per index of Config.locations, variants included. A location with none of it has no entry: it
 * costs one array read.
 */

import type { AddressLimit } from "../config/location/address-limit.ts";
import type { LocatedRequest } from "../config/location/located-request.ts";
import type { AuthConfig } from "../config/model/access.ts";
import type { Config, LocationConfig } from "../config/model.ts";
import { closing, isLastRequest, refuse } from "../http/answer.ts";
import { isGzipType } from "../http/content-coding.ts";
import { type Answer, asResponse, LaterAnswer } from "../http/direct-answer.ts";
import { Refusals } from "../http/errors.ts";
import type { Refusal } from "../http/refusal.ts";
import { type AccessCheck, compileAccess, compileAllowance } from "./access.ts";
import { AccessLog, LogFiles } from "./access-log.ts";
import { compileAddedHeaders, type HeaderAdder, STATUSES } from "./added-headers.ts";
import { AddressLimits } from "./address-limits.ts";
import { Authentication, type Resume, UserCheck } from "./authentication.ts";
import { errorPage, isErrorPage } from "./error-page.ts";
import { compileErrorPages, type PageChooser } from "./error-pages.ts";
import { compileExpires, type ExpiresAdder } from "./expires.ts";
import { Compressor } from "./gzip.ts";
import { compileHostCheck, type HostCheck } from "./known-hosts.ts";
import { compileOriginCheck, type OriginCheck } from "./origin-check.ts";
import { type Announcer, compileAnnouncer, compilePreflight, type Preflight } from "./preflight.ts";
import { compileTryFiles, type FileTrier } from "./try-files.ts";
import { Verifications } from "./verifications.ts";

/** Who may come in. */
interface Gate {
  readonly access: AccessCheck | null;
  readonly allowance: AccessCheck | null;
  readonly authentication: Authentication | null;
}

interface Entry extends Gate {
  readonly addressLimit: AddressLimit | null;
  /** One of them is enough; `isAsked`: a grant is the third (src/access). */
  readonly satisfiesAny: { readonly isAsked: boolean } | null;
  /** For other methods than those. */
  readonly except: Gate | null;
  readonly tryFiles: FileTrier | null;
  readonly errorPages: PageChooser | null;
  readonly expires: ExpiresAdder | null;
  /** What gzip may compress says so, compressed or not. */
  readonly vary: readonly string[] | null;
  readonly compressor: Compressor | null;
  readonly addHeaders: HeaderAdder | null;
  readonly announcer: Announcer | null;
  readonly accessLog: AccessLog | null;
}

/** Refuses one too many of an address, in the words of the location's clients. */
export type CrowdedOut = (located: LocatedRequest, refusal: Refusal) => Response;

export class Front {
  readonly #entries: readonly (Entry | null)[];
  readonly #origins: readonly (OriginCheck | null)[];
  readonly #preflights: readonly (Preflight | null)[];
  readonly #knowsHost: HostCheck | null;
  readonly #logs = new LogFiles();
  /** Some location sends requests on to another. */
  readonly sendsOn: boolean;
  readonly verifications = new Verifications();
  readonly addressLimits: AddressLimits;
  readonly #crowdedOut: CrowdedOut;

  constructor(
    config: Pick<Config, "locations" | "allowedHosts" | "listen" | "servers">,
    crowdedOut: CrowdedOut = (_, refusal) => refuse(refusal),
  ) {
    this.#crowdedOut = crowdedOut;
    this.addressLimits = new AddressLimits(config.locations);
    this.#origins = config.locations.map(compileOriginCheck);
    this.#preflights = config.locations.map(compilePreflight);
    this.#knowsHost = compileHostCheck(config);
    const users = new Map<string, UserCheck>();
    // Locations with one user file share what they remember of it.
    const userCheck = (path: string): UserCheck => {
      const check = users.get(path) ?? new UserCheck(path, this.verifications);
      users.set(path, check);
      return check;
    };
    this.#entries = config.locations.map((location) => compileEntry(location, userCheck, this.#logs));
    this.sendsOn = this.#entries.some((entry) => entry?.tryFiles != null || entry?.errorPages != null);
  }

  /** Nothing is asked of the requests of this location, and nothing is done to its answers. */
  isOpen(index: number): boolean {
    return (this.#entries[index] ?? null) === null;
  }

  /** It may be sent on from this location. */
  leadsOn(index: number): boolean {
    const entry = this.#entries[index] ?? null;
    return entry !== null && (entry.tryFiles !== null || entry.errorPages !== null);
  }

  /**
   * What a browser may not be made to do by the pages of others; null: nothing is wrong. Beside `before`, as
   * most locations have nothing else.
   */
  misuse(located: LocatedRequest): Refusal | null {
    if (this.#knowsHost?.(located) === false) return Refusals.foreignHost;
    return this.#origins[located.index]?.(located) === true ? Refusals.foreignOrigin : null;
  }

  /** A browser's question for a page of another origin, which asks nobody who asks. null: it is none. */
  preflight(located: LocatedRequest): Response | "role" | null {
    const answer = this.#preflights[located.index]?.(located) ?? null;
    return answer === "foreign" ? refuse(Refusals.foreignOrigin) : answer;
  }

  /**
   * null: the role may answer. A Response refuses. Where a password takes long to verify, the promise is of a
   * refusal or of what `resume` answers (as the role answers, not finished yet).
   */
  before(located: LocatedRequest, resume: Resume): Answer | Promise<Answer> | null {
    const entry = this.#entries[located.index] ?? null;
    if (entry === null) return null;
    entry.accessLog?.arrived(located);
    if (entry.addressLimit !== null) {
      const status = this.addressLimits.enter(located);
      if (status !== null) return this.#crowdedOut(located, { ...Refusals.crowdedAddress, status });
    }
    const { access, allowance, authentication } = located.isExcepted ? (entry.except ?? entry) : entry;
    const isAllowed = access === null || access(located.peer);
    if (entry.satisfiesAny !== null) {
      if (allowance?.(located.peer) === true) return null;
      // That nothing forbids it is not enough where somebody else is to be asked.
      if (authentication === null) return isAllowed && !entry.satisfiesAny.isAsked ? null : errorPage(403);
    } else if (!isAllowed) return errorPage(403);
    return authentication?.check(located.header("authorization"), resume) ?? null;
  }

  /** What stands behind the door before the role, finished: null lets the role answer. */
  inside(located: LocatedRequest): Response | Promise<Response> | null {
    const { moves } = located;
    const entry = this.#entries[located.index] ?? null;
    const answer = (located.isExcepted ? null : entry?.tryFiles?.(located)) ?? null;
    if (answer === null) return null;
    if (located.moves === moves) return this.finish(located, answer);
    return entry === null || entry.addressLimit === null ? answer : this.#counted(located, answer);
  }

  /** It was sent on, and finished there; it was counted here. */
  #counted(located: LocatedRequest, answer: Response | Promise<Response>): Response | Promise<Response> {
    if (answer instanceof Promise) return answer.then((made) => this.#counted(located, made));
    this.addressLimits.answered(located, answer);
    return answer;
  }

  /**
   * Says whether the connection ends, compresses, adds headers, writes the log. For answers of every kind,
   * refusals of `before` included.
   */
  finish(located: LocatedRequest, answer: Response | Promise<Response>): Response | Promise<Response>;
  finish(located: LocatedRequest, answer: Answer | Promise<Answer>): Answer | Promise<Answer>;
  finish(located: LocatedRequest, answer: Answer | Promise<Answer>): Answer | Promise<Answer> {
    const entry = this.#entries[located.index] ?? null;
    const isLast = isLastRequest(located.request);
    if (entry === null && !isLast && !(located.statusInstead > 0)) return answer;
    return this.#finish(located, answer, entry, isLast);
  }

  /** By itself, as what it makes for later would cost every answer something. */
  #finish(
    located: LocatedRequest,
    answer: Answer | Promise<Answer>,
    entry: Entry | null,
    isLast: boolean,
  ): Response | Promise<Response> {
    const { moves, statusInstead } = located;
    const finish = (made: Answer): Response | Promise<Response> => {
      if (entry !== null && entry.addressLimit !== null) this.addressLimits.answered(located, made);
      const response = asResponse(made);
      // It was sent on, and finished there.
      if (located.moves !== moves) return response;
      const instead = entry?.errorPages?.(located, response) ?? null;
      if (instead !== null) return located.moves === moves ? finishedPage(entry, located, instead) : instead;
      // What went wrong on the way to a page is the error then (as in nginx).
      const isPage = statusInstead > 0 && !isErrorPage(response);
      const kept = isPage ? withStatus(response, statusInstead) : response;
      return finished(entry, located, isLast ? closing(kept) : kept);
    };
    if (answer instanceof LaterAnswer) return answer.promise().then(finish);
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

/** A redirect to a page elsewhere. */
const finishedPage = (
  entry: Entry | null,
  located: LocatedRequest,
  page: Response | Promise<Response>,
): Response | Promise<Response> => (page instanceof Promise ? page : finished(entry, located, page));

/** An answer of an error page has the status of the error. */
function withStatus(response: Response, status: number): Response {
  if (response.status === status || response.status === 101) return response;
  const { headers, body } = response;
  // It is a file no more that could be asked for again (as in nginx).
  for (const name of status === 200 ? [] : ["Last-Modified", "Accept-Ranges"]) headers.delete(name);
  return new Response(body, { status, headers });
}

function completed(entry: Entry, located: LocatedRequest, response: Response): Response | Promise<Response> {
  const type = entry.vary === null ? null : response.headers.get("content-type");
  if (type !== null && isGzipType(entry.vary ?? [], type)) response.headers.append("Vary", "Accept-Encoding");
  if (STATUSES.has(response.status)) entry.expires?.(located, response);
  entry.addHeaders?.(located, response);
  entry.announcer?.(located, response);
  return entry.accessLog?.answered(located, response) ?? response;
}

function compileEntry(
  location: LocationConfig,
  userCheck: (path: string) => UserCheck,
  logs: LogFiles,
): Entry | null {
  const { gzip, role, limitExcept } = location;
  const authentication = (auth: AuthConfig | null): Authentication | null =>
    auth === null ? null : new Authentication(auth.realm, userCheck(auth.userFile));
  const entry: Entry = {
    addressLimit: location.addressLimit,
    access: compileAccess(location.access),
    authentication: authentication(location.auth),
    allowance: location.satisfiesAny ? compileAllowance(location.access) : null,
    satisfiesAny: location.satisfiesAny ? { isAsked: location.grants !== null } : null,
    except:
      limitExcept === null
        ? null
        : {
            access: compileAccess(limitExcept.access),
            allowance: compileAllowance(limitExcept.access),
            authentication: authentication(limitExcept.auth),
          },
    tryFiles: compileTryFiles(location),
    errorPages: compileErrorPages(location),
    expires: compileExpires(location),
    vary: gzip !== null && location.gzipVary ? gzip.types : null,
    // Subscribers flush after each message: their own side compresses.
    compressor:
      gzip === null || role.kind === "subscriber"
        ? null
        : new Compressor(gzip, role.kind === "handler" || role.kind === "proxy"),
    addHeaders: compileAddedHeaders(location),
    announcer: compileAnnouncer(location),
    accessLog: location.accessLogs.length === 0 ? null : new AccessLog(location, logs),
  };
  return Object.values(entry).every((part) => part === null) ? null : entry;
}
