/**
 * Answers of a cluster: whoever wants to make one has to have its lease in the engine beside its claim on
 * this machine (answers.ts), so that of two nodes that are asked one makes it, and the other one's clients
 * watch. The lease ends soon after its worker or node does: one node is told so, and writes the last word,
 * which reaches watchers on every node as all messages do. Owned by answers.ts.
 */
import { errorPage } from "../front/error-page.ts";
import { SERVER } from "../http/answer.ts";
import { Refusals } from "../http/errors.ts";
import type { Refusal } from "../http/refusal.ts";
import { log } from "../log.ts";
import type { Store } from "../store/store.ts";
import { hasBegun, hasEnded, isUnfinished } from "./answer-channel.ts";
import type { AskedAnswer } from "./answers.ts";
import { atHandler } from "./failure.ts";
import { RefusedError } from "./refused-error.ts";
import type { WatchedAnswer } from "./watched-answer.ts";

/** What the engine keeps for all nodes (cluster/answer-leases.ts, by way of app.ts). */
export interface AnswerLeases {
  ask(step: Step, names: readonly Uint8Array[], pid?: number): Promise<readonly Said[] | Refusal>;
}
type Step = "look" | "hold" | "end" | "off" | "bury" | "dead";
type Said = "none" | "made" | "ours" | "over" | "done";

/** The worker's own part of it. */
export interface LocalAnswers {
  /** Throws a RefusedError: this worker makes too many, or is about to leave. */
  mayBegin(): void;
  claim(channel: string): boolean;
  unclaim(channel: string): void;
  /** Somebody on this machine has the claim; one of a dead worker is taken away. */
  isClaimed(channel: string, name: Uint8Array): boolean;
  start(asked: AskedAnswer, name: Uint8Array): void;
  /** Ends it if this worker makes it; whoever calls that has told why. */
  stop(channel: string): void;
  watch(asked: AskedAnswer, name: Uint8Array): WatchedAnswer | Response;
  tell(name: Uint8Array, why: string): void;
}

const GONE = "the node that made this answer is gone";
/** For a node that has not read so far yet: a few seconds, then its client has to ask again. */
const TRIES = 30;
const AGAIN_MS = 100;

const refused = (refusal: Refusal): RefusedError => atHandler(new RefusedError(refusal));

export class ClusteredAnswers {
  readonly #leases: AnswerLeases;
  readonly #local: LocalAnswers;
  readonly #store: Store;
  #isLooking = false;

  constructor(leases: AnswerLeases, local: LocalAnswers, store: Store) {
    this.#leases = leases;
    this.#local = local;
    this.#store = store;
  }

  /** Rejects with a RefusedError. */
  async ask(asked: AskedAnswer, name: Uint8Array): Promise<WatchedAnswer | Response> {
    if (asked.method === "DELETE") return await this.#callOff(asked.channel, name);
    for (let tries = 0; tries < TRIES; tries++) {
      const outcome = await this.#begin(asked, name);
      if (outcome !== "again") return outcome ?? this.#local.watch(asked, name);
      await Bun.sleep(AGAIN_MS);
    }
    throw refused(Refusals.nodeBehind);
  }

  /** null: it is there, or is being made. "again": this node has not heard of all that was yet. */
  async #begin(asked: AskedAnswer, name: Uint8Array): Promise<Response | null | "again"> {
    const { channel, source, position } = asked;
    const local = this.#local;
    const store = this.#store;
    if (local.isClaimed(channel, name)) return null;
    if (hasBegun(store, name)) {
      if (isUnfinished(store, name)) this.#buried(await this.#one("bury", name), name);
      return null;
    }
    if (source === null || position !== null) {
      const said = await this.#one("look", name);
      return said === "none" ? errorPage(404) : said === "over" ? "again" : null;
    }
    local.mayBegin();
    return local.claim(channel) ? await this.#hold(asked, name) : "again";
  }

  async #hold(asked: AskedAnswer, name: Uint8Array): Promise<null | "again"> {
    const local = this.#local;
    let isStarted = false;
    try {
      const said = await this.#one("hold", name);
      if (said !== "ours") return said === "over" ? "again" : null;
      // All of it may have been made before, and come to this node meanwhile.
      if (!hasBegun(this.#store, name)) {
        local.start(asked, name);
        isStarted = true;
        return null;
      }
      return "again";
    } finally {
      if (!isStarted) {
        local.unclaim(asked.channel);
        void this.#leases.ask("end", [name]);
      }
    }
  }

  async #callOff(channel: string, name: Uint8Array): Promise<Response> {
    if ((await this.#one("off", name)) !== "done") return errorPage(404);
    this.#local.tell(name, "the answer was called off");
    this.#local.stop(channel);
    return new Response(null, { status: 204, headers: SERVER });
  }

  /** It is made no more: whoever comes now is to wait for what was. */
  over(name: Uint8Array): void {
    void this.#leases.ask("end", [name]);
  }

  /** Of a worker of this node that has died. Its lease would end by itself, later. */
  async workerDied(name: Uint8Array, pid: number, why: string): Promise<void> {
    const said = await this.#leases.ask("dead", [name], pid);
    if ("code" in said || said[0] !== "done") return;
    this.#local.tell(name, why);
  }

  /** Once a second: keeps what this worker makes, and looks whether those that it watches are still made. */
  look(made: ReadonlyMap<string, Uint8Array>, watched: readonly Uint8Array[]): void {
    if (this.#isLooking) return;
    this.#isLooking = true;
    void this.#look(made, watched).finally(() => {
      this.#isLooking = false;
    });
  }

  async #look(made: ReadonlyMap<string, Uint8Array>, watched: readonly Uint8Array[]): Promise<void> {
    const own = [...made];
    const held = await this.#leases.ask(
      "hold",
      own.map(([, name]) => name),
    );
    if ("code" in held) return this.#notAnswered(held);
    // Called off elsewhere, or taken for dead: that was told.
    for (const [at, [channel]] of own.entries()) if (held[at] !== "ours") this.#local.stop(channel);
    // Also what died before its first piece, or of which an engine that came back empty left nothing.
    const unfinished = watched.filter((name) => !hasEnded(this.#store, name));
    const said = await this.#leases.ask("bury", unfinished);
    if ("code" in said) return this.#notAnswered(said);
    for (const [at, name] of unfinished.entries()) this.#buried(said[at], name);
  }

  #buried(said: Said | undefined, name: Uint8Array): void {
    if (said === "done") this.#local.tell(name, GONE);
  }

  #notAnswered({ code }: Refusal): void {
    log("debug", "the engine does not say who makes which answer", { code });
  }

  async #one(step: Step, name: Uint8Array): Promise<Said | undefined> {
    const said = await this.#leases.ask(step, [name]);
    if ("code" in said) throw refused(said);
    return said[0];
  }
}
