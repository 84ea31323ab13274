/**
 * Makes what a version is released as, into dist/release/: an executable for every system there is a runtime
 * for, the Debian packages, the client's package, the documentation, what changed, and SHA256SUMS of all.
 * Called by `bun run release`; arguments choose targets. Executables for musl want its libstdc++ on the
 * machine they run on, the others the C library alone.
 *
 * Everything follows from the commit alone, times included: a second run anywhere has the same sums.
 */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { version } from "../package.json";
import { writeChecksum } from "./checksum.ts";
import { makeClientPackage } from "./client-package.ts";
import { compile, currentCommit, root } from "./compile.ts";
import { ARCHITECTURES, makePackage } from "./package.ts";
import { makeChanges, makeDocsArchive, sumUp } from "./release-parts.ts";
import { fetchRuntime, TARGETS } from "./runtimes.ts";

const asked = process.argv.slice(2);
const commit = currentCommit();
const folder = join(root, "dist", "release");
// What another version left there is no part of this one.
rmSync(folder, { recursive: true, force: true });
for (const name of asked.length > 0 ? asked : Object.keys(TARGETS)) {
  const binary = join(folder, `sluice-${name}`);
  if (!compile(commit, binary, fetchRuntime(name))) process.exit(1);
  writeChecksum(binary);
  const architecture = ARCHITECTURES[name];
  if (architecture !== undefined) makePackage({ binary, architecture, version, folder, compress: true });
}
makeClientPackage(folder);
makeDocsArchive(folder);
makeChanges(folder);
process.stdout.write(sumUp(folder));
