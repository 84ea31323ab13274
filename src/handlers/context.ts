/**
 * The context a handler is given (sluice.d.ts), one for each request or socket: the request, and beside it
 * all that a task has (task.ts). What costs something is made when it is first asked for.
 */
import type { Context, Grant } from "sluice";
import { binaryBytes } from "../config/binary-text.ts";
import type { LocatedRequest } from "../config/location/located-request.ts";
import type { CaptureGroups } from "../config/location/match-syntax.ts";
import type { HandlerHost } from "./host.ts";
import { textOf } from "./publishing.ts";
import { Query } from "./query.ts";
import { Task } from "./task.ts";

export class RequestContext extends Task implements Context {
  readonly #located: LocatedRequest;
  readonly #groups: CaptureGroups;
  readonly #body: RequestBody;
  readonly remoteAddress: string;
  readonly user: string | null;
  readonly grant: Grant | null;
  #request: Request | null = null;
  #query: Query | null = null;

  /** `body`: that of the request, already read, or to be read as it comes; null: it has none. */
  constructor(host: HandlerHost, located: LocatedRequest, groups: CaptureGroups, body: RequestBody = null) {
    super(host, fileOf(host, located));
    this.#located = located;
    this.#groups = groups;
    this.#body = body;
    this.remoteAddress = located.remoteAddress;
    this.user = located.user;
    this.grant = shownGrant(located);
  }

  // --- the request -----------------------------------------------------------------------------------------

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

  get answer(): Context["answer"] {
    return (channel, source) => {
      const { method, index } = this.#located;
      const code = this.host.config.locations[index]?.code;
      const position = this.headers.get("last-event-id") ?? this.query.get("last_event_id");
      return this.host.answers.ask({
        method,
        channel,
        source: source ?? null,
        position: position === "" ? null : position,
        file: this.file,
        lingerMs: code?.answerLingerMs ?? 0,
        maxBytes: code?.answerMaxBytes ?? 0,
      });
    };
  }
}

export type RequestBody = Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array> | null;

function fileOf({ config }: HandlerHost, { index }: LocatedRequest): string {
  const code = config.locations[index]?.code;
  return code?.handler ?? code?.authorize ?? code?.hooks ?? "";
}

/** As handlers see it: what there is to know, and nothing to do with it. */
function shownGrant({ grant }: LocatedRequest): Grant | null {
  if (grant === null) return null;
  const { sub, subscribe, publish, expiresSec, info } = grant;
  return { sub, subscribe: subscribe.texts, publish: publish.texts, exp: expiresSec, info };
}

/**
 * The request as one can be had anywhere else: with the body that was read for it, and with the host in its
 * URL.
 */
function wholeRequest({ request }: LocatedRequest, body: RequestBody): Request {
  const { url, method, headers, signal } = request;
  const host = headers.get("host") ?? "localhost";
  // The wire listener, and a client without a Host, give a URL that does not name it.
  const whole = url.startsWith("/")
    ? `http://${host}${url}`
    : url.replace(/^(https?:\/\/)localhost\//, `$1${host}/`);
  // One with a body that is not for here is another's to read: a guard would take it away from the publisher
  // behind it.
  if (body === null && whole === url && (method === "GET" || method === "HEAD") && request instanceof Request)
    return request;
  return new Request(whole, { method, headers, signal, ...(body === null ? {} : { body }) });
}
