/**
 * Where something is granted: who stands is known to standings.ts, and what a WebSocket client says is
 * compared with its grant. For publish/ and subscribe/ these are the location's hooks; those of somebody's
 * code, if there are any, are behind them.
 */
import type { Grant } from "../config/grant/grant.ts";
import type { LocatedRequest } from "../config/location/located-request.ts";
import type { Arrival, Judge, Lease, LocationHooks, Renewed } from "../front/location-hooks.ts";
import { Refusals } from "../http/errors.ts";
import { FrameRefusals } from "../http/frame-refusals.ts";
import type { Refusal } from "../http/refusal.ts";
import type { Gate } from "./gate.ts";
import { binaryName, channelsRefusal } from "./open-channels.ts";
import { Stander, type Standings } from "./standings.ts";

export class GrantHooks implements LocationHooks {
  readonly #gate: Gate | null;
  readonly #standings: Standings;
  readonly #others: LocationHooks | null;
  readonly #leases = new WeakMap<LocatedRequest, GrantLease>();

  constructor(gate: Gate | null, standings: Standings, others: LocationHooks | null) {
    this.#gate = gate;
    this.#standings = standings;
    this.#others = others;
  }

  get judges(): boolean {
    return this.#others?.judges === true;
  }

  judge(located: LocatedRequest): Judge | null {
    return this.#others?.judge(located) ?? null;
  }

  arrival(located: LocatedRequest): Arrival | null {
    const other = this.#others?.arrival(located) ?? null;
    const { grant } = located;
    const lease = this.lease(located);
    if (grant === null || lease === null) return other;
    return (names, standing) => {
      const stander = new Stander(grant, standing);
      lease.stander = stander;
      this.#standings.add(stander);
      const departure = other?.(names, standing);
      return (left) => {
        if (left === undefined) this.#standings.remove(stander);
        departure?.(left);
      };
    };
  }

  addition(located: LocatedRequest): Arrival | null {
    return this.#others?.addition(located) ?? null;
  }

  lease(located: LocatedRequest): GrantLease | null {
    const { grant } = located;
    const counts = this.#gate?.counter(located) ?? null;
    if (grant === null && counts === null) return null;
    const lease = this.#leases.get(located) ?? new GrantLease(grant, counts, this.#gate, this.#standings);
    this.#leases.set(located, lease);
    return lease;
  }
}

class GrantLease implements Lease {
  /** null: whoever it is may what the location lets him, so often as it lets him. */
  #grant: Grant | null;
  readonly #tooMany: (() => Refusal | null) | null;
  /** null: it does not stand yet. */
  stander: Stander | null = null;
  readonly #gate: Gate | null;
  readonly #standings: Standings;

  constructor(
    grant: Grant | null,
    tooMany: (() => Refusal | null) | null,
    gate: Gate | null,
    standings: Standings,
  ) {
    this.#grant = grant;
    this.#tooMany = tooMany;
    this.#gate = gate;
    this.#standings = standings;
  }

  get sub(): string | null {
    return this.#grant?.sub ?? null;
  }

  refusalOf(names: readonly Uint8Array[]): Refusal | null {
    return this.#refusal("publish", names);
  }

  standingRefusalOf(names: readonly Uint8Array[]): Refusal | null {
    return this.#refusal("subscribe", names);
  }

  #refusal(wanted: "publish" | "subscribe", names: readonly Uint8Array[]): Refusal | null {
    const grant = this.#grant;
    const refusal = grant === null ? null : channelsRefusal(grant, wanted, names.map(binaryName));
    return refusal ?? this.#tooMany?.() ?? null;
  }

  /** Of the same client: a connection does not become another's. */
  async renew(token: string, names: readonly Uint8Array[]): Promise<Renewed | Refusal> {
    // Somebody's code has granted this, and asks for no tokens.
    if (this.#gate === null || this.#grant === null) return FrameRefusals.noTokens;
    const grant = await this.#gate.renew(token, names.map(binaryName));
    if ("status" in grant) return grant;
    if (grant.sub !== this.#grant.sub) return Refusals.invalidToken;
    this.#grant = grant;
    if (this.stander !== null) this.#standings.renew(this.stander, grant);
    return grant;
  }
}
