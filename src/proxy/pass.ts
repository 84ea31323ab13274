/**
 * One request under way to a backend, and its answer on the way back. Made by endpoint.ts; it is the user of
 * the connection to the backend. Which server is next, attempts.ts knows; a body that comes in pieces is
 * client-body.ts, an answer that does is answer-stream.ts: most requests have neither.
 *
 *   CONNECTING ──opened──► ASKED ──head──► ANSWERING ──end──► OVER   nothing is kept whole: who is slow here
 *       │ ▲                 │                                      stops the other side
 *       └─┴── next server ──┘  while the client has got nothing
 */

import { errorPage } from "../front/error-page.ts";
import { LaterAnswer, PassedAnswer } from "../http/direct-answer.ts";
import type { Gone } from "../http/incoming.ts";
import { log } from "../log.ts";
import { type AnswerOwner, AnswerStream } from "./answer-stream.ts";
import type { Asking } from "./asking.ts";
import { Attempts } from "./attempts.ts";
import type { Backend } from "./backend.ts";
import type { BackendConnection, ConnectionUser } from "./backend-connection.ts";
import { type BodyOwner, ClientBody } from "./client-body.ts";
import { bodyHere, ResponseBody } from "./response-body.ts";
import { type ResponseHead, ResponseHeadReader } from "./response-head.ts";
import type { Dated } from "./watch.ts";

const CONNECTING = 0;
const ASKED = 1;
const ANSWERING = 2;
const OVER = 3;

const MALFORMED = "a backend's answer is malformed";
const CLIENT_LEFT = 499;

export class Pass implements ConnectionUser, BodyOwner, AnswerOwner, Gone, EventListenerObject, Dated {
  readonly answer = new LaterAnswer();
  dueMs = Number.POSITIVE_INFINITY;
  readonly #asking: Asking;
  readonly #attempts: Attempts;
  /** null: all of it was here at the start. */
  readonly #body: ClientBody | null;
  readonly #headReader = new ResponseHeadReader();
  #here: Uint8Array;
  #state = CONNECTING;
  /** The connection was idle before: it may have gone stale meanwhile. */
  #isReused = false;
  /** The connection may carry another request when the answer is whole. */
  #isKept = false;
  /** null: all of the answer was here with its head, or nothing is yet. */
  #stream: AnswerStream | null = null;
  #isDiscarding = false;

  constructor(asking: Asking) {
    const { body, isChunked, here, route } = asking;
    this.#asking = asking;
    this.#attempts = new Attempts(asking);
    this.#body = body === null ? null : new ClientBody(body, this, isChunked, route.maxBodyBytes);
    this.#here = here;
  }

  begin(): LaterAnswer {
    const { located, route } = this.#asking;
    located.whenGone(this);
    route.watch.add(this);
    const backend = this.#attempts.choose();
    if (backend === null) this.#fail(502, "no server of the upstream is left");
    else this.#ask(backend);
    return this.answer;
  }

  // --- to a backend ----------------------------------------------------------------------------------------

  #ask(backend: Backend): void {
    const { proxy, watch } = this.#asking.route;
    this.#attempts.begin(backend);
    this.#state = CONNECTING;
    this.#isReused = false;
    this.dueMs = watch.dueIn(proxy.connectMs);
    const idle = this.#asking.wantsUpgrade ? null : backend.takeIdle(this.#attempts.isRepeatable);
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

  opened(connection: BackendConnection): void {
    if (this.#state !== CONNECTING) {
      connection.close();
      return;
    }
    this.#attempts.opened(connection);
    this.#state = ASKED;
    this.#headReader.begin();
    const isTaken = connection.ask(this.#asking.head, this.#here);
    // Another server may have to be asked.
    this.#keepBody();
    this.#waitForBackend();
    this.#body?.begin(isTaken);
  }

  #waitForBackend(): void {
    const { proxy, watch } = this.#asking.route;
    const isSending = this.#attempts.connection?.isStalled === true;
    // While the client takes its time with its body, nobody waits for an answer.
    this.dueMs =
      isSending || this.#body?.isOver !== false
        ? watch.dueIn(isSending ? proxy.sendMs : proxy.readMs)
        : Number.POSITIVE_INFINITY;
  }

  refused(error: unknown): void {
    if (this.#state === OVER) return;
    this.#next(`a backend cannot be reached: ${error}`, "error", 502);
  }

  drained(): void {
    this.#body?.resume();
    if (this.#state === ASKED) this.#waitForBackend();
  }

  closed(): void {
    this.#attempts.connection = null;
    // In the middle of a handshake.
    if (this.#state === CONNECTING) this.refused(new Error("it closed the connection"));
    else if (this.#state === ASKED) this.#leftUnanswered();
  }

  #leftUnanswered(): void {
    const { backend, isRepeatable } = this.#attempts;
    // It had been closed before the request came to it. Its server has not failed.
    if (this.#isReused && isRepeatable && this.#body?.hasBegun !== true && backend !== null) {
      this.#attempts.leave(false);
      this.#ask(backend);
      return;
    }
    this.#next("a backend left without an answer", "error", 502);
  }

  overdue(): void {
    this.#next("a backend takes too long", "timeout", 504);
  }

  /** Asks the next server, if `why` (a word of proxy_next_upstream) lets it, or answers with `status`. */
  #next(told: string, why: string, status: number): void {
    log("warn", told, { backend: this.#attempts.name });
    this.#attempts.leave(true);
    const backend = this.#mayAskAgain(why) ? this.#attempts.choose() : null;
    if (backend === null) this.#fail(status, why);
    else this.#ask(backend);
  }

  #mayAskAgain(why: string): boolean {
    return this.#state !== OVER && this.#attempts.mayAskAgain(why, this.#body?.hasBegun === true);
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
    this.#attempts.leave(false);
    this.#body?.stop();
    this.#stream?.stop();
  }

  // --- the client's body -----------------------------------------------------------------------------------

  get bodyConnection(): BackendConnection | null {
    return this.#attempts.connection;
  }

  bodyStalled(): void {
    if (this.#stream === null) this.#waitForBackend();
    else this.#stream.bodyStalled();
  }

  bodySent(): void {
    if (this.#state === ASKED) this.#waitForBackend();
  }

  /** What the client sends is at fault: the backend must not take what it has for the whole. */
  bodyRefused(status: number): void {
    if (this.#stream !== null) this.#stream.break("the client's body broke off");
    else this.#fail(status, "the client's body");
  }

  // --- the answer ------------------------------------------------------------------------------------------

  received(bytes: Buffer): void {
    if (this.#state !== ASKED) return;
    const head = this.#headReader.take(bytes);
    if (head === null) this.#waitForBackend();
    else if (head === "bad") this.#next(MALFORMED, "invalid_header", 502);
    else this.#answer(head, this.#headReader.rest);
  }

  #answer(head: ResponseHead, rest: Uint8Array): void {
    const { route } = this.#asking;
    if (head.status === 101) {
      this.#goOver(head, rest);
      return;
    }
    const again = `http_${head.status}`;
    if (this.#mayAskAgain(again)) {
      const other = this.#attempts.choose();
      if (other !== null) {
        this.#attempts.leave(true);
        this.#ask(other);
        return;
      }
    } else if (!route.proxy.next.has(again)) this.#attempts.backend?.worked();
    const page = route.pageFor(head);
    if (page !== null) {
      this.#over();
      this.answer.resolve(page);
    } else if (route.isRedirectInside(head)) {
      this.#fail(502, "X-Accel-Redirect is not supported");
    } else this.#passOn(head, rest);
  }

  #passOn(head: ResponseHead, rest: Uint8Array): void {
    const { route, located } = this.#asking;
    const fields = route.answerFields(head, located);
    const { status, reason } = head;
    this.#isKept = head.isKept;
    this.#state = ANSWERING;
    const here = bodyHere(head, located.method, rest);
    if (here !== undefined) {
      this.answerOver(here !== null || rest.length === 0);
      this.answer.resolve(new PassedAnswer(status, reason, fields, here));
      return;
    }
    const response = new ResponseBody(head);
    const piece = response.take(rest);
    if (piece === "bad") {
      this.#state = ASKED;
      this.#next(MALFORMED, "invalid_header", 502);
    } else if (response.isDone) {
      this.answerOver(!response.hasMore);
      this.answer.resolve(new PassedAnswer(status, reason, fields, new Uint8Array(piece ?? [])));
    } else {
      route.watch.remove(this);
      const stream = new AnswerStream(this, route, response, piece, this.#attempts.connection);
      this.#stream = stream;
      if (this.#isDiscarding) stream.discard();
      this.answer.resolve(new PassedAnswer(status, reason, fields, stream));
      stream.handedOver();
    }
  }

  #goOver(head: ResponseHead, rest: Uint8Array): void {
    const { route, wantsUpgrade } = this.#asking;
    const taken = wantsUpgrade && this.#body?.isOver !== false ? this.#attempts.handOver() : null;
    if (taken === null) {
      this.#fail(502, "the backend changes the protocol, and nobody has asked for that");
      return;
    }
    this.#over();
    const answer = route.goOver(this.#asking, head, { ...taken, early: rest });
    if (answer !== null) this.answer.resolve(answer);
  }

  /** The backend has done its part. */
  answerOver(isClean: boolean): void {
    const { connection } = this.#attempts;
    this.#attempts.connection = null;
    this.#over();
    connection?.release(isClean && this.#isKept && this.#body?.isOver !== false);
  }

  handleEvent(): void {
    this.cancel();
  }

  cancel(): void {
    this.#stream?.leave();
    if (this.#state === OVER) return;
    if (this.#asking.route.proxy.ignoresAbort) {
      this.#isDiscarding = true;
      this.#stream?.discard();
      return;
    }
    const isUnanswered = this.#state !== ANSWERING;
    this.#over();
    // nginx's number for it, which only logs see.
    if (isUnanswered) this.answer.resolve(errorPage(CLIENT_LEFT));
  }
}
