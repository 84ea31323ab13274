/**
 * One answer being made by this worker: takes what the generator yields and publishes it to the answer's
 * channel, however many watch. It ends with the generator, with an error, when it was called off, when nobody
 * has watched for `answer_linger`, or with its worker; each of these is told by a last message
 * (answer-format.ts). Owned by answers.ts.
 *
 * A generator cannot be stopped in the middle of an `await`: its `signal` aborts, nothing of it is taken any
 * more, and its `finally` runs when it comes to itself.
 */
import type { AnswerPiece, AnswerSource } from "sluice";
import type { Refusal } from "../http/refusal.ts";
import { type Ingest, ingestPatiently, type Target } from "../publish/ingest.ts";
import { answerFormat, END, ERROR, RESET } from "./answer-format.ts";
import { Ending } from "./ending.ts";
import { isPromise, logFailure } from "./failure.ts";
import { closePieces, type Pieces } from "./generated-body.ts";
import type { HandlerHost } from "./host.ts";
import { dataBytes, eventName } from "./publishing.ts";
import { Task } from "./task.ts";

/** Pieces that come without a pause are taken in turns of so many: others want the event loop, too. */
const PIECES_A_TURN = 32;
const RESERVED: readonly unknown[] = [END, ERROR, RESET];

export interface Making {
  readonly host: HandlerHost;
  readonly file: string;
  readonly target: Target;
  readonly source: AnswerSource;
  readonly lingerMs: number;
  readonly maxBytes: number;
  /** False: another worker has called it off. */
  readonly isWanted: () => boolean;
  /** Called once, behind the last message. */
  readonly over: () => void;
}

export class RunningAnswer {
  readonly target: Target;
  readonly #making: Making;
  readonly #task: Task;
  readonly #targets: readonly Target[];
  readonly #incarnation: number;
  /** The worker's, but for what is told of a piece that came in. */
  readonly #inlet: Ingest;
  /** The piece that is being put in, where it is data alone. */
  #inHand: Uint8Array | null = null;
  #pieces: Pieces | null = null;
  #bytes = 0;
  #isOver = false;
  /** When somebody was last seen to watch. */
  #watchedMs = performance.now();

  constructor(making: Making) {
    this.#making = making;
    this.target = making.target;
    this.#targets = [this.target];
    this.#incarnation = making.target.incarnation;
    this.#inlet = { ...making.host.ingest, published: () => this.#published() };
    this.#task = new Task(making.host, making.file);
    // Its first message comes behind the answer to whoever began it.
    queueMicrotask(() => void this.#run());
  }

  /** Once a second. */
  look(nowMs: number): void {
    const { host, lingerMs } = this.#making;
    if (!this.#isThere()) this.stop("the answer was deleted");
    else if (!this.#making.isWanted()) this.stop(null);
    else if (host.ingest.store.subscribers.countOf(this.target.index) > 0) this.#watchedMs = nowMs;
    else if (nowMs - this.#watchedMs >= lingerMs) this.stop("nobody watched it any more");
  }

  /** Ends it from outside; said to those who watch unless somebody else has done that. */
  stop(why: string | null): void {
    void this.#end(why === null ? null : ERROR, why ?? "");
  }

  async #run(): Promise<void> {
    try {
      const pieces = piecesOf(this.#making.source, this.#task);
      this.#pieces = pieces;
      for (let taken = 1; !this.#isOver; taken++) {
        const next = pieces.next();
        const step = isPromise(next) ? await next : next;
        if (this.#isOver) break;
        if (step.done === true) {
          await this.#end(END, "done");
          break;
        }
        const published = this.#publish(step.value);
        // On one machine it is in: no turn is lost, and no promise made.
        const refusal = isPromise(published) ? await published : published;
        if (refusal !== null) await this.#end(ERROR, refusal);
        if (taken % PIECES_A_TURN === 0) await nextTurn();
      }
    } catch (error) {
      await this.#failed(error);
    }
    if (this.#pieces !== null) closePieces(this.#pieces, (error) => this.#late(error));
  }

  /** null: it is in. */
  #publish(piece: unknown): string | null | Promise<string | null> {
    const { data, event } = readPiece(piece);
    if (data.length === 0) return null;
    if (!this.#isThere()) return "the answer was deleted";
    if (this.#isDisturbed() && !this.#making.isWanted()) {
      // Whoever called it off has said so.
      this.stop(null);
      return null;
    }
    this.#bytes += data.length;
    const { maxBytes } = this.#making;
    if (this.#bytes > maxBytes) return `the answer is larger than ${maxBytes} bytes`;
    const eventType = eventName(event);
    const draft = { data, eventId: null, eventType, stored: true };
    // Text has bytes of its own; those of a handler may be others by the end of the turn.
    this.#inHand = typeof piece === "string" ? data : null;
    const refusal = ingestPatiently(this.#inlet, this.#targets, draft, Date.now(), draft);
    return refusal instanceof Promise ? refusal.then(sentenceOf) : sentenceOf(refusal);
  }

  /** It is in the store: whoever watches it here may be given it without reading it there. */
  #published(): void {
    const { fanout, ingest } = this.#making.host;
    const data = this.#inHand;
    this.#inHand = null;
    // A disk is told by `published`.
    if (data === null || ingest.onDisk !== null) ingest.published();
    else fanout.publishedInHand(this.target, { id: this.target.lastId, data, format: answerFormat });
  }

  /**
   * Somebody else has put something in: the last word, as nobody else writes here. Whoever calls it off takes
   * the claim away first, so what comes in between is caught by the next look. Asking for the claim itself
   * would be a twentieth of what a piece costs.
   */
  #isDisturbed(): boolean {
    const { store } = this.#making.host.ingest;
    const { index, lastId } = this.target;
    return store.isClustered || store.publishedCount(index) !== lastId;
  }

  /** A channel that was deleted, or given up, is another's by now. */
  #isThere(): boolean {
    return this.#making.host.ingest.store.isLive(this.target.index, this.#incarnation);
  }

  async #end(event: string | null, text: string): Promise<void> {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#task.finish(event === END ? Ending.done : Ending.calledOff);
    if (event !== null && this.#isThere()) await tell(this.#making.host, this.target, event, text);
    this.#making.over();
    if (event !== END && this.#pieces !== null) closePieces(this.#pieces, (error) => this.#late(error));
  }

  async #failed(error: unknown): Promise<void> {
    if (this.#isOver) {
      this.#late(error);
      return;
    }
    const id = logFailure({ file: this.#making.file, what: "answer" }, error);
    await this.#end(ERROR, `the handler failed (id ${id})`);
  }

  #late(error: unknown): void {
    if (!this.#task.isEnding(error)) logFailure({ file: this.#making.file, what: "answer" }, error);
  }
}

/** The last word of an answer, also of one whose worker is gone. */
export async function tell(host: HandlerHost, target: Target, event: string, text: string): Promise<void> {
  const draft = { data: Buffer.from(text), eventId: null, eventType: Buffer.from(event), stored: true };
  await ingestPatiently(host.ingest, [target], draft, Date.now(), draft);
}

const sentenceOf = (refusal: Refusal | null): string | null =>
  refusal === null ? null : (refusal.explain ?? refusal.code);

function piecesOf(source: AnswerSource, task: Task): Pieces {
  const made: unknown = typeof source === "function" ? source(task) : source;
  for (const kind of [Symbol.asyncIterator, Symbol.iterator]) {
    const begin: unknown = typeof made === "object" && made !== null ? Reflect.get(made, kind) : undefined;
    if (typeof begin === "function") return Reflect.apply(begin, made, []) as Pieces;
  }
  throw new TypeError("an answer is made by an async generator, or a function that gives one");
}

function readPiece(piece: unknown): { readonly data: Uint8Array; readonly event: string | undefined } {
  if (typeof piece === "string" || piece instanceof Uint8Array)
    return { data: dataBytes(piece), event: undefined };
  if (typeof piece !== "object" || piece === null)
    throw new TypeError(
      `an answer yields text, bytes or { event, data }, not ${piece === null ? "null" : typeof piece}`,
    );
  const { data, event } = piece as Partial<Extract<AnswerPiece, { data: unknown }>>;
  // A stream leaves line breaks out of it, which would make another name of it.
  if (typeof event === "string" && /[\r\n]/.test(event))
    throw new TypeError("the name of an event has no line breaks");
  if (RESERVED.includes(event)) throw new TypeError(`the event "${event}" is sluice's own`);
  return { data: dataBytes(data), event };
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
