/**
 * Which server of an upstream is asked: nginx's smooth weighted round robin, the one with the fewest
 * requests, or one by the client's network. Each worker counts for itself, as nginx's do without `zone`.
 * Asked by pass.ts.
 */
import type { UpstreamConfig } from "../config/model/proxy.ts";
import { Backend, type Pool } from "./backend.ts";

export class Balancer {
  readonly backends: readonly Backend[];
  readonly #balance: UpstreamConfig["balance"];

  constructor({ servers, balance }: Pick<UpstreamConfig, "servers" | "balance">, pool: Pool) {
    this.backends = servers.map((server) => new Backend(server, pool));
    this.#balance = balance;
  }

  /** null: there is none left. `client`: an address, where the upstream goes by that. */
  next(tried: readonly Backend[], client: string, nowMs: number): Backend | null {
    // Whatever it did, there is no other.
    if (this.backends.length === 1) {
      const [only] = this.backends;
      return only === undefined || tried.includes(only) || only.server.isDown ? null : only;
    }
    return this.#among(false, tried, client, nowMs) ?? this.#among(true, tried, client, nowMs);
  }

  get goesByClient(): boolean {
    return this.#balance === "ip_hash";
  }

  #among(isBackup: boolean, tried: readonly Backend[], client: string, nowMs: number): Backend | null {
    const usable = this.backends.filter(
      (one) => one.server.isBackup === isBackup && !tried.includes(one) && one.isUp(nowMs),
    );
    if (usable.length < 2) return usable[0] ?? null;
    if (this.#balance === "ip_hash" && !isBackup) return byClient(usable, client);
    if (this.#balance === "least_conn") return inTurn(leastUsed(usable));
    return inTurn(usable);
  }

  look(nowMs: number): void {
    for (const backend of this.backends) backend.look(nowMs);
  }

  close(): void {
    for (const backend of this.backends) backend.close();
  }
}

/**
 * Each gains its weight, the richest is chosen and pays all of them: a heavy one does not get its requests in
 * a row.
 */
function inTurn(usable: readonly Backend[]): Backend | null {
  let best: Backend | null = null;
  let total = 0;
  for (const one of usable) {
    const { weight } = one.server;
    total += weight;
    one.currentWeight += weight;
    if (best === null || one.currentWeight > best.currentWeight) best = one;
  }
  if (best !== null) best.currentWeight -= total;
  return best;
}

/** In proportion to their weights. */
function leastUsed(usable: readonly Backend[]): readonly Backend[] {
  const loadOf = ({ active, server }: Backend): number => active / server.weight;
  const least = Math.min(...usable.map(loadOf));
  return usable.filter((one) => loadOf(one) === least);
}

/** Clients of one IPv4 /24, or one IPv6 address, come to one server for as long as it works. */
function byClient(usable: readonly Backend[], client: string): Backend | null {
  const key = /^\d+\.\d+\.\d+/.exec(client)?.[0] ?? client;
  const total = usable.reduce((sum, { server }) => sum + server.weight, 0);
  let place = Number(BigInt(Bun.hash(key)) % BigInt(total));
  for (const one of usable) {
    place -= one.server.weight;
    if (place < 0) return one;
  }
  return null;
}
