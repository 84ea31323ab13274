/**
 * The context a handler is given (sluice.d.ts), one for each request or socket. Its functions are closures, so that they can be taken
 * out of it: `async function* ({ sleep })`. What costs something is made when it is first asked for.
 */
import type { ChannelStatistics, Context, Grant, PublishOptions, PublishResult, Subscription } from "sluice";
import { binaryBytes } from "../config/binary-text.ts";
import type { LocatedRequest } from "../config/located-request.ts";
import type { CaptureGroups } from "../config/match-syntax.ts";
import { type LogFields, log } from "../log.ts";
import { atHandler } from "./failure.ts";
import type { HandlerHost } from "./host.ts";
import { channelStatistics, publishFrom, textOf } from "./publishing.ts";
import { Query } from "./query.ts";
import { type Feed, iterable, openSubscription } from "./subscription.ts";

/** setTimeout holds no more. */
const LONGEST_SLEEP_MS = 0x7fffffff;

/** What `signal.reason` is, and what sleepers are woken with. */
export const Ending = {
  clientLeft: atHandler(new DOMException("The client has left.", "AbortError")),
  tooLate: atHandler(new DOMException("The time limit of the location is over.", "TimeoutError")),
  draining: atHandler(new DOMException("The server is about to stop.", "AbortError")),
  grantOver: atHandler(new DOMException("What was granted to the client is over.", "AbortError")),
  done: atHandler(new DOMException("The request is over.", "AbortError")),
} as const;

/** A sleeper that nobody waits for any more was woken: no fault. */
export const isEnding = (error: unknown): boolean => Object.values(Ending).some((each) => each === error);

export class RequestContext implements Context {
  readonly #host: HandlerHost;
  readonly #located: LocatedRequest;
  readonly #groups: CaptureGroups;
  readonly #body: Uint8Array<ArrayBuffer> | null;
  readonly remoteAddress: string;
  readonly user: string | null;
  readonly grant: Grant | null;
  #request: Request | null = null;
  #query: Query | null = null;
  #controller: AbortController | null = null;
  #ending: DOMException | null = null;
  /** Sleepers and subscriptions, called when it ends. */
  #endings: Set<() => void> | null = null;

  /** `body`: that of the request, already read; null: it has none. */
  constructor(
    host: HandlerHost,
    located: LocatedRequest,
    groups: CaptureGroups,
    body: Uint8Array<ArrayBuffer> | null = null,
  ) {
    this.#host = host;
    this.#located = located;
    this.#groups = groups;
    this.#body = body;
    this.remoteAddress = located.remoteAddress;
    this.user = located.user;
    this.grant = shownGrant(located);
  }

  // --- the request -----------------------------------------------------------------------------------------------------------------

  get request(): Request {
    this.#request ??= wholeRequest(this.#located, this.#body);
    return this.#request;
  }
  get method(): string {
    return this.#located.method;
  }
  get path(): string {
    return textOf(binaryBytes(this.#located.path));
  }
  get params(): Readonly<Record<string, string>> {
    const { captures, pathCaptures } = this.#located;
    const params: Record<string, string> = {};
    captures.forEach((text, number) => {
      if (number > 0) params[number] = textOf(binaryBytes(text));
    });
    for (const [name, number] of this.#groups.names)
      params[name] = textOf(binaryBytes(pathCaptures[number] ?? ""));
    return params;
  }
  get query(): URLSearchParams {
    this.#query ??= new Query(this.#located.rawQuery);
    return this.#query;
  }
  get headers(): Headers {
    return this.#located.request.headers;
  }

  // --- its end ---------------------------------------------------------------------------------------------------------------------

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#ending !== null) this.#controller.abort(this.#ending);
    return this.#controller.signal;
  }

  get isEnded(): boolean {
    return this.#ending !== null;
  }

  /** Whether this is what a sleeper was woken with: no fault of the handler. */
  isEnding(error: unknown): boolean {
    return this.#ending !== null && error === this.#ending;
  }

  /** Wakes sleepers, ends subscriptions, aborts the signal. Idempotent. */
  finish(ending: DOMException): void {
    if (this.#ending !== null) return;
    this.#ending = ending;
    const endings = this.#endings;
    this.#endings = null;
    if (endings !== null) for (const end of [...endings]) end();
    this.#controller?.abort(ending);
  }

  #atEnd(end: () => void): () => void {
    this.#endings ??= new Set();
    const endings = this.#endings;
    endings.add(end);
    return () => endings.delete(end);
  }

  // --- what it can do ---------------------------------------------------------------------------------------------------------------

  readonly sleep = (ms: number): Promise<void> =>
    new Promise((resolve, reject) => {
      if (this.#ending !== null) {
        reject(this.#ending);
        return;
      }
      const forget = this.#atEnd(() => {
        clearTimeout(timer);
        reject(this.#ending);
      });
      const timer = setTimeout(
        () => {
          forget();
          resolve();
        },
        Math.min(ms, LONGEST_SLEEP_MS),
      );
    });

  readonly publish = (
    channel: string,
    data: string | Uint8Array,
    options?: PublishOptions,
  ): Promise<PublishResult> => publishFrom(this.#host, channel, data, options);

  readonly channel = (name: string): ChannelStatistics | null => channelStatistics(this.#host, name);

  readonly subscribe = (
    channel: string | readonly string[],
    { last = 0 }: { readonly last?: number } = {},
  ): Subscription => {
    if (this.#ending !== null) throw this.#ending;
    const channels = typeof channel === "string" ? [channel] : channel;
    let forget = (): void => undefined;
    const feed: Feed = openSubscription(this.#host, channels, last, () => forget());
    if (!feed.isEnded) {
      const unlist = this.#atEnd(() => feed.close());
      forget = () => void unlist();
    }
    return iterable(feed);
  };

  readonly log = (message: string, fields: LogFields = {}): void => {
    log("info", String(message), fields);
  };
}

/** As handlers see it: what there is to know, and nothing to do with it. */
function shownGrant({ grant }: LocatedRequest): Grant | null {
  if (grant === null) return null;
  const { sub, subscribe, publish, expiresSec, info } = grant;
  return { sub, subscribe: subscribe.texts, publish: publish.texts, exp: expiresSec, info };
}

/** The request as one can be had anywhere else: with the body that was read for it, and with the host in its URL. */
function wholeRequest({ request }: LocatedRequest, body: Uint8Array<ArrayBuffer> | null): Request {
  const { url, method, headers, signal } = request;
  const host = headers.get("host") ?? "localhost";
  // The wire listener, and a client without a Host, give a URL that does not name it.
  const whole = url.startsWith("/")
    ? `http://${host}${url}`
    : url.replace(/^(https?:\/\/)localhost\//, `$1${host}/`);
  // One with a body that is not for here is another's to read: a guard would take it away from the publisher behind it.
  if (body === null && whole === url && (method === "GET" || method === "HEAD") && request instanceof Request)
    return request;
  return new Request(whole, { method, headers, signal, ...(body === null ? {} : { body }) });
}
