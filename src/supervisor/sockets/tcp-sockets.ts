/**
 * What the kernel says of a TCP socket when asked by descriptor (tcp(7): TCP_INFO; getsockname(2)), for
 * listening-sockets.ts and connection-watch.ts. A call costs less than a microsecond, so asking about every
 * descriptor of a worker is nothing to be careful with.
 */
import { ptr } from "bun:ffi";
import { openLibc } from "../../libc.ts";

const IPPROTO_TCP = 6;
const TCP_DEFER_ACCEPT = 9;
const TCP_INFO = 11;

/**
 * linux/tcp.h: struct tcp_info as words, the state in the first byte; of a listening socket, `unacked` is the
 * length of its queue.
 */
const INFO_BYTES = 256;
const UNACKED_WORD = 6;
const LAST_DATA_RECEIVED_WORD = 13;
const ESTABLISHED = 1;
const LISTENING = 10;

/** sockaddr_in and sockaddr_in6: the port is in the same place, most significant byte first. */
const NAME_BYTES = 28;
const PORT_OFFSET = 2;
const AF_INET6 = 10;

const FUNCTIONS = {
  getsockopt: { args: ["i32", "i32", "i32", "ptr", "ptr"], returns: "i32" },
  setsockopt: { args: ["i32", "i32", "i32", "ptr", "u32"], returns: "i32" },
  getsockname: { args: ["i32", "ptr", "ptr"], returns: "i32" },
} as const;

export class TcpSockets {
  readonly #libc = openLibc(FUNCTIONS);
  readonly #info = new Uint32Array(INFO_BYTES / 4);
  readonly #name = new DataView(new ArrayBuffer(NAME_BYTES));
  readonly #length = new Uint32Array(1);

  close(): void {
    this.#libc.close();
  }

  /** "address:port" as in /proc/net/tcp; null when it does not listen, or is no TCP socket. */
  listensAt(descriptor: number): string | null {
    if (this.#state(descriptor) !== LISTENING || !this.#readName(descriptor)) return null;
    const isSix = this.#name.getUint16(0, true) === AF_INET6;
    const words = isSix ? [8, 12, 16, 20] : [4];
    const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, "0");
    const address = words.map((offset) => hex(this.#name.getUint32(offset, true), 8)).join("");
    return `${address}:${hex(this.#port, 4)}`;
  }

  /** Connections that a listening socket has and nobody accepted. */
  waitingAt(descriptor: number): number {
    return this.#state(descriptor) === LISTENING ? (this.#info[UNACKED_WORD] ?? 0) : 0;
  }

  /**
   * How long ago the client said something, in ms, on a connection that came in at one of these ports; -1 on
   * anything else.
   */
  silentFor(descriptor: number, ports: ReadonlySet<number>): number {
    if (this.#state(descriptor) !== ESTABLISHED) return -1;
    const silentMs = this.#info[LAST_DATA_RECEIVED_WORD] ?? 0;
    return this.#readName(descriptor) && ports.has(this.#port) ? silentMs : -1;
  }

  /** Who connects and says nothing is no longer waited for beyond the kernel's next look at it. */
  acceptSilent(descriptor: number): void {
    const off = new Int32Array(1);
    this.#libc.symbols.setsockopt(descriptor, IPPROTO_TCP, TCP_DEFER_ACCEPT, ptr(off), off.byteLength);
  }

  /** 0: no TCP socket. */
  #state(descriptor: number): number {
    this.#length[0] = INFO_BYTES;
    const { getsockopt } = this.#libc.symbols;
    const isTcp = getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, ptr(this.#info), ptr(this.#length)) === 0;
    return isTcp ? (this.#info[0] ?? 0) & 0xff : 0;
  }

  #readName(descriptor: number): boolean {
    this.#length[0] = NAME_BYTES;
    return this.#libc.symbols.getsockname(descriptor, ptr(this.#name), ptr(this.#length)) === 0;
  }

  get #port(): number {
    return this.#name.getUint16(PORT_OFFSET);
  }
}
