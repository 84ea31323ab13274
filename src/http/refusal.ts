/**
 * What a refusal is, and the two ways to write one down: for good, and for now. Rows of errors.ts and
 * frame-refusals.ts are made with them; whoever only passes a refusal on needs no more than the type.
 */
export interface Refusal {
  readonly code: string;
  readonly status: number;
  /** Value of X-Nginx-PushStream-Explain; null where the spec gives none. */
  readonly explain: string | null;
  /** Value of Retry-After; absent: a second where the status is 503, else none. */
  readonly retryAfterSec?: number;
}

/**
 * A row of the table: the same, and half a sentence for docs/errors.md: what a client did, or what is so at
 * the server.
 */
export interface RefusalRow extends Refusal {
  readonly when: string;
}

/** Seconds after which the same request may be answered otherwise; 0: never, as far as we know. */
export const retryAfterSec = (refusal: Refusal): number =>
  refusal.retryAfterSec ?? (refusal.status === 503 ? 1 : 0);

export const refusal = (code: string, status: number, explain: string | null, when: string): RefusalRow => ({
  code,
  status,
  explain,
  when,
});

/** One that may pass: the same request after so many seconds may be answered otherwise. */
export const passing = (
  code: string,
  status: number,
  retryAfterSec: number,
  explain: string | null,
  when: string,
): RefusalRow => ({ code, status, explain, when, retryAfterSec });
