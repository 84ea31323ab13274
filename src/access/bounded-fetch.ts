/**
 * Requests to those whom the configuration names, and to nobody else: no redirect is followed, and neither
 * time nor size is theirs to choose. Used for key sets and for the backend that decides.
 */
export interface Fetched {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Uint8Array;
}

export class TooLarge extends Error {}

export interface FetchBounds {
  readonly timeoutMs: number;
  readonly maxBytes: number;
}

/** Rejects when it takes too long, is too large, or cannot be had at all. */
export async function boundedFetch(
  url: string,
  headers: Headers,
  { timeoutMs, maxBytes }: FetchBounds,
): Promise<Fetched> {
  const signal = AbortSignal.timeout(timeoutMs);
  const response = await fetch(url, { method: "GET", headers, redirect: "manual", signal });
  return { status: response.status, headers: response.headers, body: await boundedBody(response, maxBytes) };
}

/** Rejects when there is more. */
export async function boundedBody(response: Response, maxBytes: number): Promise<Uint8Array> {
  if (response.body === null) return new Uint8Array(0);
  const chunks: Uint8Array[] = [];
  let length = 0;
  const reader = response.body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return Buffer.concat(chunks);
    length += value.length;
    if (length > maxBytes) {
      // Nobody waits for how its end is taken.
      reader.cancel().catch(() => undefined);
      throw new TooLarge(`the answer has more than ${maxBytes} bytes`);
    }
    chunks.push(value);
  }
}
