/** Writes docs/options.md and docs/errors.md from the tables in the code: `bun run tables`. Tests hold that they say the same. */
import { join } from "node:path";
import { renderReference } from "../src/config/print.ts";
import { renderErrors } from "./errors-page.ts";

const docs = join(import.meta.dir, "../docs");
await Bun.write(join(docs, "options.md"), renderReference());
await Bun.write(join(docs, "errors.md"), renderErrors());
