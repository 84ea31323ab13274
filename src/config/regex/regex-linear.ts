/**
 * The same regular expression for RE2JS, whose time grows with the text and no faster, whatever the
 * expression. Called by bounded-regex.ts for those over which the runtime's own engine, twenty times as fast
 * on short texts, could take for ever.
 *
 * Written out of the tree, byte for byte, so that the two agree on what matches: nothing in it depends on
 * either engine's reading of a class, an escape or case. RE2JS has no back references and no look-ahead.
 * Those a server configuration is written with stand near the start, ^/(?!admin/)…, and are asked first, as
 * expressions of their own.
 */
import { RE2JS, RE2JSSyntaxException } from "re2js";
import { type ByteSet, NO_BYTES, type RegexNode, type RegexTree } from "./regex-syntax.ts";

/** Groups by number, [0] the whole match; undefined: took no part. */
export type Captures = readonly (string | undefined)[];

export interface LinearRegex {
  exec(text: string): Captures | null;
  /** Steps are at most this many for each byte of text. */
  readonly size: number;
}

/** null: it cannot be written without back references or look-ahead, or is too large. */
export function linearRegex({ root, isForeign }: RegexTree): LinearRegex | null {
  const { conditions, rest } = takeConditions(root);
  if (isForeign || !isWritable(rest)) return null;
  if (!conditions.every(({ sequence }) => isWritable(sequence))) return null;
  const whole = compiled(rest);
  if (whole === null) return null;
  let size = whole.programSize();
  const before: { readonly regex: RE2JS; readonly wanted: boolean }[] = [];
  for (const { sequence, wanted } of conditions) {
    const regex = compiled(sequence);
    if (regex === null) return null;
    size += regex.programSize();
    before.push({ regex, wanted });
  }
  return {
    size,
    exec(text) {
      for (const { regex, wanted } of before) if (regex.test(text) !== wanted) return null;
      return whole.exec(text);
    },
  };
}

function compiled(node: RegexNode): RE2JS | null {
  try {
    return RE2JS.compile(written(node), RE2JS.LOOKBEHINDS);
  } catch (error) {
    // More than a thousand repetitions, or more parts than it takes.
    if (error instanceof RE2JSSyntaxException) return null;
    throw error;
  }
}

/** What must, or must not, match where the expression matches. */
interface Condition {
  readonly sequence: RegexNode;
  readonly wanted: boolean;
}

/**
 * ^ab(?!c)d matches where ^abd does and ^abc does not: what comes before the look-ahead can be one text only.
 */
function takeConditions(root: RegexNode): { conditions: readonly Condition[]; rest: RegexNode } {
  if (root.kind !== "sequence" || root.items[0]?.kind !== "edge" || root.items[0].at !== "start")
    return { conditions: [], rest: root };
  const conditions: Condition[] = [];
  const before: RegexNode[] = [];
  let taken = 0;
  for (const item of root.items) {
    if (item.kind === "look" && item.ahead && !hasGroup(item.body))
      conditions.push({
        sequence: { kind: "sequence", items: [...before, item.body] },
        wanted: item.wanted,
      });
    else if (item.kind === "byte" || (item.kind === "edge" && item.at === "start")) before.push(item);
    else break;
    taken++;
  }
  return { conditions, rest: { kind: "sequence", items: [...before, ...root.items.slice(taken)] } };
}

function isWritable(node: RegexNode): boolean {
  if (node.kind === "back reference") return false;
  if (node.kind !== "look") return childrenOf(node).every(isWritable);
  return !node.ahead && !hasGroup(node.body) && isWritable(node.body);
}

export const hasGroup = (node: RegexNode): boolean =>
  node.kind === "group" || childrenOf(node).some(hasGroup);

function childrenOf(node: RegexNode): readonly RegexNode[] {
  if (node.kind === "sequence") return node.items;
  if (node.kind === "choice") return node.branches;
  return "body" in node ? [node.body] : [];
}

function written(node: RegexNode): string {
  switch (node.kind) {
    case "byte":
      return writtenSet(node.set);
    case "edge":
      return EDGES[node.at];
    case "sequence":
      return node.items.map(written).join("");
    case "choice":
      return `(?:${node.branches.map(written).join("|")})`;
    case "group":
      return `(${written(node.body)})`;
    case "look":
      return `(?<${node.wanted ? "=" : "!"}${written(node.body)})`;
    case "repeat":
      return `(?:${written(node.body)})${quantifier(node)}`;
    case "back reference":
      throw new Error("a back reference cannot be written");
  }
}

const EDGES = { start: "\\A", end: "\\z", word: "\\b", "no word": "\\B" } as const;

function quantifier({ least, most, lazy }: RegexNode & { readonly kind: "repeat" }): string {
  const sign = lazy ? "?" : "";
  if (most === Number.POSITIVE_INFINITY)
    return `${least === 0 ? "*" : least === 1 ? "+" : `{${least},}`}${sign}`;
  return least === 0 && most === 1 ? `?${sign}` : `{${least},${most}}${sign}`;
}

/** A byte, or a class of ranges. */
function writtenSet(set: ByteSet): string {
  if (set === NO_BYTES) return "[^\\x{0}-\\x{10FFFF}]";
  const ranges: string[] = [];
  for (let byte = 0; byte < 256; byte++) {
    if (!has(set, byte)) continue;
    const from = byte;
    while (byte < 255 && has(set, byte + 1)) byte++;
    ranges.push(from === byte ? escaped(from) : `${escaped(from)}-${escaped(byte)}`);
  }
  return ranges.length === 1 && ranges[0]?.length === ESCAPE_LENGTH ? ranges[0] : `[${ranges.join("")}]`;
}

const has = (set: ByteSet, byte: number): boolean => ((set >> BigInt(byte)) & 1n) === 1n;

const ESCAPE_LENGTH = "\\x00".length;
const escaped = (byte: number): string => `\\x${byte.toString(16).padStart(2, "0")}`;
