/**
 * The body of a publish, read whole and bounded: by the declared length, which the endpoint has looked at before, or while it comes. Called by
 * endpoint.ts. The runtime's own bound is one number for all locations and answers without nginx's page, so it is no help here.
 */
import type { LocatedRequest } from "../config/located-request.ts";

export type Body = Uint8Array | "too large";

/** Rejects when the sender vanishes. `maxBytes` may be infinite. */
export function readBody({ request }: LocatedRequest, isDeclared: boolean, maxBytes: number): Promise<Body> {
  // A request that came by the early listener has no stream: its body is bounded there, by the largest location's limit.
  if (isDeclared || request.body === null)
    return request
      .arrayBuffer()
      .then((body) => (body.byteLength > maxBytes ? "too large" : new Uint8Array(body)));
  return readChunks(request.body, maxBytes);
}

async function readChunks(stream: ReadableStream<Uint8Array>, maxBytes: number): Promise<Body> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of stream) {
    length += chunk.length;
    if (length > maxBytes) return "too large";
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, length);
}
