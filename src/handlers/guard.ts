/**
 * `authorize` of publisher, subscriber, file and handler locations: asked for each request before its role
 * is. Called by app.ts at the entrance, after access rules and passwords. Whatever goes wrong in it, nobody
 * is let in.
 */
import type { Authorization, AuthorizeContext } from "sluice";
import { grantOf } from "../access/answered-grant.ts";
import type { Grant } from "../config/grant/grant.ts";
import { EVERYTHING } from "../config/grant/patterns.ts";
import type { LocatedRequest } from "../config/location/located-request.ts";
import { groupsOf, locationValue } from "../config/location/location-values.ts";
import type { CaptureGroups } from "../config/location/match-syntax.ts";
import type { CompiledValue } from "../config/location/variables.ts";
import type { LocationConfig } from "../config/model.ts";
import type { AddressSource } from "../config/server/door.ts";
import { errorPage } from "../front/error-page.ts";
import { fieldValue } from "../front/field-value.ts";
import { NO_CACHE, refuse } from "../http/answer.ts";
import type { Answer } from "../http/direct-answer.ts";
import { type Refusal, Refusals } from "../http/errors.ts";
import type { Incoming } from "../http/incoming.ts";
import { parseChannelsPath } from "../wire/channels-path.ts";
import { RequestContext } from "./context.ts";
import { Ending } from "./ending.ts";
import { failureAnswer, isPromise, TooLate, within } from "./failure.ts";
import type { HandlerHost } from "./host.ts";
import type { HandlerFile } from "./loader.ts";
import { textOf } from "./publishing.ts";
import { spokenBy } from "./web-socket.ts";

/** Carries on with the request, which was let in: the role answers, and the answer is finished. */
export type Resume = () => Answer | Promise<Answer>;

/**
 * Refuses a WebSocket in its own words, when the request asks for one; null: it does not. Theirs is not the
 * role that would have answered: nothing that is refused goes on to it.
 */
export type RefuseSocket = (
  located: LocatedRequest,
  refusal: Refusal,
  server: AddressSource | null,
  /** The subprotocols of the location; undefined: ours. */
  spoken?: readonly string[],
) => Response | null;

interface Refused {
  readonly refusal: Refusal;
  readonly answer: Response;
}

/** null: let in. */
type Outcome = Refused | null;

/** What was granted to a request that is handed in a second time. */
type Granted = Pick<LocatedRequest, "granted" | "user" | "grant">;

const GRANT_MEMBERS = ["sub", "subscribe", "publish", "exp", "info"] as const;

/** In bytes: what is written into every log line and kept for every connection. */
const MAX_USER_BYTES = 256;

export class Guards {
  readonly #guards: readonly (Guard | null)[];
  readonly #granted = new WeakMap<Incoming, Granted>();
  readonly #refuseSocket: RefuseSocket;

  constructor(host: HandlerHost, refuseSocket: RefuseSocket) {
    this.#refuseSocket = refuseSocket;
    this.#guards = host.config.locations.map((location) => guardOf(host, location));
  }

  /** Nobody guards this location. */
  isOpen(index: number): boolean {
    return (this.#guards[index] ?? null) === null;
  }

  /** null: let in. A guard that takes its time gives a promise of a refusal, or of what `resume` answers. */
  check(
    located: LocatedRequest,
    server: AddressSource | null,
    resume: Resume,
  ): Answer | Promise<Answer> | null {
    const guard = this.#guards[located.index] ?? null;
    if (guard === null) return null;
    // Says nothing of channels and does nothing; a browser asks it before it sends credentials (CORS). For
    // others front/preflight.ts answers: what a handler or a backend does when it is asked so is not ours to
    // know.
    if (located.method === "OPTIONS" && guard.answersOptions) return null;
    const outcome = guard.ask(located);
    const answerTo = ({ refusal, answer }: Refused): Response =>
      (guard.hasSockets ? this.#refuseSocket(located, refusal, server, guard.spoken) : null) ?? answer;
    if (!(outcome instanceof Promise)) return outcome === null ? null : answerTo(outcome);
    return outcome.then((refused) => {
      if (refused !== null) return answerTo(refused);
      const { granted, user, grant } = located;
      this.#granted.set(located.request, { granted, user, grant });
      return resume();
    });
  }

  /** The request is here again, as another object: what was granted to it still is. */
  recall(located: LocatedRequest): void {
    const said = this.#granted.get(located.request);
    if (said === undefined) return;
    located.granted = said.granted;
    located.user = said.user;
    located.grant = said.grant;
  }
}

function guardOf(host: HandlerHost, location: LocationConfig): Guard | null {
  const path = location.code?.authorize ?? null;
  const { kind } = location.role;
  if (path === null) return null;
  // What an option takes and nobody looks at would be an open door.
  if (!isGuardable(kind)) throw new Error(`authorize is not done for ${kind}`);
  return new Guard(host, location, host.files.of(path), kind);
}

const isGuardable = (kind: string): kind is AuthorizeContext["role"] =>
  ["publisher", "subscriber", "presence", "files", "handler", "proxy"].includes(kind);

class Guard {
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
    if (authorize === null) return failure(failureId ?? this.#failed(new Error("it exports no authorize")));
    const context = new GuardContext(this.#host, located, this.#groups, this.#role, this.#channels(located));
    try {
      const said = authorize(context);
      if (isPromise(said)) return this.#wait(located, context, said as PromiseLike<Authorization>);
      context.finish(Ending.done);
      return this.#outcome(located, said);
    } catch (error) {
      context.finish(Ending.done);
      return failure(this.#failed(error, context));
    }
  }

  /** The file is still being loaded. */
  async #askLater(located: LocatedRequest): Promise<Outcome> {
    try {
      await within(this.#file.settled, this.#timeoutMs);
    } catch (error) {
      return failure(this.#failed(error));
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
      return failure(this.#failed(error, context));
    }
  }

  /** Throws when what was said is nothing that `Authorization` allows. */
  #outcome(located: LocatedRequest, said: unknown): Outcome {
    if (said === true) return null;
    if (said === false) return this.#refusal(403, null);
    if (typeof said === "number") return this.#refusal(said, null);
    if (typeof said !== "object" || said === null)
      throw new TypeError(`authorize answers true, false, a status or an object, not ${String(said)}`);
    const { status, explain, channels, user } = said as Record<string, unknown>;
    if (status !== undefined)
      return this.#refusal(status, typeof explain === "string" ? fieldValue(explain) : null);
    const isGrant = GRANT_MEMBERS.some((name) => Object.hasOwn(said, name));
    if (channels === undefined && user === undefined && !isGrant)
      throw new TypeError("authorize answered an object without status, channels, user or a grant");
    const name = user === undefined ? null : userName(user);
    if (channels !== undefined) located.granted = this.#grantedPath(channels, located);
    if (isGrant) located.grant = this.#grant(said);
    located.user = name ?? located.grant?.sub ?? null;
    return isGrant && !this.#isCovered(located) ? this.#notGranted() : null;
  }

  /** Without a word about channels it covers what is asked for, as it would without the rest of it. */
  #grant(said: object): Grant {
    const grant = grantOf(said);
    if (grant === null) throw new TypeError("authorize answered a grant with something in it that is none");
    const isWhole = "subscribe" in said || "publish" in said;
    return isWhole ? grant : { ...grant, subscribe: EVERYTHING, publish: EVERYTHING };
  }

  #isCovered(located: LocatedRequest): boolean {
    const { grant } = located;
    if (grant === null || this.#channelsPath === null) return true;
    if (grant.endMs <= Date.now()) return false;
    const { maxChannelsPerRequest } = this.#host.config.limits;
    const parsed = parseChannelsPath(located.granted ?? this.#channelsPath(located), maxChannelsPerRequest);
    const patterns = this.#role === "publisher" ? grant.publish : grant.subscribe;
    if (typeof parsed === "string") return true;
    return parsed.names.every((name) => patterns.covers(Buffer.from(name).toString("latin1")));
  }

  #notGranted(): Refused {
    return { refusal: Refusals.notGranted, answer: refuse(Refusals.notGranted) };
  }

  #grantedPath(channels: unknown, located: LocatedRequest): string {
    if (this.#channelsPath === null) throw new TypeError("the location has no channels");
    return grantedPath(channels, this.#channelsPath(located));
  }

  #refusal(status: unknown, explain: string | null): Refused {
    if (typeof status !== "number" || !Number.isInteger(status) || status < 400 || status > 599)
      throw new TypeError(`authorize refuses with a status of 400 to 599, not ${String(status)}`);
    const refusal = { code: "unauthorized", status, explain };
    return { refusal, answer: this.#role === "files" ? errorPage(status, NO_CACHE) : refuse(refusal) };
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

  #failed(error: unknown, context: RequestContext | null = null): string {
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

/** A name that is empty, or of any length, is a fault of the guard and no user. */
function userName(user: unknown): string {
  if (typeof user !== "string" || user === "" || Buffer.byteLength(user) > MAX_USER_BYTES)
    throw new TypeError(`authorize names a user in 1 to ${MAX_USER_BYTES} bytes of text`);
  return user;
}

/**
 * The channels path of what was granted, as a binary string. A channel that was asked for by this name keeps
 * its bytes and the number of old messages it was asked with.
 */
function grantedPath(channels: unknown, asked: string): string {
  const names = typeof channels === "string" ? [channels] : channels;
  if (!Array.isArray(names) || names.length === 0) throw new TypeError("authorize granted no channels");
  const segments = new Map<string, string>();
  for (const segment of asked.split("/")) {
    const parsed = parseChannelsPath(segment, 1);
    if (typeof parsed !== "string" && parsed.names[0] !== undefined)
      segments.set(textOf(parsed.names[0]), segment);
  }
  return names
    .map((name: unknown) => {
      if (typeof name !== "string" || name === "" || name.includes("/"))
        throw new TypeError(`authorize granted ${JSON.stringify(name)}, which is no channel`);
      return segments.get(name) ?? Buffer.from(name).toString("latin1");
    })
    .join("/");
}
