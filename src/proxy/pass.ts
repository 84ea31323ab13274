/**
 * One request under way to a backend, and its answer on the way back. Made by endpoint.ts; it is the user of
 * the connection to the backend, the taker of the client's body, and the stream of the answer, so that a
 * proxied request is this object and little else.
 *
 *   CONNECTING ──opened──► ASKED ──head──► ANSWERING ──end──► OVER        nothing is kept whole: who is slow on one side
 *       │ ▲                 │                                           stops the other from being read
 *       └─┴── next server ──┘  while the client has got nothing
 */

import type { LocatedRequest } from "../config/location/located-request.ts";
import { errorPage } from "../front/error-page.ts";
import type { BodySource } from "../http/body-source.ts";
import { type BreakableSink, LaterAnswer, PassedAnswer, type PulledStream } from "../http/direct-answer.ts";
import type { BodyTaker, Gone } from "../http/incoming.ts";
import { log } from "../log.ts";
import type { Backend } from "./backend.ts";
import type { BackendConnection, ConnectionUser } from "./backend-connection.ts";
import type { Destination } from "./destination.ts";
import { ResponseBody } from "./response-body.ts";
import { parseResponseHead, type ResponseHead } from "./response-head.ts";
import type { Route } from "./route.ts";
import type { Dated } from "./watch.ts";

const CONNECTING = 0;
const ASKED = 1;
const ANSWERING = 2;
const OVER = 3;

const CLIENT_LEFT = 499;
const LAST_CHUNK = Buffer.from("0\r\n\r\n");
const LINE_END = Buffer.from("\r\n");
const NOTHING = new Uint8Array(0);

export interface Asking {
  readonly route: Route;
  readonly located: LocatedRequest;
  readonly destination: Destination;
  readonly head: string;
  /** The body, if all of it is here. Bytes of its connection, which are used again. */
  readonly here: Uint8Array;
  /** null: there is no more of it. */
  readonly body: BodySource | null;
  readonly isChunked: boolean;
  readonly wantsUpgrade: boolean;
}

export class Pass implements ConnectionUser, BodyTaker, PulledStream, Gone, EventListenerObject, Dated {
  readonly type = "direct";
  readonly answer = new LaterAnswer();
  dueMs = Number.POSITIVE_INFINITY;
  readonly #asking: Asking;
  #state = CONNECTING;
  #backend: Backend | null = null;
  #connection: BackendConnection | null = null;
  readonly #tried: Backend[] = [];
  readonly #beganMs: number;
  /** Some backend has been sent the request. */
  #isSent = false;
  /** The connection was idle before: it may have gone stale meanwhile. */
  #isReused = false;
  #hasBegunBody = false;
  #isBodyOver: boolean;
  #bodyBytes = 0;
  /** Of the answer's head, until it is whole. */
  #input: Uint8Array = NOTHING;
  #head: ResponseHead | null = null;
  #response: ResponseBody | null = null;
  #sink: BreakableSink | null = null;
  /** Of the body, before anybody took it. */
  #early: Uint8Array | null = null;
  #isWhole = false;
  #isDiscarding = false;
  /** Before anybody took the answer. */
  #isBroken = false;
  #here: Uint8Array;

  constructor(asking: Asking) {
    this.#asking = asking;
    this.#isBodyOver = asking.body === null;
    this.#here = asking.here;
    this.#beganMs = asking.route.watch.nowMs;
  }

  begin(): LaterAnswer {
    const { located, route } = this.#asking;
    located.whenGone(this);
    route.watch.add(this);
    this.#try();
    return this.answer;
  }

  // --- to a backend
  // ----------------------------------------------------------------------------------------------------------------

  #choose(): Backend | null {
    const { destination, located, route } = this.#asking;
    const { nextTries } = route.proxy;
    if (nextTries > 0 && this.#tried.length >= nextTries) return null;
    const client = destination.balancer.goesByClient ? located.remoteAddress : "";
    return destination.balancer.next(this.#tried, client, route.watch.nowMs);
  }

  #try(): void {
    const backend = this.#choose();
    if (backend === null) {
      this.#fail(502, "no server of the upstream is left");
      return;
    }
    this.#ask(backend);
  }

  #ask(backend: Backend): void {
    const { proxy, watch } = this.#asking.route;
    this.#tried.push(backend);
    this.#backend = backend;
    backend.active++;
    this.#state = CONNECTING;
    this.#isReused = false;
    this.dueMs = watch.dueIn(proxy.connectMs);
    const idle = this.#asking.wantsUpgrade ? null : backend.takeIdle(this.#isRepeatable);
    if (idle === null) {
      this.#keepBody();
      backend.connect(this);
      return;
    }
    this.#isReused = true;
    idle.user = this;
    this.opened(idle);
  }

  /** What is used later must not be used again meanwhile. */
  #keepBody(): void {
    if (this.#here === this.#asking.here && this.#here.length > 0) this.#here = this.#here.slice();
  }

  /** RFC 9110 9.2.2, as nginx has it. */
  get #isRepeatable(): boolean {
    const { method } = this.#asking.located;
    return method !== "POST" && method !== "LOCK" && method !== "PATCH";
  }

  opened(connection: BackendConnection): void {
    if (this.#state !== CONNECTING) {
      connection.close();
      return;
    }
    this.#connection = connection;
    connection.requests++;
    this.#state = ASKED;
    this.#isSent = true;
    this.#input = NOTHING;
    const { head, body } = this.#asking;
    const isTaken = connection.ask(head, this.#here);
    // Another server may have to be asked.
    this.#keepBody();
    this.#waitForBackend();
    if (body === null || this.#hasBegunBody) return;
    this.#hasBegunBody = true;
    if (!isTaken) body.pause();
    body.pour(this);
  }

  #waitForBackend(): void {
    const { proxy, watch } = this.#asking.route;
    const isSending = this.#connection?.isStalled === true;
    // While the client takes its time with its body, nobody waits for an answer.
    this.dueMs =
      isSending || this.#isBodyOver
        ? watch.dueIn(isSending ? proxy.sendMs : proxy.readMs)
        : Number.POSITIVE_INFINITY;
  }

  refused(error: unknown): void {
    if (this.#state === OVER) return;
    log("warn", "a backend cannot be reached", { backend: this.#backend?.name ?? "", error: String(error) });
    this.#next("error", 502);
  }

  drained(): void {
    if (this.#state === OVER) return;
    this.#asking.body?.resume();
    if (this.#state === ASKED) this.#waitForBackend();
  }

  closed(): void {
    this.#connection = null;
    // In the middle of a handshake.
    if (this.#state === CONNECTING) this.refused(new Error("it closed the connection"));
    else if (this.#state === ASKED) {
      const backend = this.#backend;
      // It had been closed before the request came to it. Its server has not failed.
      if (this.#isReused && this.#isRepeatable && !this.#hasBegunBody && backend !== null) {
        backend.active--;
        this.#ask(backend);
        return;
      }
      log("warn", "a backend left without an answer", { backend: backend?.name ?? "" });
      this.#next("error", 502);
    } else if (this.#state === ANSWERING) {
      if (this.#response?.isEndless === true) this.#finish();
      else this.#break("the backend left in the middle of its answer");
    }
  }

  overdue(): void {
    log("warn", "a backend takes too long", { backend: this.#backend?.name ?? "" });
    if (this.#state === ANSWERING) this.#break("the backend says nothing");
    else this.#next("timeout", 504);
  }

  /** Asks the next server, or answers with `status`. */
  #next(why: string, status: number): void {
    this.#leaveBackend(true);
    const backend = this.#mayAskAgain(why) ? this.#choose() : null;
    if (backend === null) this.#fail(status, why);
    else this.#ask(backend);
  }

  #mayAskAgain(why: string): boolean {
    const { next, nextMs } = this.#asking.route.proxy;
    if (this.#state === OVER || this.#hasBegunBody || !next.has(why) || next.has("off")) return false;
    if (this.#isSent && !this.#isRepeatable && !next.has("non_idempotent")) return false;
    return nextMs === 0 || performance.now() - this.#beganMs < nextMs;
  }

  #leaveBackend(hasFailed: boolean): void {
    const [backend, connection] = [this.#backend, this.#connection];
    this.#backend = null;
    this.#connection = null;
    connection?.close();
    if (backend === null) return;
    backend.active--;
    if (hasFailed) backend.failed(performance.now());
  }

  #fail(status: number, why: string): void {
    if (this.#state === OVER) return;
    if (status === 502 || status === 504) log("error", "a request was not passed on", { status, why });
    this.#over();
    this.answer.resolve(errorPage(status));
  }

  #over(): void {
    this.#state = OVER;
    this.#asking.route.watch.remove(this);
    this.#leaveBackend(false);
    if (!this.#isBodyOver) this.#asking.body?.stop();
    this.#isBodyOver = true;
  }

  // --- the client's body
  // -----------------------------------------------------------------------------------------------------------

  add(bytes: Uint8Array, start: number, end: number): void {
    const connection = this.#connection;
    if (this.#state === OVER || connection === null || end === start) return;
    this.#bodyBytes += end - start;
    const { route, isChunked, body } = this.#asking;
    if (route.maxBodyBytes > 0 && this.#bodyBytes > route.maxBodyBytes) {
      this.#refuse(413);
      return;
    }
    let isTaken = true;
    if (isChunked) isTaken = connection.write(Buffer.from(`${(end - start).toString(16)}\r\n`));
    isTaken = connection.write(bytes.subarray(start, end)) && isTaken;
    if (isChunked) isTaken = connection.write(LINE_END) && isTaken;
    if (!isTaken) {
      body?.pause();
      this.#waitForBackend();
    }
  }

  whole(): void {
    if (this.#state === OVER) return;
    this.#isBodyOver = true;
    if (this.#asking.isChunked) this.#connection?.write(LAST_CHUNK);
    if (this.#state === ASKED) this.#waitForBackend();
  }

  failed(error: Error): void {
    if (this.#state !== OVER) this.#refuse(error instanceof RangeError ? 413 : 400);
  }

  /** What the client sends is at fault: the backend must not take what it has for the whole. */
  #refuse(status: number): void {
    if (this.#state === ANSWERING) this.#break("the client's body broke off");
    else this.#fail(status, "the client's body");
  }

  // --- the answer
  // ------------------------------------------------------------------------------------------------------------------

  received(bytes: Buffer): void {
    if (this.#state === ANSWERING) this.#take(bytes);
    else if (this.#state === ASKED) this.#readHead(bytes);
  }

  #readHead(bytes: Buffer): void {
    let input: Uint8Array = this.#input.length === 0 ? bytes : Buffer.concat([this.#input, bytes]);
    for (;;) {
      const head = parseResponseHead(input);
      if (head === null) {
        this.#input = input;
        this.#waitForBackend();
        return;
      }
      if (head === "bad") {
        log("error", "a backend's answer is malformed", { backend: this.#backend?.name ?? "" });
        this.#next("invalid_header", 502);
        return;
      }
      input = input.subarray(head.end);
      // 100 and 103 say that there is more to come (RFC 9110 15.2).
      if (head.status >= 200 || head.status === 101) {
        this.#answer(head, input);
        return;
      }
    }
  }

  #answer(head: ResponseHead, rest: Uint8Array): void {
    const { route, located } = this.#asking;
    if (head.status === 101) {
      this.#goOver(head, rest);
      return;
    }
    const again = `http_${head.status}`;
    if (this.#mayAskAgain(again)) {
      const other = this.#choose();
      if (other !== null) {
        this.#leaveBackend(true);
        this.#ask(other);
        return;
      }
    } else if (!route.proxy.next.has(again)) this.#backend?.worked();
    if (route.intercepts(head.status)) {
      this.#intercept(head);
      return;
    }
    if (route.isRedirectInside(head)) {
      this.#fail(502, "X-Accel-Redirect is not supported");
      return;
    }
    const fields = route.answerFields(head, located);
    const { status, reason } = head;
    this.#head = head;
    this.#state = ANSWERING;
    const hasBody = located.method !== "HEAD" && status !== 204 && status !== 304 && head.contentLength !== 0;
    if (!hasBody) {
      this.#release(rest.length === 0);
      this.answer.resolve(new PassedAnswer(status, reason, fields, null));
      return;
    }
    if (rest.length === head.contentLength && !head.isChunked) {
      // All of it is here, as nearly always.
      this.#release(true);
      this.answer.resolve(new PassedAnswer(status, reason, fields, rest as Uint8Array<ArrayBuffer>));
      return;
    }
    const response = new ResponseBody(head);
    this.#response = response;
    const piece = response.take(rest);
    if (piece === "bad") {
      this.#state = ASKED;
      this.#next("invalid_header", 502);
    } else if (response.isDone) {
      this.#release(!response.hasMore);
      this.answer.resolve(new PassedAnswer(status, reason, fields, new Uint8Array(piece ?? NOTHING)));
    } else {
      this.#early = piece;
      this.#waitForMore();
      this.answer.resolve(new PassedAnswer(status, reason, fields, this));
      // Somebody looks at the answer first.
      if (this.#sink === null && this.#state === ANSWERING) this.#pause();
    }
  }

  /** nginx: the challenge stays. */
  #intercept({ status, fields }: ResponseHead): void {
    const challenge = fields.filter(([, , name]) => status === 401 && name === "www-authenticate");
    this.#over();
    this.answer.resolve(
      errorPage(status, Object.fromEntries(challenge.map(([name, value]) => [name, value]))),
    );
  }

  #goOver(head: ResponseHead, rest: Uint8Array): void {
    const { route, wantsUpgrade } = this.#asking;
    const connection = this.#connection;
    const backend = this.#backend;
    if (!wantsUpgrade || !this.#isBodyOver || connection === null || backend === null) {
      this.#fail(502, "the backend changes the protocol, and nobody has asked for that");
      return;
    }
    // The tunnel has them now, and counts.
    this.#connection = null;
    this.#backend = null;
    this.#over();
    const answer = route.goOver(this.#asking, head, { connection, backend, early: rest });
    if (answer !== null) this.answer.resolve(answer);
  }

  #waitForMore(): void {
    const { proxy, watch } = this.#asking.route;
    this.dueMs = watch.dueIn(proxy.readMs);
  }

  /** The client is to be waited for, not the backend. */
  #pause(): void {
    this.#connection?.pause();
    this.dueMs = Number.POSITIVE_INFINITY;
  }

  #goOn(): void {
    if (this.#state !== ANSWERING || this.#isWhole) return;
    this.#connection?.resume();
    this.#waitForMore();
  }

  #take(bytes: Buffer): void {
    const response = this.#response;
    const piece = response === null ? "bad" : response.take(bytes);
    if (piece === "bad") {
      this.#break("the backend's answer is malformed");
      return;
    }
    this.#waitForMore();
    if (piece !== null) this.#give(piece);
    if (response?.isDone === true) this.#finish();
  }

  #give(piece: Uint8Array): void {
    if (this.#isDiscarding) return;
    const sink = this.#sink;
    if (sink === null) {
      this.#early = this.#early === null ? piece : Buffer.concat([this.#early, piece]);
      return;
    }
    const written = sink.write(piece);
    if (typeof written === "number") return;
    this.#pause();
    const goOn = (): void => this.#goOn();
    written.then(goOn, goOn);
  }

  #finish(): void {
    this.#release(this.#response?.hasMore === false && this.#response.isEndless === false);
    this.#isWhole = true;
    if (this.#sink !== null && this.#early === null) this.#end(this.#sink);
  }

  #end(sink: BreakableSink): void {
    this.#sink = null;
    own(sink.end());
  }

  /** The backend has done its part. */
  #release(isClean: boolean): void {
    const [connection, head] = [this.#connection, this.#head];
    const isKept = isClean && this.#isBodyOver && head?.isKept === true;
    this.#connection = null;
    this.#over();
    connection?.release(isKept);
  }

  /** The client must not take what it has for the whole. */
  #break(why: string): void {
    const sink = this.#sink;
    this.#over();
    this.#sink = null;
    this.#isWhole = false;
    log("warn", "an answer broke off", { why });
    if (sink !== null) own(sink.close(new Error(why)));
    else this.#isBroken = true;
  }

  // --- told by the client's side
  // ---------------------------------------------------------------------------------------------------

  /** Called once, when the head goes out. */
  pull(sink: BreakableSink): void {
    sink.start({ highWaterMark: 1 });
    if (this.#isBroken) {
      own(sink.close(new Error("the answer broke off")));
      return;
    }
    this.#sink = sink;
    const early = this.#early;
    this.#early = null;
    const written = early === null ? 0 : sink.write(early);
    if (this.#isWhole) {
      this.#end(sink);
      return;
    }
    if (typeof written === "number") this.#goOn();
    else {
      this.#pause();
      const goOn = (): void => this.#goOn();
      written.then(goOn, goOn);
    }
  }

  cancel(): void {
    this.clientLeft();
  }

  handleEvent(): void {
    this.clientLeft();
  }

  clientLeft(): void {
    this.#sink = null;
    if (this.#state === OVER) return;
    if (this.#asking.route.proxy.ignoresAbort) {
      this.#isDiscarding = true;
      this.#connection?.resume();
      return;
    }
    const isUnanswered = this.#state !== ANSWERING;
    this.#over();
    // nginx's number for it, which only logs see.
    if (isUnanswered) this.answer.resolve(errorPage(CLIENT_LEFT));
  }
}

function own(outcome: unknown): void {
  if (outcome instanceof Promise)
    outcome.catch((error: unknown) => log("debug", "a client left early", { error: String(error) }));
}
