/**
 * An nginx.conf from its text to a document: parsed, then translated, then checked as one of our own is.
 * Called by config/load.ts when a file is one, and by cli/convert.ts.
 */
import { dirname, resolve } from "node:path";
import { type CheckedValues, readDocument } from "../document.ts";
import type { Fault } from "../fault.ts";
import { foreignIn, withoutForeign } from "./foreign.ts";
import { fromNchan } from "./nchan.ts";
import { type Translation, translateNginx } from "./translate.ts";
import { diskReader, type FileReader, parseNginx } from "./tree.ts";

/**
 * Which kind a file is: by its name, and for other names by whether it is TOML. A file ending in .toml never
 * is an nginx.conf, so that a slip in one is told as what it is.
 */
export function isNginx(file: string, text: string): boolean {
  if (/\.(?:toml|conf)$/i.test(file)) return /\.conf$/i.test(file);
  try {
    Bun.TOML.parse(text);
    return false;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return true;
  }
}

export interface NginxOptions {
  /**
   * What locations answer that have nothing to do with push and are not served as nginx would; null: they are
   * faults.
   */
  readonly foreign?: number | null;
  /** Nchan's directives are read as well. */
  readonly nchan?: boolean;
}

/**
 * `file` is the name as it was given: places of faults begin with it. A file that is not nginx syntax is only
 * faults.
 */
export function loadNginxDocument(
  text: string,
  file: string,
  reader: FileReader = diskReader,
  { foreign: asked = null, nchan = false }: NginxOptions = {},
): Translation {
  const parsed = parseNginx(text, file, reader);
  if (parsed.ok && parsed.directives.length > 0) {
    const translated = nchan ? fromNchan(parsed.directives) : null;
    const directives = translated?.directives ?? parsed.directives;
    const foreign = asked ?? foreignIn(directives);
    const wanted = foreign === null ? { directives, foreign: [] } : withoutForeign(directives, foreign);
    const translation = translateNginx(wanted.directives, {
      folder: dirname(resolve(file)),
      readFile: (path) => {
        const content = reader.read(path);
        return typeof content === "string" ? new TextEncoder().encode(content) : content;
      },
    });
    const told = wanted.foreign.map(
      (place) => `${place} answers ${foreign}: it is not served as nginx would`,
    );
    return { ...translation, notices: [...(translated?.notes ?? []), ...told, ...translation.notices] };
  }
  const wrong = parsed.ok
    ? [{ file, line: 1, sentence: "there is nothing in this configuration" }]
    : parsed.faults;
  const faults = wrong.map(({ file: place, line, sentence }) => ({
    place: `${place}:${line}`,
    path: "",
    value: "",
    sentence,
  }));
  return {
    document: {},
    faults,
    ignored: [],
    notices: [],
    startLines: [],
    folders: [],
    unmade: new Set(),
    lineOf: () => null,
  };
}

export interface CheckedNginx {
  readonly translation: Translation;
  readonly values: CheckedValues;
  /**
   * Those of the translation and of the checks every configuration goes through, each once, from top to
   * bottom.
   */
  readonly faults: readonly Fault[];
  readonly warnings: readonly Fault[];
}

export function checkNginx(text: string, file: string, options: NginxOptions = {}): CheckedNginx {
  const translation = loadNginxDocument(text, file, diskReader, options);
  const checked = readDocument(translation.document, (path) => {
    const place = translation.lineOf(path);
    return place === null ? file : `${place.file}:${place.line}`;
  });
  // A file without a tree has no document to be judged.
  const isEmpty = Object.keys(translation.document).length === 0;
  const faults = [...translation.faults, ...(isEmpty ? [] : inTheirWords(checked.faults, translation))];
  return {
    translation,
    values: checked.values,
    faults: fromTopToBottom(faults),
    warnings: isEmpty ? [] : fromTopToBottom(inTheirWords(checked.warnings, translation)),
  };
}

/**
 * Faults of the document, in the words of the file. What follows from a fault that was told already is not
 * told again: a variable that a directive would make that is not supported.
 */
function inTheirWords(
  faults: readonly Fault[],
  { lineOf, unmade, faults: before }: Translation,
): readonly Fault[] {
  const told = new Set<string>();
  const isFaulty = (place: string, directive: string): boolean =>
    before.some((fault) => fault.place === place && fault.sentence.startsWith(`"${directive}" directive`));
  return faults.flatMap((fault) => {
    const variable = /unknown variable \$\{?(\w+)/.exec(fault.sentence)?.[1]?.toLowerCase() ?? "";
    if (unmade.has(variable)) return [];
    const directive = lineOf(fault.path)?.name;
    if (directive !== undefined && isFaulty(fault.place, directive)) return [];
    const value = fault.value === "" ? "" : ` ${fault.value}`;
    // Of a list in the document nobody has heard who reads the file.
    const said = fault.sentence.replace(/the same as (\w+\[\d+\])\./, (whole, other: string) => {
      const first = lineOf(fault.path.replace(/\w+\[\d+\](?:\.\w+)?$/, other));
      return first === null ? whole : `the first is in ${first.file}:${first.line}.`;
    });
    const sentence = directive === undefined ? said : `"${directive}" directive${value}: ${said}`;
    const key = `${fault.place} ${sentence}`;
    if (told.has(key)) return [];
    told.add(key);
    return [{ ...fault, path: directive === undefined ? fault.path : "", value: "", sentence }];
  });
}

/**
 * The main file first, then the included ones as they turn up. What is wrong in one line stays in the order
 * it was found in.
 */
function fromTopToBottom(faults: readonly Fault[]): readonly Fault[] {
  const placed = faults.map((fault) => {
    const [, file = fault.place, line = "0"] = /^(.*):(\d+)$/s.exec(fault.place) ?? [];
    return { fault, file, line: Number(line) };
  });
  const files = [...new Set(placed.map(({ file }) => file))];
  return placed
    .toSorted((left, right) => files.indexOf(left.file) - files.indexOf(right.file) || left.line - right.line)
    .map(({ fault }) => fault);
}

/** What is to be told of a translation beside its faults, a line each: notices, and what was left out. */
export function translationNotes({ ignored, notices }: Translation): readonly string[] {
  const names = ignored.map(({ name, file, line }) => `${name} (${file}:${line})`);
  return [
    ...notices,
    ...(names.length === 0 ? [] : [`left out, as it changes nothing here: ${names.join(", ")}`]),
  ];
}

/** The same for the log of a server, with what the module says at a start (push-stream spec 1.6). */
export const startNotes = (translation: Translation): readonly string[] => [
  ...translation.startLines,
  ...translationNotes(translation),
];
