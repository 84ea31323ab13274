/**
 * A request as it lies in the bytes of its connection. The roles that carry messages read what they need
 * where it is; a real `Request`, its Headers and its signal are made for whoever asks for them (handlers,
 * files, pages). Made by connection.ts.
 */
import type {
  BodyTaker,
  Exchange,
  Gone,
  Handshake,
  Incoming,
  RawEnd,
  RawTaker,
} from "../../http/incoming.ts";
import type { Peer } from "../../http/peer.ts";
import { handshakeOf, KEY_BYTES } from "../http1/handshake-head.ts";
import { parseHead } from "../http1/parse-head.ts";
import { RequestHead } from "../http1/request-head.ts";
import type { NativePeer } from "../socket-handlers.ts";

/** The connection, as its request sees it. */
export interface Carrier {
  readonly peer: Peer;
  readonly isExtra: boolean;
  readonly scheme: "http" | "https";
  readonly headerNames: "plain" | "underscores" | "any";
  /** Resolves with the whole body; rejects when it is too large, broken, or its sender left. */
  readBody(): Promise<Uint8Array<ArrayBuffer>>;
  pourBody(taker: BodyTaker): void;
  pauseBody(): void;
  resumeBody(): void;
  goOver(head: Uint8Array, taker: RawTaker): RawEnd | null;
  /** The request waits for as long as its client does. */
  whenGone(listener: Gone): void;
  /** The connection was closed before its answer was over. */
  whenClosed(listener: Gone): void;
  /** False: it is no handshake, or the client is gone. */
  upgrade(request: WireRequest, data: NativePeer, headers: Readonly<Record<string, string>>): boolean;
}

/**
 * One for all requests of a listener that are answered at once; who is looked at later than that parses its
 * bytes again.
 */
export class WireHead extends RequestHead {
  user: WireRequest | null = null;
}

/** Of these the first counts (push-stream spec 2.4); others are joined. */
const FIRST_WINS: ReadonlySet<string> = new Set(["event-id", "event-type"]);
/** For heads that were inside their bounds before. */
const NO_BOUNDS = { lineBytes: 2 ** 30, headBytes: 2 ** 30, fields: 2 ** 20 };

/**
 * Bodies that are looked at where they are: of bytes that the runtime hands in, the first view costs 0.3 us,
 * since they have no buffer of their own until then. So short bodies are copied here, and who publishes
 * bodies of one length is given the same view again.
 */
const SHORT_BODY_BYTES = 4096;
const shortBodies = new Uint8Array(SHORT_BODY_BYTES);
let shortBody = shortBodies.subarray(0, 0);
const copyRange = Buffer.prototype.copy;

function bodyAt(bytes: Buffer, start: number, end: number): Uint8Array {
  const length = end - start;
  if (length > SHORT_BODY_BYTES) return bytes.subarray(start, end);
  if (shortBody.length !== length) shortBody = shortBodies.subarray(0, length);
  copyRange.call(bytes, shortBodies, 0, start, end);
  return shortBody;
}

export class WireRequest implements Incoming, Exchange {
  readonly method: string;
  readonly target: string;
  readonly body = null;
  /** Of the body, as announced; -1: it has none, or comes in chunks. */
  readonly contentLength: number;
  readonly #bytes: Buffer;
  readonly #start: number;
  readonly #bodyStart: number;
  readonly #bodyEnd: number;
  readonly #carrier: Carrier;
  #head: WireHead;
  #handshake: Handshake | null = null;
  #headers: Headers | null = null;
  #abort: AbortController | null = null;

  /** Its head lies in `bytes` from `start` to `bodyStart`; `bodyEnd` -1: the body did not come with it. */
  constructor(
    carrier: Carrier,
    head: WireHead,
    target: string,
    bytes: Buffer,
    start: number,
    bodyStart: number,
    bodyEnd: number,
  ) {
    this.#carrier = carrier;
    this.#head = head;
    this.#bytes = bytes;
    this.#start = start;
    this.#bodyStart = bodyStart;
    this.#bodyEnd = bodyEnd;
    this.target = target;
    this.method = head.method;
    this.contentLength = head.contentLength;
    head.user = this;
  }

  /** Its head, which another request may have used meanwhile. */
  get #own(): WireHead {
    if (this.#head.user === this) return this.#head;
    const head = new WireHead();
    head.user = this;
    parseHead(this.#bytes, this.#start, this.#bodyStart, head, {
      ...NO_BOUNDS,
      names: this.#carrier.headerNames,
    });
    this.#head = head;
    return head;
  }

  get exchange(): Exchange {
    return this;
  }
  get peer(): Peer {
    return this.#carrier.peer;
  }
  get isExtra(): boolean {
    return this.#carrier.isExtra;
  }
  /** The Host stays out of it: whoever asks for it reads the field. */
  get url(): string {
    return `${this.#carrier.scheme}://localhost${this.target}`;
  }

  field(name: string): string | null {
    // The authority of an absolute target replaces it (RFC 9112 3.2.2).
    const head = this.#own;
    const bytes = this.#bytes;
    if (name === "host") return head.hostStart === head.hostEnd ? null : head.host(bytes);
    // A server must ignore it in a request of HTTP/1.0 (RFC 9110 7.8).
    if (name === "upgrade" && head.minor === 0) return null;
    if (!FIRST_WINS.has(name)) {
      const value = head.value(bytes, name);
      // nginx's $http_a_b is A-B, or A_B where that is a name.
      if (value !== null || this.#carrier.headerNames === "plain" || !name.includes("-")) return value;
      return head.value(bytes, name.replaceAll("-", "_"));
    }
    const first = head.find(bytes, name);
    return first < 0 ? null : head.valueAt(bytes, first);
  }

  get handshake(): Handshake {
    this.#handshake ??= handshakeOf(this.#own, this.#bytes);
    return this.#handshake;
  }

  /** The key of a good handshake, to the beginning of `target`. */
  copyKey(target: Uint8Array): void {
    const head = this.#own;
    const start = head.valueStart(head.find(this.#bytes, "sec-websocket-key"));
    for (let i = 0; i < KEY_BYTES; i++) target[i] = this.#bytes[start + i] ?? 0;
  }

  get headers(): Headers {
    if (this.#headers !== null) return this.#headers;
    const headers = new Headers();
    const head = this.#own;
    for (const [name, value] of head.fields(this.#bytes)) {
      if (!(FIRST_WINS.has(name.toLowerCase()) && headers.has(name))) headers.append(name, value);
    }
    const host = this.field("host");
    if (host !== null) headers.set("Host", host);
    if (head.minor === 0) headers.delete("upgrade");
    this.#headers = headers;
    return headers;
  }

  get signal(): AbortSignal {
    if (this.#abort === null) {
      const abort = new AbortController();
      this.#abort = abort;
      this.#carrier.whenClosed({ cancel: () => abort.abort() });
    }
    return this.#abort.signal;
  }

  bodyNow(): Uint8Array | null {
    return this.#bodyEnd < 0 ? null : bodyAt(this.#bytes, this.#bodyStart, this.#bodyEnd);
  }

  async bytes(): Promise<Uint8Array<ArrayBuffer>> {
    const now = this.bodyNow();
    // Of its own: others are next there.
    return now === null ? await this.#carrier.readBody() : new Uint8Array(now);
  }

  whenGone(listener: Gone): void {
    this.#carrier.whenGone(listener);
  }

  fields(): readonly (readonly [name: string, value: string])[] {
    return this.#own.fields(this.#bytes);
  }
  get hasMore(): boolean {
    return this.#bodyEnd < 0;
  }
  pourBody(taker: BodyTaker): void {
    this.#carrier.pourBody(taker);
  }
  pauseBody(): void {
    this.#carrier.pauseBody();
  }
  resumeBody(): void {
    this.#carrier.resumeBody();
  }
  goOver(head: Uint8Array, taker: RawTaker): RawEnd | null {
    return this.#carrier.goOver(head, taker);
  }

  upgrade(data: NativePeer, headers: Readonly<Record<string, string>>): boolean {
    return this.#carrier.upgrade(this, data, headers);
  }

  get minor(): number {
    return this.#own.minor;
  }

  /**
   * For the roles that want one; null: none can be made of it (a method that Fetch forbids, or takes for
   * another).
   */
  toRequest(): Request | null {
    try {
      const { url, method, headers, signal } = this;
      const request = new Request(url, { method, headers, signal });
      // Fetch makes GET of "get" (2.2.1); to HTTP they are two (RFC 9110 9.1).
      if (request.method !== method) return null;
      Object.defineProperty(request, "exchange", { value: this });
      Object.defineProperty(request, "bytes", { value: () => this.bytes() });
      return request;
    } catch {
      // Of all that came through the parser only such methods are refused: CONNECT, TRACE, TRACK (Fetch
      // 2.2.1).
      return null;
    }
  }
}
