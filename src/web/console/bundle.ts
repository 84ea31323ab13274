/**
 * A macro, as pushstream/bundle.ts is one: the script of the console with the plots' library in it, minified.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";

export interface ConsoleSources {
  readonly page: string;
  readonly script: string;
  /** Of the page, and of the plots. */
  readonly style: string;
}

/** Throws what the bundler has to say. */
export function bundleConsole(): ConsoleSources {
  const entry = join(import.meta.dir, "main.js");
  const run = Bun.spawnSync([
    process.execPath,
    "build",
    entry,
    "--format=iife",
    "--target=browser",
    "--minify",
  ]);
  if (!run.success) throw new Error(run.stderr.toString());
  const text = (name: string): string => readFileSync(join(import.meta.dir, name), "utf8");
  const plots = text("../../../node_modules/uplot/dist/uPlot.min.css");
  return {
    page: text("console.html"),
    script: run.stdout.toString(),
    style: `${text("console.css")}\n${plots}`,
  };
}
