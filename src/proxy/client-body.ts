/**
 * The body of a request on its way from the client to the backend, as fast as the backend takes it. Part of a
 * Pass (pass.ts), and only of one whose body was not all here at the start.
 */
import type { BodySource } from "../http/body-source.ts";
import type { BodyTaker } from "../http/incoming.ts";
import type { BackendConnection } from "./backend-connection.ts";

const LAST_CHUNK = Buffer.from("0\r\n\r\n");
const LINE_END = Buffer.from("\r\n");

/** Whose body it is. */
export interface BodyOwner {
  /** null: nobody takes it now, or ever again. */
  readonly bodyConnection: BackendConnection | null;
  /** The backend is slow to take it. */
  bodyStalled(): void;
  /** All of it has gone. */
  bodySent(): void;
  /** What the client sends is at fault. */
  bodyRefused(status: number): void;
}

export class ClientBody implements BodyTaker {
  readonly #source: BodySource;
  readonly #owner: BodyOwner;
  readonly #isChunked: boolean;
  /** 0: no limit. */
  readonly #maxBytes: number;
  #bytes = 0;
  hasBegun = false;
  isOver = false;

  constructor(source: BodySource, owner: BodyOwner, isChunked: boolean, maxBytes: number) {
    this.#source = source;
    this.#owner = owner;
    this.#isChunked = isChunked;
    this.#maxBytes = maxBytes;
  }

  /** `isTaken`: the backend has room for more. */
  begin(isTaken: boolean): void {
    if (this.hasBegun) return;
    this.hasBegun = true;
    if (!isTaken) this.#source.pause();
    this.#source.pour(this);
  }

  resume(): void {
    this.#source.resume();
  }

  /** Nobody wants the rest. */
  stop(): void {
    if (!this.isOver) this.#source.stop();
    this.isOver = true;
  }

  add(bytes: Uint8Array, start: number, end: number): void {
    const connection = this.#owner.bodyConnection;
    if (connection === null || end === start) return;
    this.#bytes += end - start;
    if (this.#maxBytes > 0 && this.#bytes > this.#maxBytes) {
      this.#owner.bodyRefused(413);
      return;
    }
    let isTaken = true;
    if (this.#isChunked) isTaken = connection.write(Buffer.from(`${(end - start).toString(16)}\r\n`));
    isTaken = connection.write(bytes.subarray(start, end)) && isTaken;
    if (this.#isChunked) isTaken = connection.write(LINE_END) && isTaken;
    if (!isTaken) {
      this.#source.pause();
      this.#owner.bodyStalled();
    }
  }

  whole(): void {
    if (this.isOver) return;
    this.isOver = true;
    if (this.#isChunked) this.#owner.bodyConnection?.write(LAST_CHUNK);
    this.#owner.bodySent();
  }

  failed(error: Error): void {
    if (!this.isOver) this.#owner.bodyRefused(error instanceof RangeError ? 413 : 400);
  }
}
