/**
 * A macro, as src/web/pushstream/bundle.ts is one: Bun runs it while web/client-files.ts is transpiled or
 * compiled. The same for the npm package, which scripts/client-package.ts makes.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const ENTRIES = { sluice: "entry.ts", "sluice.shared": "shared.ts" } as const;
type Name = keyof typeof ENTRIES;

/** ES modules, minified, each whole by itself; their source maps and types. */
export type ClientFiles = Readonly<Record<`${Name}.${"js" | "js.map" | "d.ts"}`, string>>;

/** Throws what the bundler has to say. */
export const bundleClient = (): ClientFiles => ({ ...bundled("sluice"), ...bundled("sluice.shared") });

function bundled<Its extends Name>(name: Its) {
  const folder = mkdtempSync(join(tmpdir(), "sluice-client-"));
  try {
    const options = ["--format=esm", "--target=browser", "--minify", "--sourcemap=linked"];
    const out = [`--outdir=${folder}`, `--entry-naming=${name}.[ext]`];
    const entry = join(import.meta.dir, ENTRIES[name]);
    const run = Bun.spawnSync([process.execPath, "build", entry, ...options, ...out]);
    if (!run.success) throw new Error(run.stderr.toString());
    const read = (file: string): string => readFileSync(join(folder, file), "utf8");
    return {
      [`${name}.js`]: read(`${name}.js`).replace(/\n\/\/# debugId=.*/, ""),
      [`${name}.js.map`]: placeless(read(`${name}.js.map`)),
      [`${name}.d.ts`]: readFileSync(join(import.meta.dir, `${name}.d.ts`), "utf8"),
    } as Record<`${Its}.${"js" | "js.map" | "d.ts"}`, string>;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * Of the file names the last part: where the checkout lies is nobody's business, and the same commit gives
 * the same bytes.
 */
function placeless(text: string): string {
  const { version, sources, sourcesContent, mappings, names } = JSON.parse(text);
  const short = sources.map((source: string) => source.slice(source.lastIndexOf("/") + 1));
  return JSON.stringify({ version, sources: short, sourcesContent, mappings, names });
}
