/**
 * Reads the body of a held answer chunk by chunk until it ends, is cut or is not wanted any more. Shared by the HTTP
 * transports, which differ only in what they do with a chunk.
 */
import { networkReason } from "./http.ts";
import { MessageTooLarge } from "./pending-bytes.ts";
import { broken, closed, type Ending } from "./transport.ts";

/** What readBody resolves with when the answer is complete; any other ending means that it was cut short. */
export const BODY_COMPLETE = closed("the server ended the stream");

/** Resolves with how the body ended. `onChunk` may throw MessageTooLarge, which ends the connection as broken. */
export async function readBody(response: Response, onChunk: (chunk: Uint8Array) => void): Promise<Ending> {
  if (response.body === null) return BODY_COMPLETE;
  const reader = response.body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return BODY_COMPLETE;
      onChunk(value);
    }
  } catch (error) {
    if (!(error instanceof MessageTooLarge)) return closed(networkReason(error));
    // The rest of an endless message must not keep arriving.
    await reader.cancel();
    return broken(`the server ${error.message}; the connection was given up.`);
  }
}
