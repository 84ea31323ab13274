/**
 * `sluice key add`, `list`, `revoke`: the file that `publisher_keys_file` names. A key is shown once; what
 * the file has is its hash.
 */
import {
  chmodSync,
  chownSync,
  closeSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { dirname, resolve } from "node:path";
import {
  hashOfKey,
  type KeyLine,
  keyNameFault,
  newKey,
  printKeyLine,
  readKeyLine,
} from "../access/key-text.ts";
import { patternFault } from "../config/grant/patterns.ts";
import { loadConfig } from "../config/load.ts";
import { CommandFailure, ExitCode, usageFault } from "./failure.ts";
import { writeNote, writeOut } from "./output.ts";

export interface KeyFileOptions {
  readonly file?: string;
  readonly config?: string;
}

export interface KeyAddOptions extends KeyFileOptions {
  readonly publish?: readonly string[];
  readonly subscribe?: readonly string[];
}

const HEAD =
  "# Keys of sluice, hashed: name, id, hash, channels. `sluice key add`, `list` and `revoke` keep this " +
  "file.\n";
/** Of a new file: the group may be the server's. */
const MODE = 0o640;
/** How long somebody else may be at it. */
const PATIENCE_MS = 3000;
const LOOK_MS = 20;

/** Returns the exit code. */
export function keyAddCommand(name: string, options: KeyAddOptions): number {
  const { publish = [], subscribe = [] } = options;
  const fault = keyNameFault(name);
  if (fault !== null) throw usageFault(`${fault}.`);
  if (publish.length + subscribe.length === 0)
    throw usageFault("a key without --publish and --subscribe opens nothing.");
  for (const pattern of [...publish, ...subscribe]) {
    const sentence = patternFault(pattern);
    if (sentence !== null) throw usageFault(`${pattern}: ${sentence}`);
  }
  const path = fileOf(options);
  const { key, id } = newKey();
  const line = printKeyLine({ name, id, hash: hashOfKey(key), publish, subscribe });
  change(path, HEAD, (text) => `${text}${text === "" || text.endsWith("\n") ? "" : "\n"}${line}\n`);
  writeOut(`${key}\n`);
  writeNote(`${path} has the hash of this key of ${name}; the key itself is nowhere but here.\n`);
  return ExitCode.OK;
}

export function keyListCommand(options: KeyFileOptions & { readonly json?: boolean }): number {
  for (const { name, id, publish, subscribe } of linesOf(readOr(fileOf(options), null))) {
    const text = [
      name,
      id,
      `publish ${publish.join(" ") || "-"}`,
      `subscribe ${subscribe.join(" ") || "-"}`,
    ].join("  ");
    writeOut(`${options.json === true ? JSON.stringify({ name, id, publish, subscribe }) : text}\n`);
  }
  return ExitCode.OK;
}

export function keyRevokeCommand(name: string, options: KeyFileOptions): number {
  const path = fileOf(options);
  const isMeant = (line: string): boolean => {
    const read = readKeyLine(line);
    return read !== null && typeof read !== "string" && (read.name === name || read.id === name);
  };
  let count = 0;
  change(path, null, (text) => {
    const lines = text.split("\n");
    const kept = lines.filter((line) => !isMeant(line));
    count = lines.length - kept.length;
    if (count === 0) throw new CommandFailure(ExitCode.FAILURE, `there is no key ${name} in ${path}.`);
    return kept.join("\n");
  });
  writeNote(`${count} ${count === 1 ? "key" : "keys"} taken out of ${path}.\n`);
  return ExitCode.OK;
}

function linesOf(text: string): readonly KeyLine[] {
  return text.split("\n").flatMap((line) => {
    const read = readKeyLine(line);
    return read === null || typeof read === "string" ? [] : [read];
  });
}

function fileOf({ file, config }: KeyFileOptions): string {
  if (file !== undefined) return resolve(file);
  if (config === undefined)
    throw usageFault("which file? Say --file, or --config for the one that a configuration names.");
  const outcome = loadConfig({ file: config });
  if (!outcome.ok) throw usageFault(`${config} has faults; see \`sluice check\`.`);
  const files = new Set(outcome.config.locations.flatMap(({ grants }) => grants?.keysFile ?? []));
  const [only] = files;
  if (only === undefined) throw usageFault(`${config} names no publisher_keys_file.`);
  if (files.size > 1) throw usageFault(`${config} names ${files.size} files of keys; say which with --file.`);
  return only;
}

/** `missing`: what it is when there is none; null: that is a failure. */
function readOr(path: string, missing: string | null): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const isMissing = error instanceof Error && "code" in error && error.code === "ENOENT";
    if (isMissing && missing !== null) return missing;
    throw new CommandFailure(ExitCode.FAILURE, `${path} cannot be read: ${reasonOf(error)}.`);
  }
}

/**
 * At once: a server never sees half of it, and two who change it do so one after the other. With owner and
 * rights of the one that was there.
 */
function change(path: string, missing: string | null, edit: (text: string) => string): void {
  const next = `${path}.new`;
  const file = openAlone(next);
  try {
    writeSync(file, edit(readOr(path, missing)));
    keepRights(path, next);
    renameSync(next, path);
  } catch (error) {
    rmSync(next, { force: true });
    if (error instanceof CommandFailure) throw error;
    throw new CommandFailure(ExitCode.FAILURE, `${path} cannot be written: ${reasonOf(error)}.`);
  } finally {
    closeSync(file);
  }
}

function openAlone(path: string): number {
  const endMs = Date.now() + PATIENCE_MS;
  for (;;) {
    try {
      return openSync(path, "wx", MODE);
    } catch (error) {
      const isThere = error instanceof Error && "code" in error && error.code === "EEXIST";
      if (isThere && Date.now() < endMs) {
        Bun.sleepSync(LOOK_MS);
        continue;
      }
      const why = isThere
        ? "it is there, from somebody who changes the keys or died over it"
        : reasonOf(error);
      throw new CommandFailure(ExitCode.FAILURE, `${path} cannot be made: ${why}.`);
    }
  }
}

function keepRights(path: string, next: string): void {
  const before = statSync(path, { throwIfNoEntry: false });
  if (before === undefined) {
    // In /etc/sluice that is the service's, which has to read what root makes there.
    if (process.getuid?.() === 0) chownSync(next, 0, statSync(dirname(path)).gid);
    return;
  }
  chmodSync(next, before.mode & 0o777);
  const own = statSync(next);
  if (own.uid !== before.uid || own.gid !== before.gid) chownSync(next, before.uid, before.gid);
}

const reasonOf = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error))
    .replace(/^[A-Z]+: /, "")
    .replace(/, \w+( '.*')?$/, "");
