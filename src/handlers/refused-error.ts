/**
 * What a handler's `publish`, `subscribe`, `answer` and shared dictionaries throw where a client would be
 * refused. A handler that lets it go has refused its own client with it: whoever calls somebody's code asks
 * `refusalIn` before it takes an error for a fault.
 */
import type { Refusal } from "../http/refusal.ts";
import { log } from "../log.ts";

/** `status` and `code` are those of the error table. */
export class RefusedError extends Error {
  readonly status: number;
  readonly code: string;
  readonly #refusal: Refusal;

  constructor(refusal: Refusal) {
    const { status, code, explain } = refusal;
    super(explain === null || explain === "" ? code : explain);
    this.name = "RefusedError";
    this.status = status;
    this.code = code;
    this.#refusal = refusal;
  }

  /** The row of the table; null: an error of another kind. */
  static refusalIn(error: unknown): Refusal | null {
    return error instanceof RefusedError ? error.#refusal : null;
  }
}

const toldMs = new Map<string, number>();

/** A line a second says as much as thousands. `what` is one of a few. */
export function tellOfRefused(what: string, error: unknown): void {
  const nowMs = performance.now();
  if (nowMs - (toldMs.get(what) ?? Number.NEGATIVE_INFINITY) < 1000) return;
  toldMs.set(what, nowMs);
  const why = error instanceof RefusedError ? error.code : String(error);
  log("warn", what, { why });
}

/** The refusal that somebody's code let go, with a line in the log; null: it failed otherwise. */
export function refusalIn(error: unknown, what: string): Refusal | null {
  const refusal = RefusedError.refusalIn(error);
  if (refusal !== null) tellOfRefused(`${what} was refused, and let that go`, error);
  return refusal;
}
