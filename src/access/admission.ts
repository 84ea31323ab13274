/**
 * The order in which a request passes access rules, passwords and grants, and what `satisfy` makes of it: all
 * must agree, or one is enough. Called by app.ts at the entrance.
 */

import type { LocatedRequest } from "../config/location/located-request.ts";
import type { Config } from "../config/model.ts";
import type { AddressSource } from "../config/server/door.ts";
import type { Front } from "../front/front.ts";
import { type Answer, asResponse } from "../http/direct-answer.ts";
import type { Access, Resume } from "./access.ts";

type Outcome = Answer | Promise<Answer> | null;

export class Admission {
  readonly #front: Front;
  readonly #access: Access;
  /** By index: rules or a password, and a grant, of which one is enough. */
  readonly #isEither: readonly boolean[];

  constructor({ locations }: Pick<Config, "locations">, front: Front, access: Access) {
    this.#front = front;
    this.#access = access;
    this.#isEither = locations.map(
      ({ satisfiesAny, grants, access: rules, auth }) =>
        satisfiesAny && grants !== null && (rules.length > 0 || auth !== null),
    );
  }

  /** null: let in. `toGate` carries on at `gate`, `onward` behind it. */
  check(located: LocatedRequest, server: AddressSource | null, toGate: Resume, onward: Resume): Outcome {
    if (this.#isEither[located.index] === true) return this.#either(located, server, onward);
    return this.#front.before(located, toGate) ?? this.gate(located, server, onward);
  }

  /** For requests that have come that far before. */
  gate(located: LocatedRequest, server: AddressSource | null, onward: Resume): Outcome {
    return this.#access.check(located, server, onward);
  }

  #either(located: LocatedRequest, server: AddressSource | null, onward: Resume): Outcome {
    let isOnward = false;
    const first = this.#front.before(located, () => {
      isOnward = true;
      return onward();
    });
    if (first === null) return this.#access.count(located, server);
    if (!(first instanceof Promise)) return this.#orGrant(located, server, onward, first);
    return first.then((answer) => {
      // What was let on after all is answered already.
      if (isOnward) return answer;
      return this.#orGrant(located, server, onward, answer) ?? onward();
    });
  }

  /** The refusal that asks for a password is worth more than one that asks for nothing. */
  #orGrant(located: LocatedRequest, server: AddressSource | null, onward: Resume, first: Answer): Outcome {
    const refusal = asResponse(first);
    if (refusal.status !== 401 && refusal.status !== 403) return refusal;
    let isOnward = false;
    const second = this.gate(located, server, () => {
      isOnward = true;
      return onward();
    });
    if (second instanceof Promise)
      return second.then((answer) => (isOnward ? answer : worse(refusal, asResponse(answer))));
    return second === null ? null : worse(refusal, asResponse(second));
  }
}

/** As nginx has it: 401 says what would help, and both may. */
function worse(first: Response, second: Response): Response {
  if (first.status !== 401) return second;
  const challenge = second.headers.get("www-authenticate");
  if (challenge !== null) first.headers.append("WWW-Authenticate", challenge);
  return first;
}
