/**
 * One location with `authorize`: asks the file's function, within the location's time limit, and keeps what
 * was granted with the request. Made and called by guard.ts.
 */
import type { Authorization, AuthorizeContext } from "sluice";
import { binaryName, channelsRefusal } from "../access/open-channels.ts";
import type { LocatedRequest } from "../config/location/located-request.ts";
import { groupsOf, locationValue } from "../config/location/location-values.ts";
import type { CaptureGroups } from "../config/location/match-syntax.ts";
import type { CompiledValue } from "../config/location/variables.ts";
import type { LocationConfig } from "../config/model.ts";
import { errorPage } from "../front/error-page.ts";
import { NO_CACHE, refuse } from "../http/answer.ts";
import { Refusals } from "../http/errors.ts";
import type { Refusal } from "../http/refusal.ts";
import { parseChannelsPath } from "../wire/channels-path.ts";
import { readAuthorization } from "./authorization.ts";
import { RequestContext } from "./context.ts";
import { Ending } from "./ending.ts";
import { failureAnswer, isPromise, TooLate, within } from "./failure.ts";
import type { HandlerHost } from "./host.ts";
import type { HandlerFile } from "./loader.ts";
import { textOf } from "./publishing.ts";
import { refusalIn } from "./refused-error.ts";
import { spokenBy } from "./web-socket.ts";

export interface Refused {
  readonly refusal: Refusal;
  readonly answer: Response;
}

/** null: let in. */
type Outcome = Refused | null;

export class GuardedLocation {
  readonly #host: HandlerHost;
  readonly #file: HandlerFile;
  readonly #role: AuthorizeContext["role"];
  readonly #groups: CaptureGroups;
  readonly #channelsPath: CompiledValue | null;
  readonly #timeoutMs: number;
  readonly #isForSockets: boolean;
  /** The one that is guarded; null: it is no handler. */
  readonly #handler: HandlerFile | null;

  constructor(
    host: HandlerHost,
    location: LocationConfig,
    file: HandlerFile,
    role: AuthorizeContext["role"],
  ) {
    this.#host = host;
    this.#file = file;
    this.#role = role;
    this.#groups = groupsOf(location);
    const hasChannels = role === "publisher" || role === "subscriber" || role === "presence";
    this.#channelsPath = hasChannels ? locationValue(location, location.channelsPath) : null;
    this.#timeoutMs = location.code?.timeoutMs ?? 0;
    this.#isForSockets = location.role.kind === "subscriber" && location.role.mode === "websocket";
    const handler = location.code?.handler ?? null;
    this.#handler = handler === null ? null : host.files.of(handler);
  }

  get answersOptions(): boolean {
    return this.#role === "publisher" || this.#role === "subscriber";
  }
  /** Who comes by WebSocket is to hear why not (wire/close-reason.ts). */
  get hasSockets(): boolean {
    return this.#isForSockets || (this.#handler?.module?.websocket ?? null) !== null;
  }
  get spoken(): readonly string[] | undefined {
    const websocket = this.#handler?.module?.websocket ?? null;
    return websocket === null ? undefined : spokenBy(websocket);
  }

  /** null: let in, and `located` has what was granted. */
  ask(located: LocatedRequest): Outcome | Promise<Outcome> {
    const { module, failureId } = this.#file;
    if (module === null && failureId === null) return this.#askLater(located);
    const authorize = module?.authorize ?? null;
    if (authorize === null)
      return failure(failureId ?? this.#logFailure(new Error("it exports no authorize")));
    const context = new GuardContext(this.#host, located, this.#groups, this.#role, this.#channels(located));
    try {
      const said = authorize(context);
      if (isPromise(said)) return this.#wait(located, context, said as PromiseLike<Authorization>);
      context.finish(Ending.done);
      return this.#outcome(located, said);
    } catch (error) {
      context.finish(Ending.done);
      return this.#failed(error, context);
    }
  }

  /** The file is still being loaded. */
  async #askLater(located: LocatedRequest): Promise<Outcome> {
    try {
      await within(this.#file.settled, this.#timeoutMs);
    } catch (error) {
      return this.#failed(error);
    }
    return await this.ask(located);
  }

  async #wait(
    located: LocatedRequest,
    context: GuardContext,
    said: PromiseLike<Authorization>,
  ): Promise<Outcome> {
    try {
      const authorization = await within(said, this.#timeoutMs);
      context.finish(Ending.done);
      return this.#outcome(located, authorization);
    } catch (error) {
      context.finish(error instanceof TooLate ? Ending.tooLate : Ending.done);
      return this.#failed(error, context);
    }
  }

  /** Throws when what was said is nothing that `Authorization` allows. */
  #outcome(located: LocatedRequest, said: unknown): Outcome {
    if (said === true) return null;
    const asked = this.#channelsPath === null ? null : this.#channelsPath(located);
    const authorization = readAuthorization(said, asked);
    if ("refusal" in authorization) return this.#refused(authorization.refusal);
    const { user, channelsPath, grant } = authorization;
    if (channelsPath !== null) located.granted = channelsPath;
    if (grant !== null) located.grant = grant;
    located.user = user ?? located.grant?.sub ?? null;
    return grant !== null && !this.#isCovered(located) ? this.#notGranted() : null;
  }

  #isCovered(located: LocatedRequest): boolean {
    const { grant } = located;
    if (grant === null || this.#channelsPath === null) return true;
    const { maxChannelsPerRequest } = this.#host.config.limits;
    const parsed = parseChannelsPath(located.granted ?? this.#channelsPath(located), maxChannelsPerRequest);
    // The endpoint says what is wrong with it.
    if (typeof parsed === "string") return true;
    const wanted = this.#role === "publisher" ? "publish" : "subscribe";
    return channelsRefusal(grant, wanted, parsed.names.map(binaryName)) === null;
  }

  #notGranted(): Refused {
    return { refusal: Refusals.notGranted, answer: refuse(Refusals.notGranted) };
  }

  #refused(refusal: Refusal): Refused {
    const answer = this.#role === "files" ? errorPage(refusal.status, NO_CACHE) : refuse(refusal);
    return { refusal, answer };
  }

  /** Without the numbers of old messages that are asked for. */
  #channels(located: LocatedRequest): readonly string[] {
    if (this.#channelsPath === null) return [];
    const parsed = parseChannelsPath(
      this.#channelsPath(located),
      this.#host.config.limits.maxChannelsPerRequest,
    );
    return typeof parsed === "string" ? [] : parsed.names.map(textOf);
  }

  /** Also by a refusal that the guard met and let go: then its client meets it. */
  #failed(error: unknown, context: RequestContext | null = null): Refused {
    const refusal = refusalIn(error, "a guard");
    return refusal === null ? failure(this.#logFailure(error, context)) : this.#refused(refusal);
  }

  #logFailure(error: unknown, context: RequestContext | null = null): string {
    return this.#file.logFailure("authorize", error, context === null ? {} : { path: context.path });
  }
}

class GuardContext extends RequestContext implements AuthorizeContext {
  readonly role: AuthorizeContext["role"];
  readonly channels: readonly string[];

  constructor(
    host: HandlerHost,
    located: LocatedRequest,
    groups: CaptureGroups,
    role: AuthorizeContext["role"],
    channels: readonly string[],
  ) {
    super(host, located, groups);
    this.role = role;
    this.channels = channels;
  }
}

const failure = (id: string): Refused => ({
  refusal: { code: "guard_failed", status: 500, explain: `The guard failed (id ${id}).` },
  answer: failureAnswer(id),
});
