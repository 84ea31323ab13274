/**
 * The access logs of a location (issue "OpenResty parts", 4): one line for each answer. Called by front.ts
 * when an answer is made, which for held streams is their beginning: the runtime does not tell when one ended
 * in peace. A long poll is logged when it is answered.
 */
import type { LocatedRequest } from "../config/location/located-request.ts";
import type { LocationConfig } from "../config/model.ts";
import { LogFile } from "./log-file.ts";
import { compileLogFormat, type LineMaker } from "./log-format.ts";

/** All logs of a worker, by path: locations that write into the same file share it. */
export class LogFiles {
  readonly #files = new Map<string, LogFile>();

  /** The first location that names a path says how it is buffered; nginx wants them to agree. */
  file(path: string, bufferBytes: number, flushMs: number): LogFile {
    const known = this.#files.get(path);
    if (known !== undefined) return known;
    const file = new LogFile(path, bufferBytes, flushMs);
    this.#files.set(path, file);
    return file;
  }

  reopen(): void {
    for (const file of this.#files.values()) file.reopen();
  }

  async close(): Promise<void> {
    await Promise.all(Array.from(this.#files.values(), (file) => file.close()));
  }
}

interface Log {
  readonly file: LogFile;
  readonly line: LineMaker;
}

export class AccessLog {
  readonly #logs: readonly Log[];
  readonly #mayBeEndless: boolean;
  /** When requests under way came. */
  readonly #arrivals = new WeakMap<LocatedRequest, number>();

  constructor(location: LocationConfig, files: LogFiles) {
    this.#mayBeEndless = ["subscriber", "handler", "proxy"].includes(location.role.kind);
    this.#logs = location.accessLogs.map(({ path, format, bufferBytes, flushMs }) => ({
      file: files.file(path, bufferBytes, flushMs),
      line: compileLogFormat(format, location),
    }));
  }

  arrived(located: LocatedRequest): void {
    this.#arrivals.set(located, Date.now());
  }

  /** The answer, or one like it where its length could only be had by reading it. */
  answered(located: LocatedRequest, response: Response): Response | Promise<Response> {
    const length = this.#knownLength(located, response);
    if (length !== null) {
      this.#write(located, response, length);
      return response;
    }
    const { status, headers } = response;
    // Compressed as it is sent, because it is large (gzip.ts): the line is written when it is over.
    if (headers.has("content-encoding")) {
      const body = response.body?.pipeThrough(
        countedStream((bytes) => this.#write(located, response, bytes)),
      );
      return new Response(body ?? null, { status, headers });
    }
    return response.bytes().then((body) => {
      this.#write(located, response, body.length);
      return new Response(body, { status, headers });
    });
  }

  /** null: it has to be read. A subscriber's never is: it may have no end. */
  #knownLength(located: LocatedRequest, response: Response): number | null {
    if (located.method === "HEAD") return 0;
    const declared = response.headers.get("content-length");
    if (declared !== null) return Number(declared);
    return this.#mayBeEndless || response.body === null ? 0 : null;
  }

  #write(located: LocatedRequest, response: Response, bodyBytes: number): void {
    const nowMs = Date.now();
    const startMs = this.#arrivals.get(located) ?? nowMs;
    const answered = { located, response, bodyBytes, startMs, nowMs };
    for (const { file, line } of this.#logs) file.write(line(answered));
  }
}

/** Passes everything on, and tells how many bytes it was when all are through or nobody wants the rest. */
function countedStream(over: (bytes: number) => void): TransformStream<Uint8Array, Uint8Array> {
  let bytes = 0;
  // `cancel` is in the standard and in the runtime, not yet in its types.
  const counter: Transformer<Uint8Array, Uint8Array> & { readonly cancel: () => void } = {
    transform: (chunk, controller) => {
      bytes += chunk.length;
      controller.enqueue(chunk);
    },
    flush: () => over(bytes),
    cancel: () => over(bytes),
  };
  return new TransformStream(counter);
}
