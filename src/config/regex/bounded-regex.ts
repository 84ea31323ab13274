/**
 * A regular expression of the configuration, tried on what clients send: locations, conditions, server names
 * and user agents all have theirs from here, so that none of them can hold a worker.
 *
 * Short texts, which nearly all are, go to the runtime's engine, longer ones to an engine of linear time;
 * where one ends and the other begins follows from the expression (regex-cost.ts). For ^/ev/(.*)$ and most
 * others it never ends. What neither can take in bounded time, back references and look-ahead among several
 * open ends, is refused when the configuration is checked.
 */
import { leastBytes, mostSteps } from "./regex-cost.ts";
import { type Captures, hasGroup, type LinearRegex, linearRegex } from "./regex-linear.ts";
import { parseRegex, type RegexNode, type RegexTree } from "./regex-syntax.ts";

/** Longer than any text that is tried: a head has 80 KiB. */
const EVERY_TEXT = 128 * 1024;
/** nginx takes no longer line of a head. */
const LONGEST_TEXT = 8192;
/** An expression that cannot even be tried on so much is refused. */
const LEAST_TEXT = 1024;

/**
 * Steps of the runtime's engine, 1 to 5 ns each: where the other engine is there for longer texts, and where
 * it is not.
 */
const MOST_STEPS = 2 ** 21;
const MOST_STEPS_ALONE = 2 ** 24;
/** However long the text is: an expression that takes so many for each byte is as good as linear. */
const STEPS_FOR_EACH_BYTE = 64;
/** Steps of the engine of linear time, 10 to 40 ns each. */
const MOST_LINEAR_STEPS = 2 ** 20;

export type RegexOutcome =
  | { readonly ok: true; readonly regex: BoundedRegex }
  | {
      readonly ok: false;
      readonly sentence: string;
      /** The engine does not take it; otherwise it would take too long. */
      readonly isMalformed: boolean;
    };

export class BoundedRegex {
  /** Texts that are longer are not tried: whoever has one has to say so. */
  readonly longest: number;
  /** Up to here `native` is as good as `exec`. */
  readonly nativeUpTo: number;
  readonly native: RegExp;
  readonly groups: number;
  readonly names: RegexTree["names"];
  readonly #linear: LinearRegex | null;

  constructor(
    native: RegExp,
    tree: RegexTree,
    linear: LinearRegex | null,
    limits: Readonly<Record<"nativeUpTo" | "longest", number>>,
  ) {
    this.native = native;
    this.groups = tree.groups;
    this.names = tree.names;
    this.nativeUpTo = limits.nativeUpTo;
    this.longest = limits.longest;
    this.#linear = linear;
  }

  /** The text, a binary string, is no longer than `longest`. */
  exec(text: string): Captures | null {
    if (text.length <= this.nativeUpTo || this.#linear === null) return this.native.exec(text);
    return this.#linear.exec(text);
  }

  test(text: string): boolean {
    return text.length <= this.nativeUpTo ? this.native.test(text) : this.exec(text) !== null;
  }
}

/**
 * A configuration is read several times over, and its expressions are the same each time. They have no state.
 */
const known = new Map<string, RegexOutcome>();
const MOST_KNOWN = 1024;

/** Reads a source that is a binary string. Flags are "s", "i", both or none. */
export function boundedRegex(source: string, flags: string): RegexOutcome {
  const key = `${flags}/${source}`;
  const before = known.get(key);
  if (before !== undefined) return before;
  const outcome = readRegex(source, flags);
  if (known.size >= MOST_KNOWN) known.clear();
  known.set(key, outcome);
  return outcome;
}

/** The same, of one that was checked. */
export function checkedRegex(source: string, flags: string): BoundedRegex {
  const outcome = boundedRegex(source, flags);
  if (!outcome.ok) throw new Error(`${source}: ${outcome.sentence}`);
  return outcome.regex;
}

function readRegex(source: string, flags: string): RegexOutcome {
  let native: RegExp;
  try {
    native = new RegExp(source, flags);
  } catch (error) {
    const why = String((error as Error).message).replace(/^Invalid regular expression: /, "");
    return { ok: false, sentence: `bad regular expression: ${why}.`, isMalformed: true };
  }
  const tree = parseRegex(source, flags);
  const nativeUpTo = longestWithin(tree.root, MOST_STEPS);
  if (nativeUpTo >= EVERY_TEXT) return bounded(native, tree, null, EVERY_TEXT, EVERY_TEXT);
  const linear = linearRegex(tree);
  if (linear === null) return alone(native, tree);
  const longest = Math.min(LONGEST_TEXT, Math.floor(MOST_LINEAR_STEPS / linear.size));
  if (longest >= LEAST_TEXT)
    return bounded(native, tree, linear, agree(tree.root) ? nativeUpTo : -1, longest);
  return tooSlow(`regular expression is too large: it has ${linear.size} parts.`);
}

const bounded = (
  native: RegExp,
  tree: RegexTree,
  linear: LinearRegex | null,
  nativeUpTo: number,
  longest: number,
): RegexOutcome => ({ ok: true, regex: new BoundedRegex(native, tree, linear, { nativeUpTo, longest }) });

/** There is no other engine for it. */
function alone(native: RegExp, tree: RegexTree): RegexOutcome {
  const longest = Math.min(LONGEST_TEXT, longestWithin(tree.root, MOST_STEPS_ALONE));
  if (longest >= LEAST_TEXT) return bounded(native, tree, null, longest, longest);
  return tooSlow(
    `regular expression can take far too long: a text of ${longest + 1} bytes could stop a worker. ` +
      "Without back references and look-ahead it would be fine.",
  );
}

const tooSlow = (sentence: string): RegexOutcome => ({ ok: false, sentence, isMalformed: false });

/** The longest text that takes at most so many steps. */
function longestWithin(root: RegexNode, steps: number): number {
  let least = 0;
  let most = EVERY_TEXT;
  while (least < most) {
    const middle = Math.ceil((least + most) / 2);
    if (mostSteps(root, middle) <= steps + STEPS_FOR_EACH_BYTE * middle) least = middle;
    else most = middle - 1;
  }
  return least;
}

/**
 * Whether both engines capture the same. What a group inside a repetition holds is that of the last round
 * here (ECMA-262) and of the last round it took part in there (PCRE, so nginx); a round that matches nothing
 * is undone here and stands there. Such an expression has one engine for all texts.
 */
function agree(node: RegexNode): boolean {
  if (node.kind === "repeat") {
    const { body } = node;
    if (leastBytes(body) === 0) return false;
    if (node.most > 1 && hasGroup(body.kind === "group" ? body.body : body)) return false;
  }
  if (node.kind === "sequence") return node.items.every(agree);
  if (node.kind === "choice") return node.branches.every(agree);
  return !("body" in node) || agree(node.body);
}
