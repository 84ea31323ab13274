/**
 * What can be known of the handler files of a configuration before any of them runs: that they are there,
 * inside the configuration's folder, that they are TypeScript, and that they export what their option wants.
 * Called by `sluice check` and `sluice serve`.
 *
 * Files they import by a relative path are looked at as well. Nothing is executed.
 */
import { readFileSync, realpathSync } from "node:fs";
import { dirname, resolve, sep } from "node:path";
import { type Fault, shownValue } from "../config/fault.ts";
import type { NamedCode } from "../config/location/named-code.ts";
import type { CodeConfig } from "../config/model/code.ts";
import { builtIn, builtInNames, isBuiltIn } from "./built-in.ts";

/** More files than these are not read: whoever has them has a build of his own. */
const MAX_FILES = 500;

type Use = keyof Pick<CodeConfig, "handler" | "authorize" | "hooks">;

/** What a file must export for its option, one of these. */
const WANTED: Readonly<Record<Use, readonly string[]>> = {
  handler: ["default", "websocket"],
  authorize: ["authorize"],
  hooks: ["onSubscribe", "onUnsubscribe", "onPublish"],
};

/** Handler files, and everything they import from beside them: what `serve --watch` watches. Real paths. */
export interface HandlerCheck {
  readonly faults: readonly Fault[];
  readonly files: readonly string[];
}

/** `configFile` undefined: the embedded default, whose handlers are built in. */
export function checkHandlers(locations: readonly NamedCode[], configFile?: string): HandlerCheck {
  const check = new Check(configFile ?? "");
  locations.forEach(({ match, code }) => {
    for (const use of ["handler", "authorize", "hooks"] as const) {
      const path = code?.[use] ?? null;
      if (path !== null) check.option(use, path, match);
    }
  });
  return { faults: check.faults, files: [...check.files.keys()] };
}

/** What a scan of one file found. */
interface Scan {
  readonly exports: readonly string[];
  /** `export *`: there may be more. */
  readonly isOpen: boolean;
}

class Check {
  readonly faults: Fault[] = [];
  readonly files = new Map<string, Scan | null>();
  readonly #configFile: string;
  readonly #folder: string;
  readonly #told = new Set<string>();

  constructor(configFile: string) {
    this.#configFile = configFile;
    this.#folder = real(dirname(resolve(configFile))) ?? "";
  }

  option(use: Use, path: string, match: string): void {
    const fault = (sentence: string): void => this.#fault(use, path, match, sentence);
    if (isBuiltIn(path)) {
      if (builtIn(path) === undefined)
        fault(`there is no such handler of ours; there are ${builtInNames()}.`);
      return;
    }
    const file = real(path);
    const isInside = file?.startsWith(this.#folder + sep) === true;
    if (file === null) fault("there is no such file.");
    else if (!isInside) fault(`it must lie in the configuration's folder, ${this.#folder}, or below it.`);
    const scan = file !== null && isInside ? this.#scan(file, fault) : null;
    const wanted = WANTED[use];
    if (scan !== null && !scan.isOpen && !wanted.some((name) => scan.exports.includes(name)))
      fault(`it exports ${scan.exports.join(", ") || "nothing"}; ${use} wants ${wanted.join(" or ")}.`);
  }

  /** null: it cannot be read, or is no TypeScript; that is told. */
  #scan(file: string, unreadable: (sentence: string) => void): Scan | null {
    const known = this.files.get(file);
    if (known !== undefined) return known;
    this.files.set(file, null);
    if (this.files.size > MAX_FILES) return null;
    let text: string;
    try {
      text = readFileSync(file, "utf8");
    } catch (error) {
      unreadable(`it cannot be read: ${error instanceof Error ? error.message : String(error)}.`);
      return null;
    }
    const scan = this.#parse(file, text);
    this.files.set(file, scan);
    return scan;
  }

  #parse(file: string, text: string): Scan | null {
    let found: Bun.Transpiler extends { scan(code: string): infer Result } ? Result : never;
    try {
      found = transpilerOf(file).scan(text);
    } catch (error) {
      this.faults.push(...syntaxFaults(file, error));
      return null;
    }
    for (const { kind, path } of found.imports) this.#import(file, text, kind, path);
    return { exports: found.exports, isOpen: /\bexport\s*\*/.test(text) };
  }

  #import(file: string, text: string, kind: string, path: string): void {
    if (path === "sluice") {
      const line = lineOf(text, /from\s*["']sluice["']/);
      const sentence = 'there is nothing in "sluice" at run time: write `import type`.';
      this.faults.push({ place: `${file}:${line}`, path: "", value: "", sentence });
      return;
    }
    if (!/^\.{1,2}\//.test(path) || kind === "dynamic-import") return;
    const target = resolved(file, path);
    if (target !== null && /\.[cm]?[jt]sx?$/.test(target)) {
      this.#scan(target, () => undefined);
      return;
    }
    if (target !== null) return;
    const line = lineOf(text, new RegExp(`["']${RegExp.escape(path)}["']`));
    this.faults.push({
      place: `${file}:${line}`,
      path: "",
      value: "",
      sentence: `there is no file ${path}.`,
    });
  }

  /** Each once: a location with steps is in the model several times. */
  #fault(use: Use, path: string, match: string, sentence: string): void {
    const told = `${use} ${path} ${match} ${sentence}`;
    if (this.#told.has(told)) return;
    this.#told.add(told);
    const option = `${use} of location ${JSON.stringify(match)}`;
    this.faults.push({ place: this.#configFile, path: option, value: shownValue(path), sentence });
  }
}

/** Without links; null: there is nothing. */
function real(path: string): string | null {
  try {
    return realpathSync(path);
  } catch (error) {
    if (error instanceof Error && "code" in error) return null;
    throw error;
  }
}

function resolved(file: string, path: string): string | null {
  try {
    return Bun.resolveSync(path, dirname(file));
  } catch {
    // What Bun throws for a path that leads nowhere has no class of its own.
    return null;
  }
}

type Loader = "ts" | "tsx" | "js" | "jsx";

function transpilerOf(file: string): Bun.Transpiler {
  const [, isScript, suffix] = /\.[cm]?(js|ts)(x?)$/.exec(file) ?? ["", "ts", ""];
  return new Bun.Transpiler({ loader: `${isScript}${suffix}` as Loader });
}

/** One or several BuildMessages. */
function syntaxFaults(file: string, error: unknown): Fault[] {
  const messages: unknown[] = error instanceof AggregateError ? error.errors : [error];
  return messages.map((message) => {
    const line: unknown = Reflect.get(Object(Reflect.get(Object(message), "position")), "line");
    const sentence = String(Reflect.get(Object(message), "message") ?? message);
    const place = typeof line === "number" ? `${file}:${line}` : file;
    return { place, path: "", value: "", sentence: `not valid TypeScript: ${sentence}.` };
  });
}

function lineOf(text: string, pattern: RegExp): number {
  const at = text.search(pattern);
  return at < 0 ? 1 : text.slice(0, at).split("\n").length;
}
