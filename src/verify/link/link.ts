/**
 * A connection as bytes, for readers that must be able to read slowly, or not at all, or to go away without a
 * word: `fetch` and WebSocket read on by themselves. Used by http-link.ts and socket-link.ts.
 */
import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";

/** Where a server answers. */
export interface Target {
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
}

/** Throws with a sentence where the text is no URL of a server. */
export function targetOf(url: URL): Target {
  const tls = url.protocol === "https:";
  return { host: url.hostname.replace(/^\[|\]$/g, ""), port: Number(url.port || (tls ? 443 : 80)), tls };
}

/** A connection that broke, was closed or was too slow: what `close` events tell. */
export class LinkEnd extends Error {
  constructor(why: string) {
    super(why);
    this.name = "LinkEnd";
  }
}

/** Bytes that one reader may keep unread here; more is an answer nobody asked for. */
const MAX_HELD = 64 * 2 ** 20;

export class Link {
  /** When the last bytes came, by performance.now(). */
  heardAt = performance.now();
  readonly #socket: Socket;
  #held: Buffer[] = [];
  #length = 0;
  #end: LinkEnd | null = null;
  #wake: (() => void) | null = null;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (data: Buffer) => {
      this.heardAt = performance.now();
      this.#held.push(data);
      this.#length += data.length;
      if (this.#length > MAX_HELD) this.#stop(`more than ${MAX_HELD} bytes at once`);
      this.#wake?.();
    });
    socket.on("end", () => this.#stop("ended by the server"));
    socket.on("error", (error: Error) => this.#stop(error.message));
    socket.on("close", () => this.#stop("closed"));
  }

  static async open({ host, port, tls }: Target, withinMs: number): Promise<Link> {
    const socket = tls
      ? connectTls({ host, port, servername: host, rejectUnauthorized: false, ALPNProtocols: ["http/1.1"] })
      : connectTcp({ host, port, noDelay: true });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = setTimeout(() => reject(new LinkEnd("no connection in time")), withinMs);
    socket.once(tls ? "secureConnect" : "connect", () => resolve());
    socket.once("error", (error: Error) => reject(new LinkEnd(error.message)));
    socket.once("close", () => reject(new LinkEnd("closed while connecting")));
    try {
      await promise;
    } catch (error) {
      socket.destroy();
      throw error;
    } finally {
      clearTimeout(timer);
    }
    return new Link(socket);
  }

  write(bytes: string | Uint8Array): void {
    if (this.#end === null) this.#socket.write(bytes);
  }

  /** Takes no bytes from the kernel any more: what the server sends fills the socket's buffers. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Whether bytes are here that nobody has taken. */
  get hasBytes(): boolean {
    return this.#length > 0;
  }

  /** Exactly so many bytes; throws LinkEnd when they do not come. */
  async take(length: number): Promise<Buffer> {
    while (this.#length < length) await this.#more();
    const all = this.#joined();
    this.#keep(all.subarray(length));
    return all.subarray(0, length);
  }

  /** What there is, at least a byte. */
  async takeSome(): Promise<Buffer> {
    while (this.#length === 0) await this.#more();
    const all = this.#joined();
    this.#keep(Buffer.alloc(0));
    return all;
  }

  /** Up to and without these bytes, which are taken, too. */
  async takeUntil(end: string, max: number): Promise<Buffer> {
    for (;;) {
      const all = this.#joined();
      const at = all.indexOf(end);
      if (at >= 0) {
        this.#keep(all.subarray(at + end.length));
        return all.subarray(0, at);
      }
      if (all.length > max) throw new LinkEnd(`no end of a head within ${max} bytes`);
      await this.#more();
    }
  }

  /** Without a word (RST where something was unread). */
  destroy(): void {
    this.#stop("left");
    this.#socket.destroy();
  }

  async #more(): Promise<void> {
    if (this.#end !== null) throw this.#end;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    await promise;
    this.#wake = null;
  }

  #joined(): Buffer {
    if (this.#held.length > 1) this.#held = [Buffer.concat(this.#held)];
    return this.#held[0] ?? Buffer.alloc(0);
  }

  #keep(rest: Buffer): void {
    this.#held = rest.length === 0 ? [] : [rest];
    this.#length = rest.length;
  }

  #stop(why: string): void {
    this.#end ??= new LinkEnd(why);
    this.#wake?.();
  }
}
