/**
 * The way to a configuration: a file (ours or an nginx.conf) or the embedded default, plus what the command
 * line overrides. Called by cli/ for `serve` and `check`, and by the supervisor when it reloads. Answers with
 * all faults instead of throwing.
 */
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { buildConfig } from "./build.ts";
import { OF_NATIVE } from "./checks/server-warnings.ts";
import { storeIssues } from "./checks/store-checks.ts";
import defaultText from "./default.toml" with { type: "text" };
import type { CheckedValues, ServerEntry } from "./document.ts";
import { type Fault, type Issue, shownValue } from "./fault.ts";
import { readOption } from "./kinds.ts";
import { type NamedCode, namedCode } from "./location/named-code.ts";
import type { Config } from "./model.ts";
import { checkNginx, isNginx, startNotes, translationNotes } from "./nginx/load.ts";
import { waysFor } from "./nginx/ways.ts";
import { type MainValues, OPTIONS } from "./options.ts";
import { readToml } from "./toml.ts";

/**
 * What the command line may set. Texts as typed are fine: "auto" or "4" for workers. They win over the file.
 */
export interface Overrides {
  readonly listen?: string | readonly string[] | undefined;
  readonly workers?: string | number | undefined;
  readonly listener?: string | undefined;
}

export interface LoadRequest {
  /** Without it the embedded default is used. */
  readonly file?: string | undefined;
  readonly overrides?: Overrides;
  /** `--foreign`: a status for the locations of an nginx.conf that have nothing to do with push. */
  readonly foreign?: string | undefined;
}

export type LoadOutcome = LoadedConfig | RefusedConfig;

export interface LoadedConfig {
  readonly ok: true;
  readonly config: Config;
  /** What may be meant as it is, in the order of the file. */
  readonly warnings: readonly Fault[];
  /**
   * For the log, of an nginx.conf: what is ignored, what is otherwise than there, what the module says at a
   * start.
   */
  readonly notes: readonly string[];
  /** The same for who checks the file, who wants to know nothing of a start. */
  readonly remarks: readonly string[];
  /** What an nginx.conf wants to be there: `serve` makes them. */
  readonly folders: readonly string[];
}

export interface RefusedConfig {
  readonly ok: false;
  readonly faults: readonly Fault[];
  readonly warnings: readonly Fault[];
  /** Code that the file names, whatever else is wrong with it. */
  readonly code: readonly NamedCode[];
  /** Of an nginx.conf: what else could be done with it, in lines for who reads the faults. */
  readonly ways: readonly string[];
}

/**
 * The commented file that is used when there is none. The import says `type: "text"`, so it is a string
 * whatever its suffix.
 */
export const DEFAULT_TOML: string = defaultText;
const DEFAULT_NAME = "(embedded default)";

/** Loads, checks and resolves. Faults of the file and of the overrides come together. */
export function loadConfig({ file, overrides = {}, foreign }: LoadRequest): LoadOutcome {
  const source = file === undefined ? { text: DEFAULT_TOML, fault: null } : readSource(file);
  const { values: overridden, faults: overrideFaults } = readOverrides(overrides);
  if (source.fault !== null)
    return { ok: false, faults: [source.fault, ...overrideFaults], warnings: [], code: [], ways: [] };
  const folder = file === undefined ? process.cwd() : dirname(resolve(file));
  const status = foreign === undefined ? null : Number(foreign);
  if (status !== null && !(Number.isInteger(status) && status >= 200 && status <= 599))
    overrideFaults.push(foreignFault(foreign));
  const outcome = readText(source.text, file ?? DEFAULT_NAME, status);
  const warnings =
    overridden.listener === "wire"
      ? outcome.warnings.filter(({ sentence }) => !OF_NATIVE.includes(sentence))
      : outcome.warnings;
  const refused = (faults: readonly Fault[]): LoadOutcome => {
    const code = outcome.values === null ? [] : namedCode(outcome.values, folder);
    return { ok: false, faults, warnings, code, ways: outcome.ok ? [] : outcome.ways };
  };
  if (!outcome.ok) return refused([...outcome.faults, ...overrideFaults]);
  if (overrideFaults.length > 0) return refused(overrideFaults);
  const main = { ...outcome.values.main, ...overridden };
  const servers = outcome.values.servers.map((server) => overruled(server, overridden));
  const strained = overrides.workers === undefined ? [] : storeIssues(main).map(workersFault);
  if (strained.length > 0) return refused(strained);
  const config = buildConfig({ ...outcome.values, main, servers }, folder);
  const { notes, remarks, folders } = outcome;
  return { ok: true, config, warnings, notes, remarks, folders };
}

type TextOutcome =
  | (Pick<LoadedConfig, "ok" | "warnings" | "notes" | "remarks" | "folders"> & {
      readonly values: CheckedValues;
    })
  | (Pick<RefusedConfig, "ok" | "faults" | "warnings" | "ways"> & { readonly values: CheckedValues | null });

/** A file of either kind, checked. */
function readText(text: string, file: string, foreign: number | null): TextOutcome {
  if (!isNginx(file, text)) {
    const outcome = readToml(text, file);
    return outcome.ok ? { ...outcome, notes: [], remarks: [], folders: [] } : { ...outcome, ways: [] };
  }
  const { translation, values, faults, warnings } = checkNginx(text, file, { foreign });
  if (faults.length > 0)
    return { ok: false, faults, values, warnings, ways: foreign === null ? waysFor(text, file, faults) : [] };
  return {
    ok: true,
    values,
    warnings,
    notes: startNotes(translation),
    remarks: translationNotes(translation),
    folders: translation.folders,
  };
}

/**
 * `--listen` takes the place of every address of the file, TLS and all; `--listener` that of what servers ask
 * for.
 */
const overruled = (server: ServerEntry, { listen, listener }: Partial<MainValues>): ServerEntry => ({
  ...server,
  values: {
    ...server.values,
    ...(listen === undefined ? {} : { listen }),
    ...(listener === undefined ? {} : { listener: null }),
  },
});

const foreignFault = (foreign: string | undefined): Fault => ({
  place: "--foreign",
  path: "",
  value: "",
  sentence: `${foreign}: it is a status between 200 and 599, such as 404.`,
});

/**
 * The file alone was fine, so it is the number of workers on the command line that the store has no room for.
 */
const workersFault = ({ value, sentence }: Issue): Fault => ({
  place: "--workers",
  path: "store.size",
  value: shownValue(value),
  sentence,
});

type Source =
  | { readonly text: string; readonly fault: null }
  | { readonly text: null; readonly fault: Fault };

function readSource(file: string): Source {
  try {
    // TOML is UTF-8 by definition; replacing bad bytes in silence would change channel names and templates.
    return { text: new TextDecoder("utf-8", { fatal: true }).decode(readFileSync(file)), fault: null };
  } catch (error) {
    const why =
      error instanceof TypeError ? "it is not UTF-8 text" : plainReason(error as NodeJS.ErrnoException);
    return { text: null, fault: { place: file, path: "", value: "", sentence: `cannot be read: ${why}.` } };
  }
}

/** "ENOENT: no such file or directory, open '/x'" without the parts the place already tells. */
const plainReason = (error: NodeJS.ErrnoException): string =>
  error.message.replace(/^[A-Z0-9]+: /, "").replace(/, \w+( '.*')?$/, "");

interface ReadOverrides {
  readonly values: Partial<MainValues>;
  readonly faults: Fault[];
}

function readOverrides(overrides: Overrides): ReadOverrides {
  const values: Record<string, unknown> = {};
  const faults: Fault[] = [];
  for (const key of ["listen", "workers", "listener"] as const) {
    const raw = overrides[key];
    if (raw === undefined) continue;
    const typed = typeof raw === "string" && key === "workers" && /^\d+$/.test(raw) ? Number(raw) : raw;
    const { value, issues } = readOption(OPTIONS[key], key, typed);
    if (issues.length === 0) values[key] = value;
    for (const issue of issues)
      faults.push({
        place: `--${key}`,
        path: key + issue.suffix,
        value: shownValue(issue.value),
        sentence: issue.sentence,
      });
  }
  return { values, faults };
}
