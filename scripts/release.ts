/**
 * Builds the executable for every system there is a runtime for, into dist/release/, each with its SHA-256.
 * Called by `bun run release`; arguments choose targets. Those for musl want its libstdc++ on the machine
 * they run on, the others the C library alone.
 */
import { join } from "node:path";
import { writeChecksum } from "./checksum.ts";
import { compile, currentCommit, root } from "./compile.ts";
import { fetchRuntime, TARGETS } from "./runtimes.ts";

const asked = process.argv.slice(2);
const commit = currentCommit();
for (const name of asked.length > 0 ? asked : Object.keys(TARGETS)) {
  const file = join(root, "dist", "release", `sluice-${name}`);
  if (!compile(commit, file, fetchRuntime(name))) process.exit(1);
  console.log(`${writeChecksum(file)}  dist/release/sluice-${name}`);
}
