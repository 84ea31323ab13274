/**
 * From a request of node:http to the `Request` the application takes. Used by early-listener.ts.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { isRefusedPath } from "./raw-path.ts";

/**
 * The whole body; rejects when it is longer than `maxBytes` (0 = unlimited), or its sender leaves or sends nothing for `idleMs`:
 * node:http would wait for the rest for ever. By events, because ending a loop over `incoming` early also answers, and with 200.
 */
function readBody(incoming: IncomingMessage, maxBytes: number, idleMs: number): Promise<ArrayBuffer> {
  const { promise, resolve, reject } = Promise.withResolvers<ArrayBuffer>();
  const chunks: Buffer[] = [];
  let length = 0;
  let seen = 0;
  const look = setInterval(() => {
    if (length === seen) fail(new Error("the rest of the body did not come"));
    seen = length;
  }, idleMs);
  const take = (chunk: Buffer): void => {
    length += chunk.length;
    if (maxBytes > 0 && length > maxBytes) fail(new RangeError("the body is too large"));
    else chunks.push(chunk);
  };
  const fail = (error: Error): void => {
    // What still comes is read and dropped.
    incoming.off("data", take).resume();
    clearInterval(look);
    reject(error);
  };
  incoming
    .on("data", take)
    .once("error", fail)
    .once("close", () => fail(new Error("its sender left")))
    .once("end", () => {
      clearInterval(look);
      resolve(joined(chunks, length));
    });
  return promise;
}

function joined(chunks: readonly Buffer[], length: number): ArrayBuffer {
  const whole = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole.buffer;
}

/** Of these the first counts (push-stream spec 2.4); others are joined. Bun's own server joins them all. */
const FIRST_WINS = /^event-(?:id|type)$/i;

/**
 * The status with which a request is refused for its transfer coding; null: it has none, or one that is read. With one that was not
 * undone nobody knows what the body is (RFC 9112 6.1, 7).
 */
export function refusedCoding({ headers, httpVersionMinor }: IncomingMessage): number | null {
  const coding = headers["transfer-encoding"];
  if (coding === undefined) return null;
  // Framing of another version: faulty.
  if (httpVersionMinor === 0) return 400;
  return coding.trim().toLowerCase() === "chunked" ? null : 501;
}

/** null: no request can be made of it (400). Its body is read when it is asked for, as a channel is made before (spec 2.1). */
export function requestOf(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  { maxBytes, idleMs }: { readonly maxBytes: number; readonly idleMs: number },
): Request | null {
  const abort = new AbortController();
  outgoing.once("close", () => {
    if (!outgoing.writableFinished) abort.abort();
  });
  const request = headOf(incoming, abort.signal);
  if (request !== null)
    Object.defineProperty(request, "arrayBuffer", { value: () => readBody(incoming, maxBytes, idleMs) });
  return request;
}

/** The request without its body. null as above. */
export function headOf(incoming: IncomingMessage, signal: AbortSignal | null = null): Request | null {
  try {
    const headers = new Headers();
    const raw = incoming.rawHeaders;
    for (let i = 0; i + 1 < raw.length; i += 2) {
      const name = raw[i] ?? "";
      if (!(FIRST_WINS.test(name) && headers.has(name))) headers.append(name, raw[i + 1] ?? "");
    }
    // A server must ignore it in a request of HTTP/1.0 (RFC 9110 7.8).
    if (incoming.httpVersionMinor === 0) headers.delete("upgrade");
    const path = pathOf(incoming.url ?? "/", headers);
    if (path === null || isRefusedPath(path.split("?", 1)[0] ?? "")) return null;
    if (NO_HOST.test(headers.get("host") ?? "")) return null;
    // The Host stays out of the URL: an empty one would make a host of the path. Whoever asks for it reads the header.
    const scheme = Reflect.get(incoming.socket, "encrypted") === true ? "https" : "http";
    const url = `${scheme}://localhost${safePath(path)}`;
    return new Request(url, { method: incoming.method ?? "GET", headers, signal });
  } catch {
    // A host, header or method that no Request can have.
    return null;
  }
}

/** What cannot stand in a Host (RFC 9110 7.2): such a request is refused, as by Bun's own server. */
const NO_HOST = /[^\x21-\x7e]|[/\\?#@]/;
const ABSOLUTE = /^https?:\/\/([^/?#]*)/i;

/** The path and query of a request target; the authority of an absolute one replaces the Host (RFC 9112 3.2.2). null: it has no path. */
function pathOf(target: string, headers: Headers): string | null {
  const absolute = ABSOLUTE.exec(target);
  if (absolute === null) return target.startsWith("/") ? target : null;
  headers.set("Host", absolute[1] ?? "");
  const path = target.slice(absolute[0].length);
  return path.startsWith("/") ? path : `/${path}`;
}

/** What the URL parser would change beyond escaping: a fragment in a query, bytes that are no ASCII. */
const safePath = (path: string): string =>
  path.replace(/[^\x21-\x7e]|#/g, (character) => {
    const code = character.charCodeAt(0) & 0xff;
    return `%${code.toString(16).padStart(2, "0")}`;
  });
