/**
 * `hooks` of publisher and subscriber locations: what publish/ and subscribe/ know as
 * front/location-hooks.ts. A hook that fails is in the log; `onPublish` costs its message then, the other two
 * cost nothing.
 */
import type { OfferedMessage, SubscribeEvent } from "sluice";
import type { LocatedRequest } from "../config/location/located-request.ts";
import { groupsOf } from "../config/location/location-values.ts";
import type { CaptureGroups } from "../config/location/match-syntax.ts";
import type { LocationConfig } from "../config/model.ts";
import { fieldValue } from "../front/field-value.ts";
import type {
  Arrival,
  HookRefusal,
  HooksOf,
  Judge,
  LocationHooks,
  OfferedDraft,
} from "../front/location-hooks.ts";
import { Refusals } from "../http/errors.ts";
import { RequestContext } from "./context.ts";
import { Ending } from "./ending.ts";
import { isPromise, within } from "./failure.ts";
import type { HandlerHost } from "./host.ts";
import type { HandlerFile } from "./loader.ts";
import { dataBytes, eventName, textOf } from "./publishing.ts";
import { refusalIn } from "./refused-error.ts";

export function hooksOf(host: HandlerHost): HooksOf {
  const hooks = host.config.locations.map((location) => {
    const path = location.code?.hooks ?? null;
    return path === null ? null : new FileHooks(host, location, host.files.of(path));
  });
  return (index) => hooks[index] ?? null;
}

type Verdict = OfferedDraft | HookRefusal;
type Transport = SubscribeEvent["transport"];

class FileHooks implements LocationHooks {
  readonly #host: HandlerHost;
  readonly #location: LocationConfig;
  readonly #file: HandlerFile;
  readonly #groups: CaptureGroups;
  readonly #timeoutMs: number;

  constructor(host: HandlerHost, location: LocationConfig, file: HandlerFile) {
    this.#host = host;
    this.#location = location;
    this.#file = file;
    this.#groups = groupsOf(location);
    this.#timeoutMs = location.code?.timeoutMs ?? 0;
  }

  // --- messages --------------------------------------------------------------------------------------------

  /** What is in the file may change. */
  get judges(): boolean {
    return true;
  }

  /** A file that did not load refuses: what it would have kept out must not come in. */
  judge(located: LocatedRequest): Judge | null {
    const file = this.#file;
    if (file.module !== null && file.module.hooks.onPublish === undefined) return null;
    const context = this.#contextOf(located);
    return (names, draft) => {
      if (file.module !== null) return this.#judge(names, draft, context);
      return within(file.settled, this.#timeoutMs).then(
        () => (file.module === null ? failure(file.failureId ?? "") : this.#judge(names, draft, context)),
        (error: unknown) => this.#failure(error, context),
      );
    };
  }

  #judge(
    names: readonly Uint8Array[],
    draft: OfferedDraft,
    context: RequestContext,
  ): Verdict | Promise<Verdict> {
    const onPublish = this.#file.module?.hooks.onPublish;
    if (onPublish === undefined) return draft;
    try {
      const said: unknown = onPublish(offered(names, draft), context);
      if (!isPromise(said)) return verdict(said, draft);
      return within(said, this.#timeoutMs).then(
        (later) => this.#verdict(later, draft, context),
        (error: unknown) => this.#failure(error, context),
      );
    } catch (error) {
      return this.#failure(error, context);
    }
  }

  #verdict(said: unknown, draft: OfferedDraft, context: RequestContext): Verdict {
    try {
      return verdict(said, draft);
    } catch (error) {
      return this.#failure(error, context);
    }
  }

  #failure(error: unknown, context: RequestContext): HookRefusal {
    const refusal = refusalIn(error, "onPublish");
    // What comes behind it may rest on it.
    if (refusal !== null) return { ...refusal, close: true };
    return failure(this.#file.logFailure("onPublish", error, { path: context.path }));
  }

  // --- subscribers -----------------------------------------------------------------------------------------

  arrival(located: LocatedRequest): Arrival | null {
    const hooks = this.#file.module?.hooks;
    if (hooks?.onSubscribe === undefined && hooks?.onUnsubscribe === undefined) return null;
    const context = this.#contextOf(located);
    return (names) => {
      const { remoteAddress, user } = context;
      const event = { channels: names.map(textOf), transport: this.#transport(), remoteAddress, user };
      const startMs = performance.now();
      this.#tell("onSubscribe", context, () => hooks.onSubscribe?.(event, context));
      let { channels } = event;
      return (left) => {
        if (left === undefined) context.finish(Ending.clientLeft);
        const durationMs = Math.round(performance.now() - startMs);
        const gone =
          left === undefined ? channels : channels.filter((name) => left.map(textOf).includes(name));
        channels = channels.filter((name) => !gone.includes(name));
        const told = { ...event, channels: gone, durationMs };
        if (gone.length > 0) this.#tell("onUnsubscribe", context, () => hooks.onUnsubscribe?.(told, context));
      };
    };
  }

  addition(located: LocatedRequest): Arrival | null {
    return this.arrival(located);
  }

  lease(): null {
    return null;
  }

  /** What is held: a poll that waits is a long poll, whatever its location is for. */
  #transport(): Transport {
    const { role } = this.#location;
    if (role.kind !== "subscriber" || role.mode === "polling") return "long-polling";
    return role.mode;
  }

  #tell(what: string, context: RequestContext, hook: () => unknown): void {
    const failed = (error: unknown): void => {
      // One that is called after the end and waits for something with its context has made a mistake.
      if (what === "onUnsubscribe" || !context.isEnding(error))
        this.#file.logFailure(what, error, { path: context.path });
    };
    try {
      const said = hook();
      if (isPromise(said)) said.then(undefined, failed);
    } catch (error) {
      failed(error);
    }
  }

  #contextOf(located: LocatedRequest): RequestContext {
    // Of a request that was upgraded the headers cannot be read any more.
    located.request.headers.get("host");
    return new RequestContext(this.#host, located, this.#groups);
  }
}

function offered(
  names: readonly Uint8Array[],
  { data, eventId, eventType, trace }: OfferedDraft,
): OfferedMessage {
  return {
    channels: names.map(textOf),
    data,
    get text() {
      return textOf(data);
    },
    eventId: eventId === null ? null : textOf(eventId),
    eventType: eventType === null ? null : textOf(eventType),
    traceparent: trace === null ? null : textOf(trace),
  };
}

/** Throws when it is nothing that `PublishVerdict` allows. */
function verdict(said: unknown, draft: OfferedDraft): Verdict {
  if (said === undefined || said === null) return draft;
  if (typeof said !== "object")
    throw new TypeError(`onPublish answers nothing or an object, not ${String(said)}`);
  const { status, explain, close, data, eventId, eventType } = said as Record<string, unknown>;
  if (status !== undefined) return refusal(status, explain, close);
  const changed = {
    data: data === undefined ? draft.data : dataBytes(data),
    eventId: eventId === undefined ? draft.eventId : eventName(eventId),
    eventType: eventType === undefined ? draft.eventType : eventName(eventType),
    trace: draft.trace,
  };
  return changed.data.length === 0 ? Refusals.emptyMessage : changed;
}

function refusal(status: unknown, explain: unknown, close: unknown): HookRefusal {
  if (typeof status !== "number" || !Number.isInteger(status) || status < 400 || status > 599)
    throw new TypeError(`onPublish refuses with a status of 400 to 599, not ${String(status)}`);
  if (close !== undefined && typeof close !== "boolean")
    throw new TypeError(`onPublish says close: true or false, not ${String(close)}`);
  return {
    code: "refused_by_hook",
    status,
    explain: typeof explain === "string" ? fieldValue(explain) : null,
    ...(close === undefined ? {} : { close }),
  };
}

/** What comes behind a message that nobody judged may rest on it. */
const failure = (id: string): HookRefusal => ({
  code: "hook_failed",
  status: 500,
  explain: `The hook failed (id ${id}).`,
  close: true,
});
