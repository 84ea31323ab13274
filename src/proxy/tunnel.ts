/**
 * A client and a backend that have gone over to another protocol (RFC 9110 7.8), which a WebSocket is: bytes
 * of one are the other's, and who is slow on one side stops the other from being read. Made by pass.ts when
 * the backend has answered 101.
 */

import { errorPage } from "../front/error-page.ts";
import { type Answer, PassedAnswer, type PassedFields } from "../http/direct-answer.ts";
import type { RawEnd, RawTaker } from "../http/incoming.ts";
import type { Asking } from "./asking.ts";
import type { Backend } from "./backend.ts";
import type { BackendConnection, ConnectionUser } from "./backend-connection.ts";
import type { ResponseHead } from "./response-head.ts";
import type { Dated, Watch } from "./watch.ts";

export interface GoneOver {
  readonly connection: BackendConnection;
  readonly backend: Backend;
  /** What the backend has said behind its 101 already. */
  readonly early: Uint8Array;
}

/** What is told of it; null: nothing, the connection is the tunnel's. */
export function goOver({ located, route }: Asking, head: ResponseHead, gone: GoneOver): Answer | null {
  const { exchange } = located.request;
  const tunnel = new Tunnel(gone, route.watch, route.proxy.readMs);
  const end = exchange?.goOver(switchingHead(head, route.answerFields(head, located)), tunnel) ?? null;
  if (end === null) {
    tunnel.closed();
    return errorPage(502);
  }
  tunnel.begin(end, gone.early);
  return new PassedAnswer(101, "", NO_FIELDS, null);
}

function switchingHead(head: ResponseHead, { text }: PassedFields): Uint8Array {
  const upgrade = head.fields.find(([, , name]) => name === "upgrade")?.[1] ?? "websocket";
  return Buffer.from(
    `HTTP/1.1 101 ${head.reason || "Switching Protocols"}\r\n${text}Connection: upgrade\r\nUpgrade: ` +
      `${upgrade}\r\n\r\n`,
    "latin1",
  );
}

const NO_FIELDS: PassedFields = { list: [], text: "", hasLength: false, hasDate: false };

class Tunnel implements RawTaker, ConnectionUser, Dated {
  dueMs: number;
  readonly #connection: BackendConnection;
  readonly #backend: Backend;
  readonly #watch: Watch;
  readonly #idleMs: number;
  #client: RawEnd | null = null;
  #isOver = false;

  constructor({ connection, backend }: GoneOver, watch: Watch, idleMs: number) {
    this.#connection = connection;
    this.#backend = backend;
    this.#watch = watch;
    this.#idleMs = idleMs;
    this.dueMs = performance.now() + idleMs;
    backend.active++;
    connection.user = this;
    watch.add(this);
  }

  begin(client: RawEnd, early: Uint8Array): void {
    this.#client = client;
    if (early.length > 0) this.#toClient(early);
  }

  /** nginx: what moves in either direction keeps both. */
  #moved(): void {
    this.dueMs = performance.now() + this.#idleMs;
  }

  overdue(): void {
    this.#over()?.end();
    this.#connection.close();
  }

  // --- the client's side -----------------------------------------------------------------------------------

  came(bytes: Uint8Array): void {
    this.#moved();
    if (!this.#connection.write(bytes)) this.#client?.pause();
  }

  roomy(): void {
    this.#moved();
    this.#connection.resume();
  }

  closed(): void {
    const client = this.#over();
    this.#connection.end();
    client?.end();
  }

  // --- the backend's side ----------------------------------------------------------------------------------

  received(bytes: Buffer): void {
    this.#moved();
    this.#toClient(bytes);
  }

  #toClient(bytes: Uint8Array): void {
    if (this.#client?.write(bytes) === false) this.#connection.pause();
  }

  drained(): void {
    this.#moved();
    this.#client?.resume();
  }

  opened(): void {
    // it was open before
  }

  refused(): void {
    this.closed();
  }

  /** The client is to be told once. */
  #over(): RawEnd | null {
    const client = this.#client;
    this.#client = null;
    if (this.#isOver) return null;
    this.#isOver = true;
    this.#backend.active--;
    this.#watch.remove(this);
    return client;
  }
}
