/** Writes docs/options.md from the option table: `bun run options`. A test holds that it is what the table says. */
import { join } from "node:path";
import { renderReference } from "../src/config/print.ts";

await Bun.write(join(import.meta.dir, "../docs/options.md"), renderReference());
