/**
 * The TOML front end: text → checked values, or all of its faults at once, each with its line. load.ts is the
 * caller.
 */
import { type CheckedValues, type ReadDocument, readDocument } from "./document.ts";
import type { Fault } from "./fault.ts";
import { sourceLines } from "./source-lines.ts";
import type { Table } from "./table-reader.ts";

export type TomlOutcome = Pick<ReadDocument, "warnings"> &
  (
    | { readonly ok: true; readonly values: CheckedValues }
    /** `values`: what is good of it; null: it is no TOML. */
    | { readonly ok: false; readonly faults: readonly Fault[]; readonly values: CheckedValues | null }
  );

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
      warnings: [],
      values: null,
    };
  }
  const lineOf = sourceLines(text);
  const read = readDocument(document, (path) => {
    const line = lineOf(path);
    return line === null ? fileName : `${fileName}:${line}`;
  });
  const { values } = read;
  const warnings = inFileOrder(read.warnings);
  if (read.faults.length === 0) return { ok: true, values, warnings };
  return { ok: false, faults: inFileOrder(read.faults), values, warnings };
}

const parseText = (text: string): Table => Bun.TOML.parse(text) as Table;

const messageOf = (error: unknown): string =>
  String((error as Error).message).replace(/^TOML Parse error: /, "");

/**
 * The parser does not tell where it gave up, and those who do name the end of the file where a string or list
 * is not closed. The line is the first that, after the longest beginning of the file that is valid, makes the
 * parser say the same.
 */
function syntaxErrorLine(text: string, message: string): number | null {
  const lines = text.split("\n");
  if (lines.length > MAX_LINES_SEARCHED) return null;
  let line: number | null = null;
  for (let count = 1; count <= lines.length; count++) {
    // With its line end: a text that is not closed is another complaint at the end of the file than at the
    // end of a line.
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
