/**
 * Where a key stands in a TOML text. Bun's parser gives values without positions, so toml.ts asks here when
 * there is something to complain about; a file without faults is not read twice.
 *
 * toml-eslint-parser is the library that keeps the positions of keys after a good parse; smol-toml, which is
 * more widely used, tells those of syntax errors only.
 */
import { type AST, parseTOML } from "toml-eslint-parser";
import { log } from "../log.ts";

export type LineFinder = (path: string) => number | null;

/** Makes a finder for "listen", "store.size", "location[2].match" …; it answers the line from 1, or null. */
export function sourceLines(text: string): LineFinder {
  let lines: ReadonlyMap<string, number> | null = null;
  return (path) => {
    lines ??= linesOf(text);
    return nearestLine(lines, path);
  };
}

/** It takes the mark for a character of the first key. */
const parse = (text: string) => parseTOML(text.replace(/^\uFEFF/, ""), { tomlVersion: "1.1" });

/** None of a text that this parser cannot read, as one with thousands of tables in each other. */
function linesOf(text: string): ReadonlyMap<string, number> {
  const lines = new Map<string, number>();
  try {
    noteEntries(lines, "", parse(text).body[0].body);
  } catch (error) {
    log("debug", "no lines are known of the configuration", { error: String(error) });
  }
  return lines;
}

function noteEntries(
  lines: Map<string, number>,
  place: string,
  entries: readonly (AST.TOMLKeyValue | AST.TOMLTable)[],
): void {
  for (const entry of entries) {
    const { line } = entry.loc.start;
    if (entry.type === "TOMLTable") {
      const table = pathOf(entry.resolvedKey);
      note(lines, table, line);
      noteEntries(lines, table, entry.body);
    } else {
      const names = entry.key.keys.map((key) => (key.type === "TOMLBare" ? key.name : key.value));
      const path = [...(place === "" ? [] : [place]), ...names].join(".");
      note(lines, path, line);
      noteValue(lines, path, entry.value);
    }
  }
}

function noteValue(lines: Map<string, number>, path: string, value: AST.TOMLContentNode): void {
  if (value.type === "TOMLInlineTable") noteEntries(lines, path, value.body);
  else if (value.type === "TOMLArray")
    value.elements.forEach((element, at) => {
      note(lines, `${path}[${at}]`, element.loc.start.line);
      noteValue(lines, `${path}[${at}]`, element);
    });
}

/** `["location", 2, "match"]` as `location[2].match`. */
const pathOf = (keys: readonly (string | number)[]): string =>
  keys.map((key, at) => (typeof key === "number" ? `[${key}]` : at === 0 ? key : `.${key}`)).join("");

/** The first mention wins; "store.size" at the top level tells where "store" is, too. */
function note(lines: Map<string, number>, path: string, line: number): void {
  for (let end = path.length; end > 0; end = outerEnd(path, end)) {
    const part = path.slice(0, end);
    // What it stands in is known, too.
    if (lines.has(part)) return;
    lines.set(part, line);
  }
}

/** The line of the path or of what it stands in. */
function nearestLine(lines: ReadonlyMap<string, number>, path: string): number | null {
  for (let end = path.length; end > 0; end = outerEnd(path, end)) {
    const line = lines.get(path.slice(0, end));
    if (line !== undefined) return line;
  }
  return null;
}

const outerEnd = (path: string, end: number): number =>
  Math.max(path.lastIndexOf(".", end - 1), path.lastIndexOf("[", end - 1));
