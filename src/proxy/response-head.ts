/**
 * The head of a backend's answer (RFC 9112 4 and 5), read when all of it is here: backends send theirs in one
 * piece nearly always. Called by pass.ts. Strict as our own heads are: what cannot be read is no answer
 * (502), and never guessed at.
 */
import { line, parseFieldLine } from "../listen/http1/field-line.ts";
import { CLASS, CR, LF, latin1, pastLineEnd, VALUE } from "../listen/http1/octets.ts";

export interface ResponseHead {
  readonly minor: number;
  readonly status: number;
  readonly reason: string;
  /** As they were sent. */
  readonly fields: readonly (readonly [name: string, value: string, lower: string])[];
  /** -1: none was given. */
  readonly contentLength: number;
  readonly isChunked: boolean;
  /** The connection may carry another request. */
  readonly isKept: boolean;
  /** Lower case: what Connection says is for this connection only. */
  readonly hops: ReadonlySet<string>;
  /** Where the body begins. */
  readonly end: number;
}

/** A head that is longer is no answer. */
export const MOST_HEAD_BYTES = 64 * 1024;
const MOST_FIELDS = 500;
const STATUS_LINE = /^HTTP\/1\.(\d) ([1-5]\d\d)(?: ([^\r\n]*))?$/;
const NOTHING = new Uint8Array(0);
const NO_HOPS: ReadonlySet<string> = new Set();

/** null: more has to come; "bad": it is none. */
export function parseResponseHead(bytes: Uint8Array): ResponseHead | null | "bad" {
  const stop = Math.min(bytes.length, MOST_HEAD_BYTES);
  const none = bytes.length >= MOST_HEAD_BYTES ? "bad" : null;
  const lineEnd = bytes.indexOf(LF);
  if (lineEnd < 0 || lineEnd >= stop) return none;
  const textEnd = bytes[lineEnd - 1] === CR ? lineEnd - 1 : lineEnd;
  const found = STATUS_LINE.exec(latin1(bytes, 0, textEnd));
  if (found === null || !isText(bytes, textEnd)) return "bad";
  const head = new Reading(Number(found[1]), Number(found[2]), found[3] ?? "");
  for (let at = lineEnd + 1; at < stop; ) {
    if (bytes[at] === CR || bytes[at] === LF) {
      const next = pastLineEnd(bytes, at, stop);
      if (next === 0) return none;
      return next < 0 ? "bad" : head.done(next);
    }
    const next = parseFieldLine(bytes, at, stop);
    if (next === 0) return none;
    if (
      next < 0 ||
      !head.note(latin1(bytes, at, line.nameEnd), latin1(bytes, line.valueStart, line.valueEnd))
    )
      return "bad";
    at = next;
  }
  return none;
}

function isText(bytes: Uint8Array, end: number): boolean {
  for (let i = 0; i < end; i++) if ((CLASS[bytes[i] ?? 0]! & VALUE) === 0) return false;
  return true;
}

/** Takes the bytes of a connection until the head that counts is whole. */
export class ResponseHeadReader {
  #input: Uint8Array = NOTHING;

  begin(): void {
    this.#input = NOTHING;
  }

  /** What came behind the head. */
  get rest(): Uint8Array {
    return this.#input;
  }

  take(bytes: Uint8Array): ResponseHead | null | "bad" {
    this.#input = this.#input.length === 0 ? bytes : Buffer.concat([this.#input, bytes]);
    for (;;) {
      const head = parseResponseHead(this.#input);
      if (head === null || head === "bad") return head;
      this.#input = this.#input.subarray(head.end);
      // 100 and 103 say that there is more to come (RFC 9110 15.2).
      if (head.status >= 200 || head.status === 101) return head;
    }
  }
}

class Reading {
  readonly #minor: number;
  readonly #status: number;
  readonly #reason: string;
  readonly #fields: [name: string, value: string, lower: string][] = [];
  #contentLength = -1;
  #isChunked = false;
  #hops: Set<string> | null = null;

  constructor(minor: number, status: number, reason: string) {
    this.#minor = minor;
    this.#status = status;
    this.#reason = reason;
  }

  /** False: two readers could see two bodies behind it (RFC 9112 6.3), or there are too many. */
  note(name: string, value: string): boolean {
    if (this.#fields.length >= MOST_FIELDS) return false;
    const lower = name.toLowerCase();
    this.#fields.push([name, value, lower]);
    if (lower === "content-length") {
      if (!/^\d{1,15}$/.test(value) || this.#contentLength >= 0) return false;
      this.#contentLength = Number(value);
    } else if (lower === "transfer-encoding") {
      if (this.#isChunked || value.toLowerCase() !== "chunked") return false;
      this.#isChunked = true;
    } else if (lower === "connection") {
      this.#hops ??= new Set();
      for (const token of value.split(",")) this.#hops.add(token.trim().toLowerCase());
    }
    return true;
  }

  done(end: number): ResponseHead | "bad" {
    const hops = this.#hops ?? NO_HOPS;
    if (this.#isChunked && this.#contentLength >= 0) return "bad";
    const isKept = !hops.has("close") && (this.#minor > 0 || hops.has("keep-alive"));
    return {
      minor: this.#minor,
      status: this.#status,
      reason: this.#reason,
      fields: this.#fields,
      contentLength: this.#contentLength,
      isChunked: this.#isChunked,
      isKept,
      hops,
      end,
    };
  }
}
