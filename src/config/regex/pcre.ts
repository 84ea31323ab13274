/**
 * Regular expressions as nginx has them, PCRE's, in the words of the runtime's engine. Called for locations
 * and conditions of an nginx.conf and for padding_by_user_agent.
 *
 * Only spellings differ for what people write in a server configuration: named groups in Python's form, POSIX
 * classes, `\A`, `\z`, `\h`, and options in front. What has no counterpart (possessive repetition, recursion,
 * callouts) is left as it is and then refused by the engine, which names it.
 */
export interface RegexSource {
  readonly source: string;
  /** `(?i)` stood in front. */
  readonly ignoreCase: boolean;
}

const POSIX_CLASSES: Readonly<Record<string, string>> = {
  alnum: "A-Za-z0-9",
  alpha: "A-Za-z",
  ascii: "\\x00-\\x7f",
  blank: " \\t",
  cntrl: "\\x00-\\x1f\\x7f",
  digit: "0-9",
  graph: "\\x21-\\x7e",
  lower: "a-z",
  print: "\\x20-\\x7e",
  punct: "!-\\/:-@\\[-`{-~",
  space: "\\s",
  upper: "A-Z",
  word: "\\w",
  xdigit: "0-9A-Fa-f",
};

const ESCAPES: Readonly<Record<string, string>> = {
  A: "^",
  z: "$",
  Z: "$",
  h: "[ \\t]",
  R: "(?:\\r\\n|[\\n\\r])",
};

/** Never fails; a source the engine does not take comes out as one. */
export function pcreSource(text: string): RegexSource {
  const options = /^\(\?([imsx]+)\)/.exec(text);
  const ignoreCase = options?.[1]?.includes("i") ?? false;
  let rest = text.slice(options?.[0].length ?? 0);
  let source = "";
  while (rest !== "") {
    const [taken, written] = piece(rest);
    source += written;
    rest = rest.slice(taken);
  }
  return { source, ignoreCase };
}

/** How much of the front of `rest` is one piece, and what it is in the engine's words. */
function piece(rest: string): readonly [length: number, written: string] {
  if (rest[0] === "\\") return [2, ESCAPES[rest[1] ?? ""] ?? rest.slice(0, 2)];
  if (rest[0] === "[") return characterClass(rest);
  if (rest.startsWith("(?P<")) return [4, "(?<"];
  const named = /^\(\?'(\w+)'/.exec(rest) ?? /^\(\?P[=>](\w+)\)/.exec(rest);
  if (named === null) return [1, rest.slice(0, 1)];
  return [named[0].length, rest[2] === "'" ? `(?<${named[1]}>` : `\\k<${named[1]}>`];
}

/** "[]abc]" has a "]" in it for PCRE: first in a class it is a character. */
function characterClass(rest: string): readonly [length: number, written: string] {
  const opening = /^\[\^?\]?/.exec(rest)?.[0] ?? "[";
  let written = opening.endsWith("]") ? `${opening.slice(0, -1)}\\]` : opening;
  let at = opening.length;
  while (at < rest.length && rest[at] !== "]") {
    const posix = /^\[:(\w+):\]/.exec(rest.slice(at, at + 12));
    const members = POSIX_CLASSES[posix?.[1] ?? ""];
    const length = posix !== null && members !== undefined ? posix[0].length : rest[at] === "\\" ? 2 : 1;
    written +=
      posix !== null && members !== undefined ? members : rest.slice(at, at + length).replace("\\h", " \\t");
    at += length;
  }
  return [at + 1, `${written}${rest[at] ?? ""}`];
}
