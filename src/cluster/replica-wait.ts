/**
 * `[cluster] ack = "replica"`: what the engine took is answered when one of its replicas has it as well, with
 * WAIT. Used by publisher.ts.
 *
 * WAIT holds up its whole connection, and asks for all that was written on it before: so there is one at a
 * time, behind everything that left in a turn, and what comes meanwhile leaves together when it is over.
 */
import type { Calls } from "./engine-connection.ts";
import type { Answer, Request } from "./request.ts";

/** A replica that follows answers in less than a millisecond and the time on the wire. */
const REPLICA_MS = 100;

export class ReplicaWait {
  readonly #answer: (request: Request, answer: Answer) => void;
  #held: (readonly [Request, Answer])[] = [];
  #isWaiting = false;

  constructor(answer: (request: Request, answer: Answer) => void) {
    this.#answer = answer;
  }

  get isWaiting(): boolean {
    return this.#isWaiting;
  }

  /** False: nobody waits for a replica to have that. */
  hold(request: Request, answer: Answer): boolean {
    if (!this.#isWaiting || answer.kind !== "accepted" || !request.isWaitedFor) return false;
    this.#held.push([request, answer]);
    return true;
  }

  /** Resolves when everything that was written before has its answer. */
  async wait(redis: Calls): Promise<void> {
    this.#isWaiting = true;
    let replicas = 0;
    try {
      replicas = Number(await redis.call("WAIT", "1", String(REPLICA_MS)));
    } catch {
      // The connection ended: whether a replica has it cannot be asked any more.
    }
    const held = this.#held;
    this.#held = [];
    this.#isWaiting = false;
    for (const [request, answer] of held)
      this.#answer(request, replicas > 0 ? answer : { kind: "unreplicated" });
  }
}
