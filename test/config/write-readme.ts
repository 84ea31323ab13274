/** Writes the option reference into the README, where a test expects it: `bun test/config/write-readme.ts` after changing an option. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { updateReadme } from "../../src/config/print.ts";

const readme = join(import.meta.dir, "../../README.md");
writeFileSync(readme, updateReadme(readFileSync(readme, "utf8")));
