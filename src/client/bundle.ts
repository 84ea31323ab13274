/**
 * A macro, as src/web/pushstream/bundle.ts is one: Bun runs it while web/client-files.ts is transpiled or compiled. The same for the npm
 * package, which scripts/client-package.ts makes.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface ClientFiles {
  /** An ES module, minified. */
  readonly "sluice.js": string;
  readonly "sluice.js.map": string;
  readonly "sluice.d.ts": string;
}

/** Throws what the bundler has to say. */
export function bundleClient(): ClientFiles {
  const folder = mkdtempSync(join(tmpdir(), "sluice-client-"));
  try {
    const options = ["--format=esm", "--target=browser", "--minify", "--sourcemap=linked"];
    const out = [`--outdir=${folder}`, "--entry-naming=sluice.[ext]"];
    const entry = join(import.meta.dir, "entry.ts");
    const run = Bun.spawnSync([process.execPath, "build", entry, ...options, ...out]);
    if (!run.success) throw new Error(run.stderr.toString());
    return {
      "sluice.js": readFileSync(join(folder, "sluice.js"), "utf8").replace(/\n\/\/# debugId=.*/, ""),
      "sluice.js.map": placeless(readFileSync(join(folder, "sluice.js.map"), "utf8")),
      "sluice.d.ts": readFileSync(join(import.meta.dir, "sluice.d.ts"), "utf8"),
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Of the file names the last part: where the checkout lies is nobody's business, and the same commit gives the same bytes. */
function placeless(text: string): string {
  const { version, sources, sourcesContent, mappings, names } = JSON.parse(text);
  const short = sources.map((source: string) => source.slice(source.lastIndexOf("/") + 1));
  return JSON.stringify({ version, sources: short, sourcesContent, mappings, names });
}
