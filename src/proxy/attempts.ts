/**
 * The servers of an upstream that one request has been given to: the one that has it now, which is next, and
 * whether there may be a next one after a failure (proxy_next_upstream and its limits). Part of a Pass
 * (pass.ts). A server counts the request while it has it.
 */
import type { LocatedRequest } from "../config/location/located-request.ts";
import type { Asking } from "./asking.ts";
import type { Backend } from "./backend.ts";
import type { BackendConnection } from "./backend-connection.ts";
import type { Destination } from "./destination.ts";
import type { Route } from "./route.ts";

export class Attempts {
  readonly #route: Route;
  readonly #located: LocatedRequest;
  readonly #destination: Destination;
  readonly #tried: Backend[] = [];
  readonly #beganMs: number;
  /** Some backend has been sent the request. */
  #isSent = false;
  /** null: none has it, because none is left or it has done its part. */
  backend: Backend | null = null;
  /** null while it is being opened. */
  connection: BackendConnection | null = null;

  constructor({ route, located, destination }: Asking) {
    this.#route = route;
    this.#located = located;
    this.#destination = destination;
    this.#beganMs = route.watch.nowMs;
  }

  /** null: none is left. */
  choose(): Backend | null {
    const { balancer } = this.#destination;
    const { nextTries } = this.#route.proxy;
    if (nextTries > 0 && this.#tried.length >= nextTries) return null;
    const client = balancer.goesByClient ? this.#located.remoteAddress : "";
    return balancer.next(this.#tried, client, this.#route.watch.nowMs);
  }

  begin(backend: Backend): void {
    this.#tried.push(backend);
    this.backend = backend;
    backend.active++;
  }

  opened(connection: BackendConnection): void {
    this.connection = connection;
    connection.requests++;
    this.#isSent = true;
  }

  /** To a tunnel, which counts at the backend itself; null: there is nothing to hand over. */
  handOver(): { readonly backend: Backend; readonly connection: BackendConnection } | null {
    const { backend, connection } = this;
    if (backend === null || connection === null) return null;
    this.connection = null;
    this.leave(false);
    return { backend, connection };
  }

  /** For logs. */
  get name(): string {
    return this.backend?.name ?? "";
  }

  leave(hasFailed: boolean): void {
    const { backend, connection } = this;
    this.backend = null;
    this.connection = null;
    connection?.close();
    if (backend === null) return;
    backend.active--;
    if (hasFailed) backend.failed(performance.now());
  }

  /** RFC 9110 9.2.2, as nginx has it. */
  get isRepeatable(): boolean {
    const { method } = this.#located;
    return method !== "POST" && method !== "LOCK" && method !== "PATCH";
  }

  /** `why` is a word of proxy_next_upstream. Not once part of a body has gone: nobody has it any more. */
  mayAskAgain(why: string, hasBegunBody: boolean): boolean {
    const { next, nextMs } = this.#route.proxy;
    if (hasBegunBody || !next.has(why) || next.has("off")) return false;
    if (this.#isSent && !this.isRepeatable && !next.has("non_idempotent")) return false;
    return nextMs === 0 || performance.now() - this.#beganMs < nextMs;
  }
}
