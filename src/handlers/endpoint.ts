/**
 * One location with a handler, compiled: what plugin.ts hands requests to. Calls the default export, gives it
 * until the location's time limit to begin its answer, and turns every failure into a 500 of its own request.
 * WebSockets are web-socket.ts's.
 */

import { contentTypeOf } from "../config/location/content-type.ts";
import type { LocatedRequest } from "../config/location/located-request.ts";
import { groupsOf } from "../config/location/location-values.ts";
import type { CaptureGroups } from "../config/location/match-syntax.ts";
import type { CodeConfig } from "../config/model/code.ts";
import type { LocationConfig } from "../config/model.ts";
import { errorPage } from "../front/error-page.ts";
import { fieldValue } from "../front/field-value.ts";
import { refuse, SERVER } from "../http/answer.ts";
import { Refusals } from "../http/errors.ts";
import { hasToken } from "../http/handshake.ts";
import type { Incoming } from "../http/incoming.ts";
import { readBody } from "../publish/body.ts";
import { readAnswer } from "./answer.ts";
import { type RequestBody, RequestContext } from "./context.ts";
import { endableResponse } from "./endable-response.ts";
import { Ending } from "./ending.ts";
import { failureAnswer, isPromise, TimeLimit, TooLate, within } from "./failure.ts";
import { closePieces, generatedResponse, type Pieces } from "./generated-body.ts";
import type { HandlerHost } from "./host.ts";
import type { HandlerFile, HandlerModule } from "./loader.ts";
import { refusalIn } from "./refused-error.ts";
import { BodyTooLarge, StreamedBody } from "./streamed-body.ts";
import { WatchedAnswer } from "./watched-answer.ts";
import { DEFAULT_MAX_PAYLOAD, maxPayloadOf, SocketEndpoint, type Upgrader } from "./web-socket.ts";

/** The part of Bun's server that is used. */
export type HandlerServer = Upgrader & { timeout(request: Incoming, seconds: number): void };

const LEAVE = { "Retry-After": "1", Connection: "close" };
/** Idle connections are looked at every four seconds. */
const IDLE_GRANULARITY_MS = 4000;

export class HandlerEndpoint {
  readonly #host: HandlerHost;
  readonly #location: LocationConfig;
  readonly #file: HandlerFile;
  readonly #groups: CaptureGroups;
  readonly #timeoutMs: number;
  readonly #maxBodyBytes: number;
  readonly #isBodyStreamed: boolean;
  readonly #sockets: SocketEndpoint;

  constructor(
    host: HandlerHost,
    location: LocationConfig,
    { handler, timeoutMs, isBodyStreamed }: CodeConfig,
  ) {
    this.#host = host;
    this.#location = location;
    this.#file = host.files.of(handler ?? "");
    this.#groups = groupsOf(location);
    this.#timeoutMs = timeoutMs;
    this.#isBodyStreamed = isBodyStreamed;
    this.#maxBodyBytes = location.maxBodyBytes > 0 ? location.maxBodyBytes : Number.POSITIVE_INFINITY;
    this.#sockets = new SocketEndpoint(host, this.#file, this.#groups);
  }

  /**
   * Largest message its WebSockets take; 0: it has none. One that is still loading is taken for one of
   * default size.
   */
  get maxPayload(): number {
    const { module, failureId } = this.#file;
    if (module === null) return failureId === null ? DEFAULT_MAX_PAYLOAD : 0;
    return module.websocket === null ? 0 : maxPayloadOf(module.websocket);
  }

  handle(located: LocatedRequest, server: HandlerServer | null): Response | Promise<Response> {
    if (this.#host.draining) return refuse(Refusals.draining, LEAVE);
    const { module } = this.#file;
    if (module === null) return this.#unloaded(located, server);
    if (module.websocket !== null && isHandshake(located))
      return this.#sockets.handle(located, server, module.websocket);
    if (module.default === null) return upgradeRequired();
    const length = located.header("content-length");
    if (Number(length) > this.#maxBodyBytes) return errorPage(413);
    if (this.#isBodyStreamed && hasBody(located, length)) return this.#withStream(located, server, module);
    return hasBody(located, length)
      ? this.#withBody(located, server, module, length !== null)
      : this.#call(located, server, module, null);
  }

  /** It is still loading, or it never will be. */
  async #unloaded(located: LocatedRequest, server: HandlerServer | null): Promise<Response> {
    const file = this.#file;
    try {
      await within(file.settled, this.#timeoutMs);
    } catch (error) {
      return failureAnswer(file.logFailure("import", error));
    }
    if (file.module === null) return failureAnswer(file.failureId ?? "");
    return await this.handle(located, server);
  }

  async #withBody(
    located: LocatedRequest,
    server: HandlerServer | null,
    module: HandlerModule,
    isDeclared: boolean,
  ): Promise<Response> {
    let body: Awaited<ReturnType<typeof readBody>>;
    try {
      body = await readBody(located, isDeclared, this.#maxBodyBytes);
    } catch (error) {
      const isTooLarge = error instanceof Error && /too large|exceed/i.test(error.message);
      return isTooLarge ? errorPage(413) : errorPage(400);
    }
    if (body === "too large") return errorPage(413);
    return await this.#call(located, server, module, new Uint8Array(body));
  }

  /**
   * The handler reads it as it comes: the time limit is for what it does between two pieces, and after the
   * last.
   */
  async #withStream(
    located: LocatedRequest,
    server: HandlerServer | null,
    module: HandlerModule,
  ): Promise<Response> {
    const limit = new TimeLimit(this.#timeoutMs);
    const { request } = located;
    const stream = new StreamedBody(request, this.#maxBodyBytes, () => limit.touch());
    const response = await this.#call(located, server, module, stream.stream, limit);
    // What it did not read nobody will.
    stream.leave();
    return response;
  }

  async #call(
    located: LocatedRequest,
    server: HandlerServer | null,
    module: HandlerModule,
    body: RequestBody,
    limit: TimeLimit | null = null,
  ): Promise<Response> {
    const context = new RequestContext(this.#host, located, this.#groups, body);
    const clientLeft = (): void => context.finish(Ending.clientLeft);
    const { signal } = located.request;
    signal.addEventListener("abort", clientLeft);
    const keepsIdle = this.#timeoutMs > this.#host.idleSec * 1000 - IDLE_GRANULARITY_MS;
    if (keepsIdle) server?.timeout(located.request, 0);
    const startMs = performance.now();
    try {
      const returned = module.default?.(context);
      const answer = await this.#inTime(returned, limit);
      if (answer instanceof WatchedAnswer) return this.#watch(located, server, context, answer);
      const response = readAnswer(answer, contentTypeOf(this.#location, located.path));
      if (response instanceof Response) {
        // A Response may have a body that still asks the context.
        if (answer !== response) context.finish(Ending.done);
        const arrival = answer === response ? this.#host.arrival(located) : null;
        return arrival === null ? response : await endableResponse(this.#host, context, response, arrival);
      }
      return await this.#begin(located, server, context, response, startMs);
    } catch (error) {
      context.finish(error instanceof TooLate ? Ending.tooLate : Ending.done);
      return this.#failed(error, context);
    } finally {
      // From here on the body knows when its reader has left.
      signal.removeEventListener("abort", clientLeft);
      if (keepsIdle) server?.timeout(located.request, this.#host.idleSec);
    }
  }

  #inTime<Value>(returned: Value | PromiseLike<Value>, limit: TimeLimit | null): Value | Promise<Value> {
    if (!isPromise(returned)) return returned;
    const promised = returned as PromiseLike<Value>;
    return limit === null ? within(promised, this.#timeoutMs) : limit.of(promised);
  }

  /** An answer that is made elsewhere: the request is over, its connection is not. */
  #watch(
    located: LocatedRequest,
    server: HandlerServer | null,
    context: RequestContext,
    answer: WatchedAnswer,
  ): Response {
    context.finish(Ending.done);
    const { request } = located;
    // Behind the `finally` of the call.
    queueMicrotask(() => server?.timeout(request, 0));
    return answer.response(this.#host.arrival(located), () => server?.timeout(request, this.#host.idleSec));
  }

  /** The answer begins with the first piece: until then it may still fail, or take too long. */
  async #begin(
    located: LocatedRequest,
    server: HandlerServer | null,
    context: RequestContext,
    pieces: Pieces,
    startMs: number,
  ): Promise<Response> {
    let first: IteratorResult<unknown>;
    try {
      const next = pieces.next();
      const leftMs = Math.max(1, this.#timeoutMs - (performance.now() - startMs));
      first = isPromise(next) ? await within(next, leftMs) : next;
    } catch (error) {
      context.finish(error instanceof TooLate ? Ending.tooLate : Ending.done);
      closePieces(pieces, () => undefined);
      throw error;
    }
    const headers = { ...SERVER, ...this.#streamFields(located) };
    if (first.done === true || located.method === "HEAD" || context.isEnded) {
      context.finish(Ending.done);
      closePieces(pieces, (error) => this.#late(error, context));
      return new Response(null, {
        headers: first.done === true ? { ...headers, "Content-Length": "0" } : headers,
      });
    }
    const { request } = located;
    server?.timeout(request, 0);
    const ended = (): void => server?.timeout(request, this.#host.idleSec);
    const file = this.#file;
    const arrival = this.#host.arrival(located);
    return generatedResponse({ host: this.#host, file, context, pieces, first, ended, arrival }, { headers });
  }

  #streamFields(located: LocatedRequest) {
    return {
      "Content-Type": fieldValue(contentTypeOf(this.#location, located.path)),
      "Cache-Control": "no-store",
      "X-Content-Type-Options": "nosniff",
      // An nginx in front must not hold the stream back.
      "X-Accel-Buffering": "no",
    };
  }

  #failed(error: unknown, context: RequestContext): Response {
    if (error instanceof BodyTooLarge) return errorPage(413, { Connection: "close" });
    if (error === Ending.clientLeft) return errorPage(400);
    if (context.isEnding(error) && !(error instanceof TooLate)) return errorPage(503);
    const refusal = refusalIn(error, "a handler");
    if (refusal !== null) return refuse(refusal);
    return failureAnswer(this.#file.logFailure("handler", error, { path: context.path }));
  }

  #late(error: unknown, context: RequestContext): void {
    if (!context.isEnding(error)) this.#file.logFailure("handler", error, { path: context.path });
  }
}

const isHandshake = (located: LocatedRequest): boolean => hasToken(located.header("upgrade"), "websocket");

/** A body is announced by one of two fields (RFC 9112 6.3). */
const hasBody = (located: LocatedRequest, length: string | null): boolean =>
  (length !== null && length !== "0") || located.header("transfer-encoding") !== null;

const upgradeRequired = (): Response =>
  errorPage(426, { Upgrade: "websocket", Connection: "Upgrade", "Sec-WebSocket-Version": "13" });
