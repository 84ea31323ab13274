/**
 * The TOML front end: text → checked values, or all of its faults at once. load.ts is the caller.
 *
 * Everything about single options comes from the table in options.ts; here is the walk over the document. What one location
 * must fulfil as a whole is in location-checks.ts, so that another front end can use it, too.
 */
import { type Fault, type Issue, shownValue } from "./fault.ts";
import { readOption } from "./kinds.ts";
import { duplicateMatchIssues, locationIssues } from "./location-checks.ts";
import { ALL_OPTIONS, LOCATION_PREFIX, type LocationValues, type MainValues, optionAt } from "./options.ts";
import { type LineFinder, sourceLines } from "./source-lines.ts";
import { storeIssues } from "./store-checks.ts";
import { unknownKeySentence } from "./suggestion.ts";

export interface CheckedValues {
  readonly main: MainValues;
  readonly locations: readonly LocationValues[];
}

export type TomlOutcome =
  | { readonly ok: true; readonly values: CheckedValues }
  | { readonly ok: false; readonly faults: readonly Fault[] };

type Table = Readonly<Record<string, unknown>>;

/** Beyond this many lines a syntax error is told without its line; finding it parses the text once a line. */
const MAX_LINES_SEARCHED = 2000;

/** Reads and checks a whole file. `fileName` is only for the places of faults. */
export function readToml(text: string, fileName: string): TomlOutcome {
  let document: Table;
  try {
    document = parseText(text);
  } catch (error) {
    const line = syntaxErrorLine(text, messageOf(error));
    const place = line === null ? fileName : `${fileName}:${line}`;
    return {
      ok: false,
      faults: [{ place, path: "", value: "", sentence: `not valid TOML: ${messageOf(error)}.` }],
    };
  }
  const walk = new Walk(fileName, sourceLines(text));
  const values = walk.document(document);
  return walk.faults.length === 0 ? { ok: true, values } : { ok: false, faults: inFileOrder(walk.faults) };
}

const parseText = (text: string): Table => Bun.TOML.parse(text) as Table;

const messageOf = (error: unknown): string =>
  String((error as Error).message).replace(/^TOML Parse error: /, "");

/**
 * The parser does not tell where it gave up. The line is the first that, after the longest beginning of the file that is
 * valid, makes the parser say the same.
 */
function syntaxErrorLine(text: string, message: string): number | null {
  const lines = text.split("\n");
  if (lines.length > MAX_LINES_SEARCHED) return null;
  let line: number | null = null;
  for (let count = 1; count <= lines.length; count++) {
    // With its line end: a text that is not closed is another complaint at the end of the file than at the end of a line.
    const beginning = lines.slice(0, count).join("\n");
    const said = complaint(count < lines.length ? `${beginning}\n` : beginning);
    if (said === null) line = null;
    else if (said === message) line ??= count;
  }
  return line;
}

function complaint(text: string): string | null {
  try {
    parseText(text);
    return null;
  } catch (error) {
    return messageOf(error);
  }
}

/** Faults are found table by table; people mend files from top to bottom. */
function inFileOrder(faults: readonly Fault[]): readonly Fault[] {
  const line = (fault: Fault): number => Number(/:(\d+)$/.exec(fault.place)?.[1] ?? 0);
  return faults.toSorted((left, right) => line(left) - line(right));
}

class Walk {
  readonly faults: Fault[] = [];
  readonly #fileName: string;
  readonly #lineOf: LineFinder;

  constructor(fileName: string, lineOf: LineFinder) {
    this.#fileName = fileName;
    this.#lineOf = lineOf;
  }

  document(document: Table): CheckedValues {
    const main = this.#defaults("");
    const { location, ...rest } = document;
    for (const [key, raw] of Object.entries(rest)) {
      if (isSection(key)) this.#section(key, raw, main);
      else this.#option("", key, raw, key, main);
    }
    // What is faulty is undefined in there, and then the sum is not judged.
    this.#issues("store.size", storeIssues(main as Partial<MainValues>));
    // Every path of the table was filled with its default, so the record has the shape the table promises.
    return { main: main as MainValues, locations: this.#locations(location) };
  }

  #section(name: string, raw: unknown, values: Record<string, unknown>): void {
    if (!isTable(raw)) this.#fault(name, raw, `${name} is a table, write [${name}].`);
    for (const [key, value] of Object.entries(isTable(raw) ? raw : {}))
      this.#option(`${name}.`, key, value, `${name}.${key}`, values);
  }

  #locations(raw: unknown): readonly LocationValues[] {
    if (raw === undefined) return [];
    if (!Array.isArray(raw)) {
      this.#fault("location", undefined, "locations are a list of tables, write [[location]].");
      return [];
    }
    const read = raw.map((item: unknown, index) => this.#location(item, `location[${index}]`));
    duplicateMatchIssues(read.map(({ match }) => match)).forEach((issues, index) => {
      this.#issues(`location[${index}]`, issues);
    });
    return read;
  }

  #location(raw: unknown, path: string): LocationValues {
    const values = this.#defaults(LOCATION_PREFIX);
    if (!isTable(raw)) {
      this.#fault(path, raw, "a location is a table, write [[location]].");
      return withoutPrefix(values);
    }
    for (const [key, value] of Object.entries(raw))
      this.#option(LOCATION_PREFIX, key, value, `${path}.${key}`, values);
    this.#issues(path, locationIssues(raw, values));
    return withoutPrefix(values);
  }

  /** Reads one key. A faulty value is taken out of `values`, so that later checks do not judge a default in its place. */
  #option(prefix: string, key: string, raw: unknown, path: string, values: Record<string, unknown>): void {
    const option = optionAt(prefix + key);
    if (option === undefined || key.includes(".")) {
      this.#fault(path, raw, unknownKeySentence(prefix, key));
      return;
    }
    const { value, issues } = readOption(option, key, raw);
    this.#issues(path, issues);
    values[prefix + key] = issues.length === 0 ? value : undefined;
  }

  #defaults(prefix: string): Record<string, unknown> {
    const values: Record<string, unknown> = {};
    for (const [path, option] of ALL_OPTIONS) {
      if (path.startsWith(LOCATION_PREFIX) !== (prefix === LOCATION_PREFIX)) continue;
      values[path] = option.default === null ? null : readOption(option, path, option.default).value;
    }
    return values;
  }

  #issues(path: string, issues: readonly Issue[]): void {
    for (const { suffix, value, sentence } of issues) this.#fault(path + suffix, value, sentence);
  }

  #fault(path: string, value: unknown, sentence: string): void {
    const line = this.#lineOf(path);
    const place = line === null ? this.#fileName : `${this.#fileName}:${line}`;
    this.faults.push({ place, path, value: shownValue(value), sentence });
  }
}

const isTable = (raw: unknown): raw is Table =>
  raw !== null && typeof raw === "object" && !Array.isArray(raw);

const isSection = (key: string): boolean => ALL_OPTIONS.some(([path]) => path.startsWith(`${key}.`));

/** Filled from the table, so it has the keys the table promises; where a value was faulty, nobody gets to see it. */
const withoutPrefix = (values: Table): LocationValues =>
  Object.fromEntries(
    Object.entries(values).map(([path, value]) => [path.slice(LOCATION_PREFIX.length), value]),
  ) as LocationValues;
