/**
 * SHA-256 files beside what is released, in the form `sha256sum --check` reads. Called by build.ts,
 * release.ts and package.ts.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { basename } from "node:path";

/** Writes `<path>.sha256` and returns the sum as hex. */
export function writeChecksum(path: string): string {
  const sum = new Bun.CryptoHasher("sha256").update(readFileSync(path)).digest("hex");
  writeFileSync(`${path}.sha256`, `${sum}  ${basename(path)}\n`);
  return sum;
}
