/**
 * What there is to run, and what may run beside what. Used by run.ts.
 *
 *   unit    a folder in one process: nothing but this program's own code, and the CPU
 *   files   each file in a process of its own, beside others: servers on free ports, which mostly wait
 *   alone   the same with nothing beside it: it measures, or takes away what the machine has
 */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

type Kind = "unit" | "files" | "alone";

/**
 * Cheap and pure first, so that a mistake shows early; what takes long before what does not, so that the
 * lanes end together.
 */
export const SUITES: Readonly<Record<string, Kind>> = {
  architecture: "unit",
  leaves: "unit",
  wire: "unit",
  config: "unit",
  store: "unit",
  fanout: "unit",
  files: "unit",
  web: "unit",
  proxy: "unit",
  front: "files",
  listen: "files",
  fuzz: "files",
  race: "files",
  nginx: "files",
  binary: "files",
  handlers: "files",
  subscribe: "files",
  supervisor: "files",
  cli: "files",
  delivery: "files",
  cluster: "files",
  publish: "files",
  admin: "files",
  proxies: "files",
  access: "files",
  webhooks: "files",
  presence: "files",
  libraries: "files",
  client: "files",
  verify: "files",
  console: "files",
  monitoring: "files",
  recipes: "files",
  build: "files",
  browser: "alone",
  systemd: "alone",
};

/** Of folders whose other files are good neighbours. */
const ALONE: ReadonlySet<string> = new Set([
  "handlers/backpressure",
  "binary/idle-connections",
  "binary/unread-polls",
]);

export interface Job {
  readonly title: string;
  /** For `bun test`. */
  readonly target: string;
  readonly isAlone: boolean;
}

/** The jobs of a suite, or of one file ("binary/limits"); none when there is no such thing. */
export function jobsOf(name: string): readonly Job[] {
  const [folder = "", file] = name.split("/");
  if (file !== undefined) return existsSync(pathOf(`${name}.test.ts`)) ? [jobOf(name)] : [];
  if (existsSync(pathOf(`${name}.test.ts`))) return [jobOf(name)];
  if (!existsSync(pathOf(folder))) return [];
  if (SUITES[folder] === "unit") return [{ title: folder, target: `./test/${folder}/`, isAlone: false }];
  const files = readdirSync(pathOf(folder), { recursive: true, encoding: "utf8" });
  return files
    .filter((each) => each.endsWith(".test.ts"))
    .sort()
    .map((each) => jobOf(`${folder}/${each.slice(0, -".test.ts".length)}`));
}

function jobOf(title: string): Job {
  const isAlone = ALONE.has(title) || SUITES[title.split("/")[0] ?? ""] === "alone";
  return { title, target: `./test/${title}.test.ts`, isAlone };
}

const pathOf = (name: string): string => join(import.meta.dir, name);
