/**
 * A TCP client on the kernel's own socket calls, for tests of slow, broken and vanishing clients: it reads
 * only when told, its receive buffer is as small as wished, and it can close with a reset. Every client
 * library reads ahead, and none lets the receive buffer be set before the connect, where it limits the window
 * (tcp(7)).
 *
 * Nothing here blocks but `connect`, which loopback answers at once.
 */
import { dlopen, ptr } from "bun:ffi";

const { symbols: libc } = dlopen("libc.so.6", {
  socket: { args: ["i32", "i32", "i32"], returns: "i32" },
  setsockopt: { args: ["i32", "i32", "i32", "ptr", "u32"], returns: "i32" },
  connect: { args: ["i32", "ptr", "u32"], returns: "i32" },
  poll: { args: ["ptr", "u64", "i32"], returns: "i32" },
  recv: { args: ["i32", "ptr", "u64", "i32"], returns: "i64" },
  send: { args: ["i32", "ptr", "u64", "i32"], returns: "i64" },
  shutdown: { args: ["i32", "i32"], returns: "i32" },
  close: { args: ["i32"], returns: "i32" },
});

const AF_INET = 2;
const SOCK_STREAM = 1;
const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
const SO_LINGER = 13;
const SHUT_WR = 1;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const POLLIN = 1;
const POLLOUT = 4;
const READ_BYTES = 256 * 1024;

export interface KernelSocketOptions {
  /** Bytes; the kernel doubles it for its bookkeeping. 0: as the system likes. */
  readonly receiveBuffer?: number;
}

export class KernelSocket {
  readonly #fd: number;
  readonly #scratch = new Uint8Array(READ_BYTES);
  #open = true;
  /** The server has ended its side: in order (`ended`) or by a reset. */
  ended = false;
  wasReset = false;
  /** Bytes read so far. */
  received = 0;

  constructor(port: number, { receiveBuffer = 0 }: KernelSocketOptions = {}) {
    this.#fd = libc.socket(AF_INET, SOCK_STREAM, 0);
    if (this.#fd < 0) throw new Error("socket() failed");
    if (receiveBuffer > 0) this.#option(SO_RCVBUF, new Int32Array([receiveBuffer]));
    const address = new Uint8Array(16);
    address.set([AF_INET, 0, port >> 8, port & 0xff, 127, 0, 0, 1]);
    if (libc.connect(this.#fd, ptr(address), address.length) !== 0)
      throw new Error(`connect to ${port} failed`);
  }

  /** Sends all of it, waiting for room at most `withinMs`. False: the server took no more. */
  async send(data: string | Uint8Array, withinMs = 5000): Promise<boolean> {
    const bytes = typeof data === "string" ? Buffer.from(data, "latin1") : data;
    const deadline = Date.now() + withinMs;
    for (let sent = 0; sent < bytes.length; ) {
      const count = this.#sendSome(bytes.subarray(sent));
      if (count > 0) sent += count;
      else if (count < 0 || Date.now() > deadline) return false;
      else await Bun.sleep(2);
    }
    return true;
  }

  /** What has arrived, at most `limit` bytes; empty when nothing has. Valid until the next call. */
  read(limit = READ_BYTES): Uint8Array {
    if (!this.#open || this.ended || !this.#poll(POLLIN)) return this.#scratch.subarray(0, 0);
    const count = Number(libc.recv(this.#fd, ptr(this.#scratch), Math.min(limit, READ_BYTES), MSG_DONTWAIT));
    if (count <= 0) {
      this.ended = true;
      this.wasReset = count < 0;
      return this.#scratch.subarray(0, 0);
    }
    this.received += count;
    return this.#scratch.subarray(0, count);
  }

  /** Ends our side only. */
  shutdown(): void {
    libc.shutdown(this.#fd, SHUT_WR);
  }

  close(): void {
    if (this.#open) libc.close(this.#fd);
    this.#open = false;
  }

  /** Vanishes: the server gets RST instead of FIN. */
  reset(): void {
    if (this.#open) this.#option(SO_LINGER, new Int32Array([1, 0]));
    this.close();
  }

  /** Bytes taken, 0 = no room now, -1 = the connection is gone. */
  #sendSome(bytes: Uint8Array): number {
    if (!this.#open) return -1;
    if (!this.#poll(POLLOUT)) return 0;
    return Number(libc.send(this.#fd, ptr(bytes), bytes.length, MSG_DONTWAIT | MSG_NOSIGNAL));
  }

  /** Error and hang-up count as ready: the call that follows tells which. */
  #poll(events: number): boolean {
    const entry = new Int32Array([this.#fd, events]);
    return libc.poll(ptr(entry), 1, 0) > 0;
  }

  #option(name: number, value: Int32Array): void {
    if (libc.setsockopt(this.#fd, SOL_SOCKET, name, ptr(value), value.byteLength) !== 0)
      throw new Error(`setsockopt ${name} failed`);
  }
}
