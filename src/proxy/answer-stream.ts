/**
 * The body of a backend's answer on its way to the client, as fast as the client reads it. Made by pass.ts
 * for an answer that is not all here with its head: from then on it is the user of the connection to the
 * backend. Pulled by the door that serves the client.
 */
import type { BreakableSink, PulledStream } from "../http/direct-answer.ts";
import { log } from "../log.ts";
import type { BackendConnection, ConnectionUser } from "./backend-connection.ts";
import type { ResponseBody } from "./response-body.ts";
import type { Route } from "./route.ts";
import type { Dated } from "./watch.ts";

/** Whose answer it is. */
export interface AnswerOwner {
  /** Nothing more of it comes. `isClean`: its end was told, and nothing came behind. */
  answerOver(isClean: boolean): void;
  /** The backend takes more of the client's body. */
  drained(): void;
  /** The client has left. */
  cancel(): void;
}

export class AnswerStream implements PulledStream, ConnectionUser, Dated {
  readonly type = "direct";
  dueMs = Number.POSITIVE_INFINITY;
  /** Two deadlines, of which neither lifts the other: by when it has to say something … */
  #sayMs = Number.POSITIVE_INFINITY;
  /** … and to take something of the client's body; Infinity while it does. */
  #takeMs = Number.POSITIVE_INFINITY;
  readonly #owner: AnswerOwner;
  readonly #route: Route;
  readonly #body: ResponseBody;
  readonly #connection: BackendConnection | null;
  #sink: BreakableSink | null = null;
  /** Of the body, before anybody took it. */
  #early: Uint8Array | null;
  /** Nothing more is awaited of the backend. */
  #isOver = false;
  #isWhole = false;
  /** Before anybody took the answer. */
  #isBroken = false;
  #isDiscarding = false;

  constructor(
    owner: AnswerOwner,
    route: Route,
    body: ResponseBody,
    early: Uint8Array | null,
    connection: BackendConnection | null,
  ) {
    this.#owner = owner;
    this.#route = route;
    this.#body = body;
    this.#early = early;
    this.#connection = connection;
    if (connection !== null) connection.user = this;
    route.watch.add(this);
    this.#wait();
    // Its head may come while it takes nothing.
    if (connection?.isStalled === true) this.bodyStalled();
  }

  /** The answer was handed over, and nobody has pulled it at once: somebody looks at it first. */
  handedOver(): void {
    if (this.#sink === null) this.#pause();
  }

  #wait(): void {
    this.#due(this.#route.watch.dueIn(this.#route.proxy.readMs), this.#takeMs);
  }

  #due(sayMs: number, takeMs: number): void {
    this.#sayMs = sayMs;
    this.#takeMs = takeMs;
    this.dueMs = Math.min(sayMs, takeMs);
  }

  /** The client is to be waited for, not the backend. */
  #pause(): void {
    if (this.#isOver || this.#isDiscarding) return;
    this.#connection?.pause();
    this.#due(Number.POSITIVE_INFINITY, this.#takeMs);
  }

  #goOn(): void {
    if (this.#isOver) return;
    this.#connection?.resume();
    this.#wait();
  }

  // --- told by the connection to the backend ---------------------------------------------------------------

  received(bytes: Buffer): void {
    const piece = this.#body.take(bytes);
    if (piece === "bad") {
      this.break("the backend's answer is malformed");
      return;
    }
    this.#wait();
    if (piece !== null && !this.#isDiscarding) this.#give(piece);
    if (this.#body.isDone) this.#finish();
  }

  closed(): void {
    if (this.#body.isEndless) this.#finish();
    else this.break("the backend left in the middle of its answer");
  }

  refused(error: unknown): void {
    this.break(String(error));
  }

  opened(): void {
    // it was open before
  }

  drained(): void {
    this.#due(this.#sayMs, Number.POSITIVE_INFINITY);
    this.#owner.drained();
  }

  overdue(): void {
    this.break(`the backend ${this.#takeMs < this.#sayMs ? "takes" : "says"} nothing`);
  }

  // --- told by whoever asked -------------------------------------------------------------------------------

  /** The backend does not take the client's body. */
  bodyStalled(): void {
    this.#due(this.#sayMs, this.#route.watch.dueIn(this.#route.proxy.sendMs));
  }

  /** The client is gone, and the backend is to say all it has to say. */
  discard(): void {
    this.#isDiscarding = true;
    this.#connection?.resume();
  }

  /** Nobody reads any more. */
  leave(): void {
    this.#sink = null;
  }

  stop(): void {
    this.#isOver = true;
    this.#route.watch.remove(this);
  }

  /** The client must not take what it has for the whole. */
  break(why: string): void {
    const sink = this.#sink;
    this.#sink = null;
    log("warn", "an answer broke off", { why });
    this.#owner.answerOver(false);
    if (sink !== null) own(sink.close(new Error(why)));
    else this.#isBroken = true;
  }

  // --- to the client ---------------------------------------------------------------------------------------

  #give(piece: Uint8Array): void {
    if (this.#sink === null) this.#early = this.#early === null ? piece : Buffer.concat([this.#early, piece]);
    else this.#write(this.#sink, piece);
  }

  /** True: the client takes more. */
  #write(sink: BreakableSink, piece: Uint8Array): boolean {
    const written = sink.write(piece);
    if (typeof written === "number") return true;
    this.#pause();
    const goOn = (): void => this.#goOn();
    written.then(goOn, goOn);
    return false;
  }

  #finish(): void {
    this.#owner.answerOver(!this.#body.hasMore && !this.#body.isEndless);
    this.#isWhole = true;
    if (this.#sink !== null && this.#early === null) this.#end(this.#sink);
  }

  #end(sink: BreakableSink): void {
    this.#sink = null;
    own(sink.end());
  }

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
    const takesMore = early === null || this.#write(sink, early);
    if (this.#isWhole) this.#end(sink);
    else if (takesMore) this.#goOn();
  }

  cancel(): void {
    this.#owner.cancel();
  }
}

function own(outcome: unknown): void {
  if (outcome instanceof Promise)
    outcome.catch((error: unknown) => log("debug", "a client left early", { error: String(error) }));
}
