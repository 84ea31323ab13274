/**
 * Locations whose subscribers are members: what subscribe/ calls when somebody comes and goes, before it
 * tells the location's other hooks. app.ts puts them around those.
 */
import type { LocatedRequest } from "../config/location/located-request.ts";
import type { LocationConfig, PresenceConfig } from "../config/model.ts";
import type { Arrival, HooksOf, Judge, Lease, LocationHooks } from "../front/location-hooks.ts";
import { type Identity, identityOf } from "./identity.ts";
import type { PresenceKeeper } from "./keeper.ts";

export function presenceHooksOf(
  keeper: PresenceKeeper | null,
  locations: readonly LocationConfig[],
  others: HooksOf,
): HooksOf {
  if (keeper === null) return others;
  const secret = keeper.members.secret;
  const all = locations.map((location, index) =>
    location.presence === null
      ? others(index)
      : new PresenceHooks(keeper, location, location.presence, secret, others(index)),
  );
  return (index) => all[index] ?? null;
}

const isSame = (left: Uint8Array, right: Uint8Array): boolean => Buffer.compare(left, right) === 0;

class PresenceHooks implements LocationHooks {
  readonly #keeper: PresenceKeeper;
  readonly #location: LocationConfig;
  readonly #config: PresenceConfig;
  readonly #secret: Uint8Array;
  readonly #other: LocationHooks | null;
  /** One connection is one member, however many channels it adds. */
  readonly #identities = new WeakMap<LocatedRequest, Identity>();

  constructor(
    keeper: PresenceKeeper,
    location: LocationConfig,
    config: PresenceConfig,
    secret: Uint8Array,
    other: LocationHooks | null,
  ) {
    this.#keeper = keeper;
    this.#location = location;
    this.#config = config;
    this.#secret = secret;
    this.#other = other;
  }

  get judges(): boolean {
    return this.#other?.judges === true;
  }

  judge(located: LocatedRequest): Judge | null {
    return this.#other?.judge(located) ?? null;
  }

  lease(located: LocatedRequest): Lease | null {
    return this.#other?.lease(located) ?? null;
  }

  arrival(located: LocatedRequest): Arrival {
    return this.#around(located, this.#other?.arrival(located) ?? null);
  }

  addition(located: LocatedRequest): Arrival {
    return this.#around(located, this.#other?.addition(located) ?? null);
  }

  passed(located: LocatedRequest, names: readonly Uint8Array[]): void {
    this.#keeper.pass(names, this.#identity(located));
    this.#other?.passed?.(located, names);
  }

  #around(located: LocatedRequest, other: Arrival | null): Arrival {
    // Now: of a request that was upgraded nothing can be read any more.
    const who = this.#identity(located);
    return (names, standing) => {
      const departure = other?.(names, standing);
      let stays = names.map((name) => ({ name, leave: this.#keeper.arrive([name], who) }));
      return (left) => {
        const isLeft = (name: Uint8Array): boolean => left?.some((one) => isSame(one, name)) !== false;
        for (const { name, leave } of stays) if (isLeft(name)) leave();
        stays = stays.filter(({ name }) => !isLeft(name));
        departure?.(left);
      };
    };
  }

  #identity(located: LocatedRequest): Identity {
    const known = this.#identities.get(located);
    if (known !== undefined) return known;
    const made = identityOf(located, this.#config, this.#isPoll(located), this.#secret);
    this.#identities.set(located, made);
    return made;
  }

  /** A header may ask for a poll on any location (push-stream spec 4.2). */
  #isPoll(located: LocatedRequest): boolean {
    const { role } = this.#location;
    const isPolled = role.kind === "subscriber" && (role.mode === "polling" || role.mode === "long-polling");
    return isPolled || located.header("x-nginx-pushstream-mode")?.toLowerCase().endsWith("polling") === true;
  }
}
