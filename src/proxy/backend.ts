/**
 * One server of an upstream, as a worker sees it: whether it works, how many requests it has, and the idle
 * connections to it. balancer.ts chooses among them, pass.ts uses one.
 */

import { readFileSync } from "node:fs";
import { rootCertificates } from "node:tls";
import type { ProxyConfig, UpstreamServer } from "../config/model/proxy.ts";
import { BackendConnection, type ConnectionUser, HANDLERS } from "./backend-connection.ts";

/** How connections to the servers of a group are made, and kept. */
export interface Pool {
  /** null: plain TCP. */
  readonly tls: Bun.TLSOptions | null;
  /** The name its certificate has to be for; null: it is not looked at. */
  readonly identity: string | null;
  readonly most: number;
  readonly idleMs: number;
  readonly mostRequests: number;
  /** Also for requests that cannot be asked again. */
  readonly isForAll: boolean;
}

export class Backend {
  readonly server: UpstreamServer;
  readonly #pool: Pool;
  readonly #idle: BackendConnection[] = [];
  /** Requests under way. */
  active = 0;
  /** Of smooth weighted round robin. */
  currentWeight = 0;
  #fails = 0;
  #failedMs = Number.NEGATIVE_INFINITY;

  constructor(server: UpstreamServer, pool: Pool) {
    this.server = server;
    this.#pool = pool;
  }

  /** As "127.0.0.1:8080" or "unix:/path", for logs. */
  get name(): string {
    const { host, port, socketPath } = this.server.address;
    return host === null ? `unix:${socketPath}` : `${host}:${port}`;
  }

  // --- whether it works ------------------------------------------------------------------------------------

  /** `isAlone`: there is no other, so it is asked whatever it did. */
  isUp(nowMs: number): boolean {
    const { isDown, maxFails, failMs } = this.server;
    if (isDown) return false;
    return maxFails === 0 || this.#fails < maxFails || nowMs - this.#failedMs > failMs;
  }

  failed(nowMs: number): void {
    if (nowMs - this.#failedMs > this.server.failMs) this.#fails = 0;
    this.#fails++;
    this.#failedMs = nowMs;
  }

  worked(): void {
    this.#fails = 0;
  }

  // --- connections -----------------------------------------------------------------------------------------

  /** An idle one, the one that was used last; null: there is none, or none that may be used for this. */
  takeIdle(isRepeatable: boolean): BackendConnection | null {
    if (!isRepeatable && !this.#pool.isForAll) return null;
    return this.#idle.pop() ?? null;
  }

  connect(user: ConnectionUser): void {
    const { host, port, socketPath } = this.server.address;
    const { tls } = this.#pool;
    const connection = new BackendConnection(this, user, this.#pool.identity);
    const common = { socket: HANDLERS, data: connection, ...(tls === null ? {} : { tls }) };
    const connecting =
      host === null
        ? Bun.connect({ ...common, unix: socketPath })
        : Bun.connect({ ...common, hostname: host, port });
    // Told to the handler's connectError as well; a name that is none rejects only here.
    connecting.catch((error: unknown) => connection.refused(error));
  }

  /** It may carry another request. */
  give(connection: BackendConnection): void {
    if (this.#idle.length >= this.#pool.most || connection.requests >= this.#pool.mostRequests) {
      connection.close();
      return;
    }
    connection.idleSinceMs = performance.now();
    this.#idle.push(connection);
  }

  forget(connection: BackendConnection): void {
    const at = this.#idle.indexOf(connection);
    if (at >= 0) this.#idle.splice(at, 1);
  }

  /** Now and then: who was idle for too long is let go. The first has waited longest. */
  look(nowMs: number): void {
    for (let first = this.#idle[0]; first !== undefined; first = this.#idle[0]) {
      if (nowMs - first.idleSinceMs < this.#pool.idleMs) return;
      this.#idle.shift();
      first.close();
    }
  }

  close(): void {
    for (const connection of this.#idle.splice(0)) connection.close();
  }
}

export const nameOf = ({ tls }: ProxyConfig, host: string | null): string => tls.name ?? host ?? "localhost";

export function tlsOf(proxy: ProxyConfig, host: string | null): Bun.TLSOptions {
  const { tls } = proxy;
  const name = nameOf(proxy, host);
  const trusted = tls.trusted === null ? [...rootCertificates] : readFileSync(tls.trusted, "utf8");
  return {
    rejectUnauthorized: tls.verifies,
    ...(tls.tellsName ? { serverName: name } : {}),
    ...(tls.verifies ? { ca: trusted } : {}),
  };
}
