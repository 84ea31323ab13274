/**
 * All backends of a worker: those of the upstreams, and the addresses that locations name. Made by plugin.ts.
 */

import type { ProxyConfig, UpstreamConfig } from "../config/model/proxy.ts";
import type { Config } from "../config/model.ts";
import type { ProxyTarget } from "../config/server/proxy-target.ts";
import { nameOf, type Pool, tlsOf } from "./backend.ts";
import { Balancer } from "./balancer.ts";

const KEPT = 32;
const KEPT_MS = 60_000;
const KEPT_REQUESTS = 1000;
/** Addresses made of variables: more of them than this are forgotten, with their connections. */
const MOST_ADDRESSES = 1000;

export class Backends {
  readonly #upstreams: ReadonlyMap<string, UpstreamConfig>;
  readonly #balancers = new Map<string, Balancer>();

  constructor({ upstreams }: Pick<Config, "upstreams">) {
    this.#upstreams = new Map(upstreams.map((upstream) => [upstream.name, upstream]));
  }

  /** Locations that ask the same backends in the same way share them. */
  of(target: ProxyTarget, proxy: ProxyConfig): Balancer {
    const { isTls, authority, address } = target;
    const key = JSON.stringify([isTls, authority.toLowerCase(), address, isTls ? proxy.tls : null]);
    const known = this.#balancers.get(key);
    if (known !== undefined) return known;
    const upstream = this.#upstreams.get(authority.toLowerCase());
    const made = new Balancer(
      upstream ?? alone(address),
      poolOf(
        upstream,
        isTls ? tlsOf(proxy, address.host) : null,
        isTls && proxy.tls.verifies ? nameOf(proxy, address.host) : null,
      ),
    );
    const [first] = this.#balancers;
    if (this.#balancers.size >= MOST_ADDRESSES && first !== undefined) {
      this.#balancers.delete(first[0]);
      first[1].close();
    }
    this.#balancers.set(key, made);
    return made;
  }

  look(nowMs: number): void {
    for (const balancer of this.#balancers.values()) balancer.look(nowMs);
  }

  close(): void {
    for (const balancer of this.#balancers.values()) balancer.close();
  }
}

const alone = (address: ProxyTarget["address"]): Pick<UpstreamConfig, "servers" | "balance"> => ({
  servers: [{ address, weight: 1, maxFails: 1, failMs: 10_000, isBackup: false, isDown: false }],
  balance: "round_robin",
});

const poolOf = (
  upstream: UpstreamConfig | undefined,
  tls: Bun.TLSOptions | null,
  identity: string | null,
): Pool => ({
  tls,
  identity,
  most: upstream?.keepalive ?? KEPT,
  idleMs: upstream?.keepaliveMs ?? KEPT_MS,
  mostRequests: upstream?.keepaliveRequests ?? KEPT_REQUESTS,
  isForAll: (upstream?.keepalive ?? 0) > 0,
});
