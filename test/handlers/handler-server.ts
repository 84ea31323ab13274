/**
 * The compiled binary with TypeScript handlers beside its configuration. Suites run on both listeners, with
 * one worker and with two.
 */
import { describe } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type RunningServer, startServer } from "../binary/running-server.ts";

export interface Setting {
  readonly workers: number;
  readonly listener: "native" | "wire";
}

export interface HandlerParts {
  /** Texts by path, relative to the configuration's folder. */
  readonly files: Readonly<Record<string, string>>;
  readonly toml: string;
  readonly args?: readonly string[];
}

export const ALL_SETTINGS: readonly Setting[] = [
  { workers: 1, listener: "native" },
  { workers: 2, listener: "native" },
  { workers: 1, listener: "wire" },
  { workers: 2, listener: "wire" },
];

/** The suite once for each setting. */
export function forSettings(title: string, suite: (setting: Setting) => void): void {
  for (const setting of ALL_SETTINGS)
    describe(`${title}, ${setting.listener} listener, ${setting.workers} worker(s)`, () => suite(setting));
}

export function startHandlers(
  { workers, listener }: Setting,
  { files, toml, args = [] }: HandlerParts,
): Promise<RunningServer> {
  const folder = folderWith(files);
  return startServer({ folder, workers, toml, args: [...args, "--listener", listener] });
}

const folders: string[] = [];
/** Call after the last test of a file that makes folders itself. */
export function removeFolders(): void {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
}

export function folderWith(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), "sluice-handlers-"));
  folders.push(folder);
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return folder;
}

/** `[[location]]`s at "= /name" for files "name.ts". */
export const handlerLocations = (names: readonly string[], more = ""): string =>
  names.map((name) => `[[location]]\nmatch = "= /${name}"\nhandler = "${name}.ts"\n${more}\n`).join("");

/** Of the workers, from /proc: main's children. They are the same as long as no worker died. */
export function workerPids(server: RunningServer): readonly number[] {
  const children: number[] = [];
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, "utf8");
      if (Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]) === server.process.pid)
        children.push(Number(name));
    } catch {
      // It ended while the list was read.
    }
  }
  return children.sort((left, right) => left - right);
}

/** Of the error table of a failing handler: the id the client was told, which has to be in the log. */
export function errorId(fields: ReadonlyMap<string, string>): string {
  const id = fields.get("x-sluice-error-id");
  if (id === undefined) throw new Error("no error id");
  return id;
}
