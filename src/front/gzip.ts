/**
 * gzip of answers whose length is known (push-stream spec 4.15): information about channels, statistics,
 * files, returned texts. Called by front.ts. Subscribers' answers are compressed by subscribe/, which flushes
 * after each write.
 */
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import type { LocatedRequest } from "../config/location/located-request.ts";
import type { GzipConfig } from "../config/model/answers.ts";
import { acceptsGzip, gzipped, isGzipType } from "../http/content-coding.ts";

const gzipInThread = promisify(gzip);

/** nginx compresses these and no others. */
const STATUSES: ReadonlySet<number> = new Set([200, 403, 404]);
/**
 * From here on a thread does it: one megabyte on the event loop would hold deliveries for tens of
 * milliseconds.
 */
const IN_THREAD_BYTES = 32 * 1024;
/** Larger bodies are compressed as they are sent, not in memory. */
const STREAMED_BYTES = 8 * 1024 * 1024;

export class Compressor {
  readonly #types: readonly string[];
  readonly #minLength: number;
  readonly #level: number;
  readonly #mayBeEndless: boolean;

  /** `mayBeEndless`: a body whose length is not known may have no end (a handler's), and stays as it is. */
  constructor({ types, minLength, level }: GzipConfig, mayBeEndless = false) {
    this.#mayBeEndless = mayBeEndless;
    this.#types = types;
    this.#minLength = minLength;
    this.#level = level;
  }

  /** The answer itself when it is to stay as it is, else one with the same head and the body compressed. */
  compress(located: LocatedRequest, response: Response): Response | Promise<Response> {
    if (!this.#wants(located, response)) return response;
    const length = declaredLength(response);
    if (length === null ? this.#mayBeEndless : length < this.#minLength) return response;
    return length !== null && length > STREAMED_BYTES ? streamed(response) : this.#whole(response);
  }

  #wants(located: LocatedRequest, { status, headers }: Response): boolean {
    if (!STATUSES.has(status) || located.method === "HEAD" || headers.has("content-encoding")) return false;
    const type = headers.get("content-type");
    // No type, no body. What came through a proxy stays plain (gzip_proxied off).
    if (type === null || !isGzipType(this.#types, type)) return false;
    return acceptsGzip(located.header("accept-encoding")) && located.header("via") === null;
  }

  async #whole(response: Response): Promise<Response> {
    const { status, headers } = response;
    const body = new Uint8Array(await response.arrayBuffer());
    if (body.length < this.#minLength || body.length === 0)
      return new Response(body.length === 0 ? null : body, { status, headers });
    const packed =
      body.length < IN_THREAD_BYTES
        ? gzipped(body, this.#level)
        : new Uint8Array(await gzipInThread(body, { level: this.#level }));
    markEncoded(headers);
    headers.set("Content-Length", String(packed.length));
    return new Response(packed, { status, headers });
  }
}

function streamed({ status, headers, body }: Response): Response {
  markEncoded(headers);
  headers.delete("Content-Length");
  return new Response(body?.pipeThrough(new CompressionStream("gzip")) ?? null, { status, headers });
}

/** The entity is another one now: its ETag is weak and its ranges are not the file's (as nginx does). */
function markEncoded(headers: Headers): void {
  headers.set("Content-Encoding", "gzip");
  headers.delete("Accept-Ranges");
  const etag = headers.get("etag");
  if (etag !== null && !etag.startsWith("W/")) headers.set("ETag", `W/${etag}`);
}

function declaredLength({ headers }: Response): number | null {
  const text = headers.get("content-length");
  return text === null ? null : Number(text);
}
