/**
 * Writes docs/options.md, docs/errors.md and docs/monitoring/grafana.json from the tables in the code: `bun
 * run tables`. Tests hold that they say the same.
 */
import { join } from "node:path";
import { renderReference } from "../src/config/print.ts";
import { renderDashboard } from "./dashboard.ts";
import { renderErrors } from "./errors-page.ts";

const docs = join(import.meta.dir, "../docs");
await Bun.write(join(docs, "options.md"), renderReference());
await Bun.write(join(docs, "errors.md"), renderErrors());
await Bun.write(join(docs, "monitoring/grafana.json"), renderDashboard());
