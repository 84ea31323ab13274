/**
 * Reading the tables of a document by the table of options: what is faulty or odd is gathered, with its place
 * and value. Below the walk of document.ts, which knows what tables there are.
 */
import { type Fault, type Issue, shownValue } from "./fault.ts";
import { readOption } from "./kinds.ts";
import { ALL_OPTIONS, optionAt } from "./options.ts";
import { unknownKeySentence } from "./suggestion.ts";

export type Table = Readonly<Record<string, unknown>>;

export class TableReader {
  readonly faults: Fault[] = [];
  readonly warnings: Fault[] = [];
  readonly #placeOf: (path: string) => string;

  constructor(placeOf: (path: string) => string) {
    this.#placeOf = placeOf;
  }

  /** A list of tables; null and a fault for what is none. */
  protected tables<Entry>(
    raw: unknown,
    path: string,
    read: (table: Table, path: string) => Entry,
  ): (Entry | null)[] {
    if (raw === undefined) return [];
    const name = path.replaceAll(/\[\d+\]/g, "");
    if (!Array.isArray(raw)) {
      this.fault(path, undefined, `${name}s are a list of tables, write [[${name}]].`);
      return [];
    }
    return raw.map((item: unknown, index) => {
      if (isTable(item)) return read(item, `${path}[${index}]`);
      this.fault(`${path}[${index}]`, item, `a ${name} is a table, write [[${name}]].`);
      return null;
    });
  }

  /**
   * Reads one key. A faulty value is taken out of `values`, so that later checks do not judge a default in
   * its place.
   */
  protected option(
    prefix: string,
    key: string,
    raw: unknown,
    path: string,
    values: Record<string, unknown>,
  ): void {
    const option = optionAt(prefix + key);
    if (option === undefined || key.includes(".")) {
      this.fault(path, raw, unknownKeySentence(prefix, key));
      return;
    }
    const { value, issues } = readOption(option, key, raw);
    this.issues(path, issues);
    values[prefix + key] = issues.length === 0 ? value : undefined;
  }

  /**
   * A record of one's own each time; what is in it is read once, as a large file has hundreds of locations.
   */
  protected defaults(prefix: string): Record<string, unknown> {
    const known = defaultsOf.get(prefix) ?? readDefaults(prefix);
    defaultsOf.set(prefix, known);
    return { ...known };
  }

  protected issues(path: string, issues: readonly Issue[]): void {
    for (const { suffix, value, sentence } of issues) this.fault(path + suffix, value, sentence);
  }

  protected warn(path: string, { suffix, value, sentence }: Issue): void {
    this.warnings.push({
      place: this.#placeOf(path + suffix),
      path: path + suffix,
      value: shownValue(value),
      sentence,
    });
  }

  protected fault(path: string, value: unknown, sentence: string): void {
    this.faults.push({ place: this.#placeOf(path), path, value: shownValue(value), sentence });
  }
}

const defaultsOf = new Map<string, Readonly<Record<string, unknown>>>();

function readDefaults(prefix: string): Readonly<Record<string, unknown>> {
  const values: Record<string, unknown> = {};
  for (const [path, option] of ALL_OPTIONS) {
    if (tablePrefixOf(path) !== prefix) continue;
    values[path] = option.default === null ? null : readOption(option, path, option.default).value;
  }
  return values;
}

export const present = <Entry>(entries: readonly (Entry | null)[]): Entry[] =>
  entries.filter((entry) => entry !== null);

export const isTable = (raw: unknown): raw is Table =>
  raw !== null && typeof raw === "object" && !Array.isArray(raw);

/** "location[]." of "location[].match"; "" of what stands outside the lists of tables. */
const tablePrefixOf = (path: string): string => /^\w+\[\]\./.exec(path)?.[0] ?? "";

export const isSection = (key: string): boolean => ALL_OPTIONS.some(([path]) => path.startsWith(`${key}.`));

/**
 * Filled from the table, so it has the keys the table promises; where a value was faulty, nobody gets to see
 * it.
 */
export function withoutPrefix(values: Table, prefix: string): Table {
  const short: Record<string, unknown> = {};
  for (const path in values) short[path.slice(prefix.length)] = values[path];
  return short;
}
