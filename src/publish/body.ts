/**
 * The body of a publish, read whole and bounded: by the declared length, which the endpoint has looked at
 * before, or while it comes. Called by endpoint.ts. The runtime's own bound is one number for all locations
 * and answers without nginx's page, so it is no help here.
 */
import type { LocatedRequest } from "../config/location/located-request.ts";

export type Body = Uint8Array | "too large";

/** Rejects when the sender vanishes. `maxBytes` may be infinite. */
export function readBody(located: LocatedRequest, isDeclared: boolean, maxBytes: number): Promise<Body> {
  const whole = wholeBody(located, isDeclared);
  if (whole === null) return readChunks(located, maxBytes);
  return whole.then((body) => (body.length > maxBytes ? "too large" : body));
}

/**
 * One whose length is known, or bounded by its door (of a wire request, which has no stream); null: it has to
 * be read in chunks.
 */
export const wholeBody = ({ request }: LocatedRequest, isDeclared: boolean): Promise<Uint8Array> | null =>
  isDeclared || request.body === null ? request.bytes() : null;

async function readChunks({ request }: LocatedRequest, maxBytes: number): Promise<Body> {
  const { body } = request;
  return body === null ? new Uint8Array(0) : await collected(body, maxBytes);
}

/** Put together as it comes: a client may send chunks of a byte, and each would be an object to the end. */
async function collected(stream: ReadableStream<Uint8Array>, maxBytes: number): Promise<Body> {
  let bytes = new Uint8Array(0);
  let length = 0;
  for await (const chunk of stream) {
    const before = length;
    length += chunk.length;
    if (length > maxBytes) return "too large";
    if (length > bytes.length) {
      const grown = new Uint8Array(Math.max(length, Math.min(2 * bytes.length, maxBytes)));
      grown.set(bytes);
      bytes = grown;
    }
    bytes.set(chunk, before);
  }
  return bytes.subarray(0, length);
}
