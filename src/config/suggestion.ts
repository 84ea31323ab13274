/**
 * "Did you mean …" for keys that do not exist. Called by document.ts for each unknown key.
 *
 * The two mistakes to expect from people who come from nginx are the module's prefix and an option in the
 * wrong table, so both are looked for before spelling is.
 */
import { ALL_OPTIONS, LOCATION_PREFIX } from "./options.ts";

const DIRECTIVE_PREFIX = "push_stream_";

/** Sentence for an unknown `key` of the table `prefix` ("", "store.", "limits." or "location[]."). */
export function unknownKeySentence(prefix: string, key: string): string {
  const plain = key.startsWith(DIRECTIVE_PREFIX) ? key.slice(DIRECTIVE_PREFIX.length) : key;
  const here = keysUnder(prefix);
  const nearest = nearestName(plain, here);
  if (nearest !== null && (nearest === plain || !existsElsewhere(plain)))
    return `unknown option, did you mean ${nearest}?`;
  const home = ALL_OPTIONS.find(([path]) => leafOf(path) === plain)?.[0];
  if (home !== undefined) return `unknown option here, ${plain} belongs ${tableName(home)}.`;
  const anywhere = nearestName(
    plain,
    ALL_OPTIONS.map(([path]) => leafOf(path)),
  );
  const other = ALL_OPTIONS.find(([path]) => leafOf(path) === anywhere)?.[0];
  return other === undefined
    ? "unknown option."
    : `unknown option, did you mean ${leafOf(other)} ${tableName(other)}?`;
}

const leafOf = (path: string): string => path.slice(path.lastIndexOf(".") + 1);

const existsElsewhere = (key: string): boolean => ALL_OPTIONS.some(([path]) => leafOf(path) === key);

/** Keys that may stand in a table; at the top level that includes the names of the tables. */
function keysUnder(prefix: string): readonly string[] {
  if (prefix !== "")
    return ALL_OPTIONS.filter(([path]) => path.startsWith(prefix)).map(([path]) => leafOf(path));
  return [...new Set(ALL_OPTIONS.map(([path]) => path.split(/\.|\[/)[0] ?? path))];
}

function tableName(path: string): string {
  if (path.startsWith(LOCATION_PREFIX)) return "in a [[location]]";
  const dot = path.indexOf(".");
  return dot === -1 ? "at the top of the file, before any [table]" : `in [${path.slice(0, dot)}]`;
}

/** The candidate with the fewest edits, if they are few for its length; null otherwise. */
export function nearestName(name: string, candidates: readonly string[]): string | null {
  let best: string | null = null;
  let bestEdits = Number.POSITIVE_INFINITY;
  for (const candidate of candidates) {
    // More than a third of the letters changed is another word, not a slip.
    const allowed = Math.max(1, Math.floor(Math.max(name.length, candidate.length) / 3));
    const edits = editDistance(name, candidate);
    if (edits <= allowed && edits < bestEdits) {
      best = candidate;
      bestEdits = edits;
    }
  }
  return best;
}

/** Levenshtein distance. A key longer than any option is not worth the square of its length. */
function editDistance(from: string, to: string): number {
  if (Math.abs(from.length - to.length) > 32) return Number.POSITIVE_INFINITY;
  let previous = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let row = 1; row <= from.length; row++) {
    const current = [row];
    for (let column = 1; column <= to.length; column++) {
      const change = (previous[column - 1] ?? 0) + (from[row - 1] === to[column - 1] ? 0 : 1);
      current.push(Math.min(change, (previous[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1));
    }
    previous = current;
  }
  return previous[to.length] ?? 0;
}
