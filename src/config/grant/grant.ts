/**
 * What somebody may do here, wherever that is said: in a token, with a key, by a backend, by a handler.
 * src/access makes them; all who serve read them.
 */
import type { Patterns } from "./patterns.ts";

export interface Grant {
  /** Who it is; null: nobody said. */
  readonly sub: string | null;
  /** Of the token, by which it can be taken back alone; null: it has none. */
  readonly jti: string | null;
  /** When it was issued, in seconds since 1970; null: nobody said. */
  readonly issuedSec: number | null;
  /** When it ends, in milliseconds since 1970; Infinity: never. */
  readonly endMs: number;
  /** The same as the token has it, in seconds, without allowance for clocks; null: never. */
  readonly expiresSec: number | null;
  readonly subscribe: Patterns;
  readonly publish: Patterns;
  /** What others may know of them; undefined: nothing. */
  readonly info: unknown;
}

/** Most never end, and the clock costs as much as all else that is asked of a grant. */
export const hasEnded = ({ endMs }: Pick<Grant, "endMs">): boolean =>
  endMs !== Number.POSITIVE_INFINITY && endMs <= Date.now();
