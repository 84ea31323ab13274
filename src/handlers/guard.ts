/**
 * `authorize` of publisher, subscriber, file and handler locations: asked for each request before its role
 * is. Called by app.ts at the entrance, after access rules and passwords. Whatever goes wrong in it, nobody
 * is let in. guarded-location.ts asks, authorization.ts reads what was said.
 */
import type { AuthorizeContext } from "sluice";
import type { LocatedRequest } from "../config/location/located-request.ts";
import type { LocationConfig } from "../config/model.ts";
import type { AddressSource } from "../config/server/door.ts";
import type { Answer } from "../http/direct-answer.ts";
import type { Incoming } from "../http/incoming.ts";
import type { Refusal } from "../http/refusal.ts";
import { GuardedLocation, type Refused } from "./guarded-location.ts";
import type { HandlerHost } from "./host.ts";

/** Carries on with the request, which was let in: the role answers, and the answer is finished. */
export type Resume = () => Answer | Promise<Answer>;

/**
 * Refuses a WebSocket in its own words, when the request asks for one; null: it does not. Theirs is not the
 * role that would have answered: nothing that is refused goes on to it.
 */
export type RefuseSocket = (
  located: LocatedRequest,
  refusal: Refusal,
  server: AddressSource | null,
  /** The subprotocols of the location; undefined: ours. */
  spoken?: readonly string[],
) => Response | null;

/** What was granted to a request that is handed in a second time. */
type Granted = Pick<LocatedRequest, "granted" | "user" | "grant">;

export class Guards {
  readonly #guards: readonly (GuardedLocation | null)[];
  readonly #granted = new WeakMap<Incoming, Granted>();
  readonly #refuseSocket: RefuseSocket;

  constructor(host: HandlerHost, refuseSocket: RefuseSocket) {
    this.#refuseSocket = refuseSocket;
    this.#guards = host.config.locations.map((location) => guardOf(host, location));
  }

  /** Nobody guards this location. */
  isOpen(index: number): boolean {
    return (this.#guards[index] ?? null) === null;
  }

  /** null: let in. A guard that takes its time gives a promise of a refusal, or of what `resume` answers. */
  check(
    located: LocatedRequest,
    server: AddressSource | null,
    resume: Resume,
  ): Answer | Promise<Answer> | null {
    const guard = this.#guards[located.index] ?? null;
    if (guard === null) return null;
    // Says nothing of channels and does nothing; a browser asks it before it sends credentials (CORS). For
    // others front/preflight.ts answers: what a handler or a backend does when it is asked so is not ours to
    // know.
    if (located.method === "OPTIONS" && guard.answersOptions) return null;
    const outcome = guard.ask(located);
    const answerTo = ({ refusal, answer }: Refused): Response =>
      (guard.hasSockets ? this.#refuseSocket(located, refusal, server, guard.spoken) : null) ?? answer;
    if (!(outcome instanceof Promise)) return outcome === null ? null : answerTo(outcome);
    return outcome.then((refused) => {
      if (refused !== null) return answerTo(refused);
      const { granted, user, grant } = located;
      this.#granted.set(located.request, { granted, user, grant });
      return resume();
    });
  }

  /** The request is here again, as another object: what was granted to it still is. */
  recall(located: LocatedRequest): void {
    const said = this.#granted.get(located.request);
    if (said === undefined) return;
    located.granted = said.granted;
    located.user = said.user;
    located.grant = said.grant;
  }
}

function guardOf(host: HandlerHost, location: LocationConfig): GuardedLocation | null {
  const path = location.code?.authorize ?? null;
  const { kind } = location.role;
  if (path === null) return null;
  // What an option takes and nobody looks at would be an open door.
  if (!isGuardable(kind)) throw new Error(`authorize is not done for ${kind}`);
  return new GuardedLocation(host, location, host.files.of(path), kind);
}

const isGuardable = (kind: string): kind is AuthorizeContext["role"] =>
  ["publisher", "subscriber", "presence", "files", "handler", "proxy"].includes(kind);
