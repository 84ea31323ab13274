/**
 * `authorize` of publisher, subscriber and file locations: asked for each request before its role is. Called by app.ts at the entrance, after
 * access rules and passwords. Whatever goes wrong in it, nobody is let in.
 */
import type { Authorization, AuthorizeContext } from "sluice";
import { NO_CACHE, refuse } from "../answer.ts";
import type { LocatedRequest } from "../config/located-request.ts";
import { groupsOf, locationValue } from "../config/location-values.ts";
import type { CaptureGroups } from "../config/match-syntax.ts";
import type { LocationConfig } from "../config/model.ts";
import type { CompiledValue } from "../config/variables.ts";
import { errorPage } from "../front/error-page.ts";
import { fieldValue } from "../front/field-value.ts";
import { parseChannelsPath } from "../wire/channels-path.ts";
import { Ending, RequestContext } from "./context.ts";
import { failureAnswer, isPromise, TooLate, within } from "./failure.ts";
import type { HandlerHost } from "./host.ts";
import type { HandlerFile } from "./loader.ts";
import { textOf } from "./publishing.ts";

/** Carries on with the request, which was let in: the role answers, and the answer is finished. */
export type Resume = () => Response | Promise<Response>;

type Outcome = Response | null;

export class Guards {
  readonly #guards: readonly (Guard | null)[];
  /** What was granted to requests that are handed in a second time. */
  readonly #granted = new WeakMap<Request, string>();

  constructor(host: HandlerHost) {
    this.#guards = host.config.locations.map((location) => guardOf(host, location));
  }

  /** Nobody guards this location. */
  isOpen(index: number): boolean {
    return (this.#guards[index] ?? null) === null;
  }

  /** null: let in. A guard that takes its time gives a promise of a refusal, or of what `resume` answers. */
  check(located: LocatedRequest, resume: Resume): Response | Promise<Response> | null {
    const guard = this.#guards[located.index] ?? null;
    // Says nothing of channels and does nothing; a browser asks it before it sends credentials (CORS).
    if (guard === null || located.method === "OPTIONS") return null;
    const outcome = guard.ask(located);
    if (!(outcome instanceof Promise)) return outcome;
    return outcome.then((refusal) => {
      if (refusal !== null) return refusal;
      if (located.granted !== null) this.#granted.set(located.request, located.granted);
      return resume();
    });
  }

  /** The request is here again, as another object: what was granted to it still is. */
  recall(located: LocatedRequest): void {
    located.granted = this.#granted.get(located.request) ?? null;
  }
}

function guardOf(host: HandlerHost, location: LocationConfig): Guard | null {
  const path = location.code?.authorize ?? null;
  const { kind } = location.role;
  if (path === null || (kind !== "publisher" && kind !== "subscriber" && kind !== "files")) return null;
  return new Guard(host, location, host.files.of(path), kind);
}

class Guard {
  readonly #host: HandlerHost;
  readonly #file: HandlerFile;
  readonly #role: AuthorizeContext["role"];
  readonly #groups: CaptureGroups;
  readonly #channelsPath: CompiledValue | null;
  readonly #timeoutMs: number;

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
    this.#channelsPath = role === "files" ? null : locationValue(location, location.channelsPath);
    this.#timeoutMs = location.code?.timeoutMs ?? 0;
  }

  /** null: let in, and `located.granted` has its channels. */
  ask(located: LocatedRequest): Outcome | Promise<Outcome> {
    const { module, failureId } = this.#file;
    if (module === null && failureId === null) return this.#askLater(located);
    const authorize = module?.authorize ?? null;
    if (authorize === null)
      return failureAnswer(failureId ?? this.#failed(new Error("it exports no authorize")));
    const context = new GuardContext(this.#host, located, this.#groups, this.#role, this.#channels(located));
    try {
      const said = authorize(context);
      if (isPromise(said)) return this.#wait(located, context, said as PromiseLike<Authorization>);
      context.finish(Ending.done);
      return this.#outcome(located, said);
    } catch (error) {
      context.finish(Ending.done);
      return failureAnswer(this.#failed(error, context));
    }
  }

  /** The file is still being loaded. */
  async #askLater(located: LocatedRequest): Promise<Outcome> {
    try {
      await within(this.#file.settled, this.#timeoutMs);
    } catch (error) {
      return failureAnswer(this.#failed(error));
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
      return failureAnswer(this.#failed(error, context));
    }
  }

  /** Throws when what was said is nothing that `Authorization` allows. */
  #outcome(located: LocatedRequest, said: unknown): Outcome {
    if (said === true) return null;
    if (said === false) return this.#refusal(403, null);
    if (typeof said === "number") return this.#refusal(said, null);
    if (typeof said !== "object" || said === null)
      throw new TypeError(`authorize answers true, false, a status or an object, not ${String(said)}`);
    const { status, explain, channels } = said as Record<string, unknown>;
    if (status !== undefined)
      return this.#refusal(status, typeof explain === "string" ? fieldValue(explain) : null);
    if (channels === undefined)
      throw new TypeError("authorize answered an object without status or channels");
    if (this.#channelsPath === null) throw new TypeError("files have no channels");
    located.granted = grantedPath(channels, this.#channelsPath(located));
    return null;
  }

  #refusal(status: unknown, explain: string | null): Response {
    if (typeof status !== "number" || !Number.isInteger(status) || status < 400 || status > 599)
      throw new TypeError(`authorize refuses with a status of 400 to 599, not ${String(status)}`);
    if (this.#role === "files") return errorPage(status, NO_CACHE);
    return refuse({ code: "unauthorized", status, explain });
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

/**
 * The channels path of what was granted, as a binary string. A channel that was asked for by this name keeps its bytes and the number of
 * old messages it was asked with.
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
