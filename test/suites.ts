/**
 * What there is to run, and what may run beside what. Used by run.ts.
 *
 *   unit    a folder in one process: nothing but this program's own code, and the CPU
 *   files   each file in a process of its own, beside others: servers on free ports, which mostly wait
 *   pairs   one file of the folder at a time, beside one of another such folder: it wants a core for itself
 *   alone   with nothing beside it: it measures, or takes away what the machine has
 */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

type Kind = "unit" | "files" | "pairs" | "alone";

/** Cheap and pure first, so that a mistake shows early. */
export const SUITES: Readonly<Record<string, Kind>> = {
  architecture: "unit",
  papers: "unit",
  "papers-commands": "unit",
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
  browser: "pairs",
  systemd: "pairs",
};

/** Of folders whose other files are good neighbours. */
const ALONE: ReadonlySet<string> = new Set(["handlers/backpressure", "binary/unread-polls"]);

/** What takes longest begins first, so that the lanes end together: by the times that runs print. */
const LONGEST: readonly string[] = [
  "nginx/signals",
  "handlers/reload",
  "nginx/lifecycle",
  "binary/connection-options",
  "cli/sub",
  "binary/stop-signals",
  "binary/slow-readers",
  "binary/quit-signal",
  "nginx/polling",
  "binary/reload-command",
  "binary/idle-connections",
  "binary/reload-signal",
  "nginx/events",
  "nginx/corpus",
  "binary/stalled-connections",
  "libraries/libraries",
  "nginx/statistics",
  "nginx/web-socket",
  "binary/paced-drain",
  "nginx/configuration",
  "binary/socket-options",
  "fuzz/fanout",
  "verify/verify",
  "supervisor/main",
  "cluster/faults",
  "fuzz/store",
];

export interface Job {
  readonly title: string;
  /** For `bun test`. */
  readonly target: string;
  readonly kind: Kind;
}

/** In the order in which they are best begun. */
export function byLength(jobs: readonly Job[]): Job[] {
  const rank = ({ title, kind }: Job): number => {
    if (kind === "unit") return -1;
    const place = LONGEST.indexOf(title);
    return place < 0 ? LONGEST.length : place;
  };
  return jobs.toSorted((left, right) => rank(left) - rank(right));
}

/** The jobs of a suite, or of one file ("binary/limits"); none when there is no such thing. */
export function jobsOf(name: string): readonly Job[] {
  const [folder = "", file] = name.split("/");
  if (file !== undefined) return existsSync(pathOf(`${name}.test.ts`)) ? [jobOf(name)] : [];
  if (existsSync(pathOf(`${name}.test.ts`))) return [jobOf(name)];
  if (!existsSync(pathOf(folder))) return [];
  if (SUITES[folder] === "unit") return [{ title: folder, target: `./test/${folder}/`, kind: "unit" }];
  const files = readdirSync(pathOf(folder), { recursive: true, encoding: "utf8" });
  return files
    .filter((each) => each.endsWith(".test.ts"))
    .sort()
    .map((each) => jobOf(`${folder}/${each.slice(0, -".test.ts".length)}`));
}

function jobOf(title: string): Job {
  const kind = ALONE.has(title) ? "alone" : (SUITES[title.split("/")[0] ?? ""] ?? "files");
  return { title, target: `./test/${title}.test.ts`, kind };
}

const pathOf = (name: string): string => join(import.meta.dir, name);
