/**
 * A TCP connection whose client and backend have gone over to a protocol of their own (RFC 9110 7.8): bytes
 * in, bytes out. Made by connection.ts; the other end is src/proxy/tunnel.ts, which also counts the time in
 * which nothing comes.
 */
import type { RawEnd, RawTaker } from "../../http/incoming.ts";
import { Outlet } from "./outlet.ts";
import type { WireServer } from "./wire-server.ts";

export class WireTunnel extends Outlet implements RawEnd {
  readonly #server: WireServer;
  readonly #taker: RawTaker;
  #isEnding = false;

  constructor(server: WireServer, before: Outlet, taker: RawTaker) {
    super(before.socket, before.descriptor);
    this.#server = server;
    this.#taker = taker;
  }

  open(): void {
    this.uncork();
    if (!this.isStalled) this.#server.held.take(this);
    else this.#server.sending.take(this);
  }

  // --- told by the socket ----------------------------------------------------------------------------------

  take(bytes: Buffer): void {
    if (!this.isClosed && !this.#isEnding) this.#taker.came(bytes);
  }

  ended(): void {
    this.#close();
  }

  closed(): void {
    if (this.isClosed) return;
    this.leave();
    this.#server.left();
    this.#taker.closed();
  }

  override overdue(): void {
    this.cutOff();
  }

  protected override moved(): void {
    this.#server.sending.take(this);
  }

  protected override roomy(): void {
    if (this.#isEnding) {
      this.#close();
      return;
    }
    this.#server.held.take(this);
    this.#taker.roomy();
  }

  // --- told by the other end -------------------------------------------------------------------------------

  write(bytes: Uint8Array): boolean {
    return this.push(bytes);
  }

  pause(): void {
    if (!this.isClosed) this.socket.pause();
  }

  resume(): void {
    if (!this.isClosed) this.socket.resume();
  }

  end(): void {
    this.#isEnding = true;
    if (!this.isStalled && !this.isCorked) this.#close();
  }

  override uncork(): void {
    super.uncork();
    if (this.#isEnding && !this.isStalled) this.#close();
  }

  /** It has a life of its own, and is cut off when the worker's time is over. */
  retire(): void {
    // as long as it may
  }

  cutOff(): void {
    if (this.isClosed) return;
    this.socket.terminate();
    this.closed();
  }

  #close(): void {
    if (this.isClosed) return;
    this.socket.end();
    this.closed();
  }
}
