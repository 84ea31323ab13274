/**
 * One connection to a backend: bytes out with what the kernel does not take kept until it does, bytes in to
 * whoever uses it. Not Bun's fetch, which joins and renames fields, adds its own, and cannot say what was
 * sent when a connection breaks. Made by backend.ts.
 *
 * Idle in a pool it has no user: whatever comes then, or its end, is the end of it.
 */
import { checkServerIdentity, type PeerCertificate } from "node:tls";
import { ByteWriter } from "../wire/byte-writer.ts";
import type { Backend } from "./backend.ts";

export interface ConnectionUser {
  opened(connection: BackendConnection): void;
  /** It could not be opened. */
  refused(error: unknown): void;
  received(bytes: Buffer): void;
  /** The kernel takes bytes again. */
  drained(): void;
  closed(): void;
}

/** Requests are put together here. */
const out = new ByteWriter();

type BackendSocket = Bun.Socket<BackendConnection>;

export class BackendConnection {
  readonly backend: Backend;
  user: ConnectionUser | null;
  requests = 0;
  idleSinceMs = 0;
  isClosed = false;
  #socket: BackendSocket | null = null;
  #unsent: Buffer | null = null;
  #isPaused = false;
  /** Whose certificate it has to have; null: nobody's. */
  readonly #identity: string | null;

  constructor(backend: Backend, user: ConnectionUser, identity: string | null) {
    this.backend = backend;
    this.user = user;
    this.#identity = identity;
  }

  get isStalled(): boolean {
    return this.#unsent !== null;
  }

  /** The bytes may be used again after the call. False: wait for `drained`. */
  write(bytes: Uint8Array): boolean {
    const socket = this.#socket;
    if (this.isClosed || socket === null || bytes.length === 0) return true;
    if (this.#unsent !== null) {
      this.#unsent = Buffer.concat([this.#unsent, bytes]);
      return false;
    }
    const taken = socket.write(bytes);
    // It is gone; `closed` follows.
    if (taken < 0 || taken === bytes.length) return true;
    this.#unsent = Buffer.from(bytes.subarray(taken));
    return false;
  }

  /** A request's head, and the body that came with it: by one call, and without an object for it. */
  ask(head: string, body: Uint8Array): boolean {
    out.reset();
    out.pushLatin1(head);
    if (body.length > 0) out.pushBytes(body);
    return this.write(out.bytes.length === out.length ? out.bytes : out.view());
  }

  pause(): void {
    if (this.#isPaused || this.isClosed) return;
    this.#isPaused = true;
    this.#socket?.pause();
  }

  resume(): void {
    if (!this.#isPaused || this.isClosed) return;
    this.#isPaused = false;
    this.#socket?.resume();
  }

  /** Lets its user go. It is used again, or closed. */
  release(isKept: boolean): void {
    this.user = null;
    if (isKept && !this.isClosed && this.#unsent === null) {
      this.resume();
      this.backend.give(this);
    } else this.close();
  }

  close(): void {
    this.user = null;
    if (this.isClosed) return;
    this.isClosed = true;
    this.#unsent = null;
    // Not `end`, behind which what is unsent would still go out: nobody wants an answer to it.
    this.#socket?.terminate();
  }

  /** In peace: what was written goes out. */
  end(): void {
    this.user = null;
    if (this.isClosed) return;
    this.isClosed = true;
    this.#socket?.end();
  }

  // --- told by the socket ----------------------------------------------------------------------------------

  opened(socket: BackendSocket): void {
    this.#socket = socket;
    if (this.isClosed || this.user === null) {
      this.isClosed = true;
      socket.terminate();
    } else if (this.#identity === null) this.user.opened(this);
  }

  /** TLS: whoever the backend is, it is not who it should be. */
  shook(socket: BackendSocket, isGood: boolean, error: Error | null): void {
    const name = this.#identity;
    if (name === null && isGood) return;
    // The runtime verifies who has signed it, not whom it is for.
    const wrong = name !== null && isGood ? (error ?? identityFault(socket, name)) : error;
    if (isGood && wrong === null) this.user?.opened(this);
    else this.refused(wrong ?? new Error("the TLS handshake failed"));
  }

  refused(error: unknown): void {
    const { user } = this;
    this.close();
    user?.refused(error);
  }

  received(bytes: Buffer): void {
    if (this.user !== null) this.user.received(bytes);
    else this.#drop();
  }

  drained(): void {
    const unsent = this.#unsent;
    if (unsent === null || this.isClosed || this.#socket === null) return;
    const taken = this.#socket.write(unsent);
    if (taken <= 0) return;
    this.#unsent = taken < unsent.length ? unsent.subarray(taken) : null;
    if (this.#unsent === null) this.user?.drained();
  }

  lost(): void {
    const { user } = this;
    if (user === null) this.#drop();
    if (this.isClosed) return;
    this.isClosed = true;
    this.#unsent = null;
    this.user = null;
    user?.closed();
  }

  /** Nobody has asked it anything. */
  #drop(): void {
    this.backend.forget(this);
    this.close();
  }
}

/** RFC 9110 4.3.4. A certificate that cannot be seen is nobody's. */
function identityFault(socket: BackendSocket, name: string): Error | null {
  const certificate = socket.getPeerCertificate() as PeerCertificate | null;
  if (certificate === null || Object.keys(certificate).length === 0)
    return new Error("the backend has shown no certificate");
  return checkServerIdentity(name, certificate) ?? null;
}

export const HANDLERS: Bun.SocketHandler<BackendConnection> = {
  binaryType: "buffer",
  open: (socket) => socket.data.opened(socket),
  handshake: (socket, isGood, error) => socket.data.shook(socket, isGood, error),
  data: ({ data }, bytes) => data.received(bytes),
  drain: ({ data }) => data.drained(),
  close: ({ data }) => data.lost(),
  error: ({ data }, error) => data.refused(error),
  connectError: ({ data }, error) => data.refused(error),
};
