/**
 * Chance in tests: one generator, the one of `sluice verify`, so that what a printed seed found is found
 * again with it (`FUZZ_SEED=123 bun test test/wire`).
 */
import { Random as Seeded } from "../src/verify/random.ts";

export class Random extends Seeded {
  /** 0 <= n < limit. */
  below(limit: number): number {
    return Math.floor(this.next() * limit);
  }

  /** Up to maxParts of the given parts in a row. */
  text(parts: readonly string[], maxParts: number): string {
    let text = "";
    for (let count = this.below(maxParts + 1); count > 0; count--) text += this.pick(parts);
    return text;
  }

  bytes(maxLength: number): Uint8Array {
    return Uint8Array.from({ length: this.below(maxLength + 1) }, () => this.below(256));
  }
}

/** A generator for one test; prints what to set FUZZ_SEED to. */
export function seededRandom(label: string): Random {
  const seed = Number(process.env["FUZZ_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
  console.log(`${label}: FUZZ_SEED=${seed}`);
  return new Random(seed);
}

/** Draws whole numbers below a limit. */
export function randomBelow(seed: number): (limit: number) => number {
  const random = new Random(seed);
  return (limit) => random.below(limit);
}

/** Draws fractions: at least 0, below 1. */
export function randomFraction(seed: number): () => number {
  const random = new Random(seed);
  return () => random.next();
}
