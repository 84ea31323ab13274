/**
 * From a request of node:http to the `Request` the application takes. Used by early-listener.ts.
 */
import type { IncomingMessage, ServerResponse } from "node:http";

/** The whole body; rejects when it is longer than `maxBytes` (0 = unlimited) or its sender leaves. */
async function readBody(incoming: IncomingMessage, maxBytes: number): Promise<ArrayBuffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (maxBytes > 0 && length > maxBytes) throw new RangeError("the body is too large");
    chunks.push(chunk);
  }
  const whole = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole.buffer;
}

/** null: no request can be made of it (400). Its body is read when it is asked for, as a channel is made before (spec 2.1). */
export function requestOf(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  maxBytes: number,
): Request | null {
  const abort = new AbortController();
  outgoing.once("close", () => {
    if (!outgoing.writableFinished) abort.abort();
  });
  try {
    const headers = new Headers();
    const raw = incoming.rawHeaders;
    for (let i = 0; i + 1 < raw.length; i += 2) headers.append(raw[i] ?? "", raw[i + 1] ?? "");
    const url = `http://${incoming.headers.host ?? "localhost"}${safePath(incoming.url ?? "/")}`;
    const request = new Request(url, { method: incoming.method ?? "GET", headers, signal: abort.signal });
    Object.defineProperty(request, "arrayBuffer", { value: () => readBody(incoming, maxBytes) });
    return request;
  } catch {
    // A host, header or method that no Request can have.
    return null;
  }
}

/** What the URL parser would change beyond escaping: a fragment, backslashes, bytes that are no ASCII. */
const safePath = (path: string): string =>
  path.replace(/[^\x21-\x7e]|[#\\]/g, (character) => {
    const code = character.charCodeAt(0) & 0xff;
    return `%${code.toString(16).padStart(2, "0")}`;
  });
