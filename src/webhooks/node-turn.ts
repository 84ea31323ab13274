/**
 * In a cluster every node notes the same events, in its own store, and one node sends: whose turn it is, and
 * how far each webhook was told, is in the engine. The others follow what it says, so that whoever takes over
 * goes on a few seconds before the place where the last one stopped.
 *
 * A place that another node says is a time, the engine's, because ids are each node's own. Who joined a
 * channel on one node is heard of on the others within two seconds; SLACK_SEC is more than that. So a node
 * that dies costs a few seconds of events that are told twice, and none.
 *
 * Whose connections ended with an earlier life of this node the others have noted, and this one has not: so
 * when it is started anew while that turn still counts, another node goes first.
 */
import { causeOf, log } from "../log.ts";
import type { Followed } from "./follow.ts";

/** What the engine keeps for all nodes; implemented by cluster/webhook-lease.ts. */
export interface Elsewhere {
  readonly node: string;
  exchange(
    forMs: number,
    places: ReadonlyMap<string, string>,
  ): Promise<{
    readonly isOurs: boolean;
    /** It is still that of an earlier life of this node. */
    readonly isFormers: boolean;
    readonly places: ReadonlyMap<string, string>;
  }>;
  stop(): void;
}

const TURN_MS = 4000;
/** It is over a little earlier than the engine says. */
const MARGIN_MS = 1000;
const ASK_MS = 500;
const SAY_AGAIN_MS = 60_000;
/** So long all others had time to take a turn that nobody has. */
const YIELD_MS = TURN_MS + 3 * ASK_MS;

export class NodeTurn {
  readonly #elsewhere: Elsewhere;
  readonly #follow: (name: string, place: Followed) => void;
  /** What is to be said of each webhook. */
  readonly #places = new Map<string, string>();
  #untilMs = Number.NEGATIVE_INFINITY;
  #nextMs = 0;
  #yieldUntilMs = Number.NEGATIVE_INFINITY;
  #isAsking = false;
  #wasOurs = false;
  #saidMs = Number.NEGATIVE_INFINITY;

  /** `follow`: another node was here with this webhook. */
  constructor(elsewhere: Elsewhere, follow: (name: string, place: Followed) => void) {
    this.#elsewhere = elsewhere;
    this.#follow = follow;
  }

  /** Whether this node sends; performance.now(). */
  isOurs(nowMs: number): boolean {
    return nowMs < this.#untilMs;
  }

  /** Everything up to this id, which was noted at that second, was told. */
  say(name: string, id: number, sec: number): void {
    this.#places.set(name, `${this.#elsewhere.node} ${id} ${sec}`);
  }

  /** Called often; asks when it is time. */
  look(nowMs: number): void {
    if (this.#isAsking || nowMs < this.#nextMs) return;
    this.#isAsking = true;
    this.#nextMs = nowMs + ASK_MS;
    const said = new Map(this.isOurs(nowMs) ? this.#places : []);
    this.#elsewhere.exchange(nowMs < this.#yieldUntilMs ? 0 : TURN_MS, said).then(
      ({ isOurs, isFormers, places }) => {
        if (isFormers && this.#yieldUntilMs === Number.NEGATIVE_INFINITY)
          this.#yieldUntilMs = nowMs + YIELD_MS;
        this.#answered(nowMs, isOurs, places);
      },
      // The turn ends by itself.
      (error: unknown) => this.#unheard(error),
    );
  }

  #answered(askedMs: number, isOurs: boolean, places: ReadonlyMap<string, string>): void {
    this.#isAsking = false;
    const wasOurs = this.isOurs(performance.now());
    if (!wasOurs) {
      this.#places.clear();
      for (const [name, text] of places) this.#follow(name, this.#read(text));
    }
    this.#untilMs = isOurs ? askedMs + TURN_MS - MARGIN_MS : Number.NEGATIVE_INFINITY;
    if (isOurs === this.#wasOurs) return;
    this.#wasOurs = isOurs;
    log("info", isOurs ? "this node tells webhooks" : "another node tells webhooks");
  }

  /** A line a minute says as much as hundreds. */
  #unheard(error: unknown): void {
    this.#isAsking = false;
    const nowMs = performance.now();
    if (nowMs - this.#saidMs < SAY_AGAIN_MS) return;
    this.#saidMs = nowMs;
    log("warn", "webhooks wait: the engine does not say whose turn it is", { why: causeOf(error) });
  }

  #read(text: string): Followed {
    const [node, id, sec] = text.split(" ");
    return { isOwn: node === this.#elsewhere.node, id: Number(id), sec: Number(sec) };
  }

  stop(): void {
    this.#untilMs = Number.NEGATIVE_INFINITY;
    this.#elsewhere.stop();
  }
}
