/**
 * Reads a regular expression into a tree: what regex-cost.ts counts the steps of, and regex-linear.ts writes
 * in the words of another engine. Called by bounded-regex.ts, with sources that `new RegExp` accepted
 * (without the u and v flags).
 *
 * What one character, escape or class stands for is not known here: the engine itself is asked which bytes it
 * takes. So a tree holds sets of bytes only, and case, dialects and odd escapes are settled in it.
 */

/** A set of bytes: bit n is byte n. Bit 256 is the end of the text, where a set says what may come next. */
export type ByteSet = bigint;

export const NO_BYTES: ByteSet = 0n;
export const AT_END: ByteSet = 1n << 256n;
export const ALL_BYTES: ByteSet = AT_END - 1n;

export type RegexNode =
  | { readonly kind: "byte"; readonly set: ByteSet }
  | { readonly kind: "edge"; readonly at: "start" | "end" | "word" | "no word" }
  | { readonly kind: "back reference" }
  | {
      readonly kind: "look";
      readonly ahead: boolean;
      /** False for (?!…) and (?<!…). */
      readonly wanted: boolean;
      readonly body: RegexNode;
    }
  | { readonly kind: "sequence"; readonly items: readonly RegexNode[] }
  | { readonly kind: "choice"; readonly branches: readonly RegexNode[] }
  | {
      readonly kind: "repeat";
      readonly body: RegexNode;
      readonly least: number;
      /** Infinity: no limit. */
      readonly most: number;
      readonly lazy: boolean;
    }
  /** A capturing group. */
  | { readonly kind: "group"; readonly body: RegexNode };

export interface RegexTree {
  readonly root: RegexNode;
  readonly groups: number;
  /** Group numbers by name, in the order of the text: a name may stand in several branches. */
  readonly names: readonly (readonly [name: string, group: number])[];
  /** Something in it has a meaning that the tree does not hold. */
  readonly isForeign: boolean;
}

export function parseRegex(source: string, flags: string): RegexTree {
  const reader = new RegexReader(source, flags);
  const root = reader.choice();
  return { root, groups: reader.groups, names: reader.names, isForeign: reader.isForeign };
}

class RegexReader {
  groups = 0;
  readonly names: (readonly [string, number])[] = [];
  isForeign = false;
  readonly #source: string;
  /** Of the group that is being read: (?i:…) changes them. */
  #flags: string;
  #at = 0;

  constructor(source: string, flags: string) {
    this.#source = source;
    this.#flags = flags;
  }

  /** branch | branch | … up to ")" or the end. */
  choice(): RegexNode {
    const branches = [this.#sequence()];
    while (this.#take("|")) branches.push(this.#sequence());
    return branches.length === 1 ? (branches[0] as RegexNode) : { kind: "choice", branches };
  }

  #sequence(): RegexNode {
    const items: RegexNode[] = [];
    while (this.#at < this.#source.length && !"|)".includes(this.#source[this.#at] ?? ""))
      items.push(this.#quantified(this.#atom()));
    return items.length === 1 ? (items[0] as RegexNode) : { kind: "sequence", items };
  }

  #atom(): RegexNode {
    const start = this.#at;
    const character = this.#source[this.#at++];
    if (character === "(") return this.#group();
    if (character === "^") return { kind: "edge", at: "start" };
    if (character === "$") return { kind: "edge", at: "end" };
    if (character === "[") this.#skipClass();
    else if (character === "\\") return this.#escape(start);
    return this.#byte(this.#source.slice(start, this.#at));
  }

  #group(): RegexNode {
    const opening = /^\?(?:<([^=!>][^>]*)>|(<?)([=!])|([a-z-]*):)/.exec(this.#source.slice(this.#at));
    this.#at += opening?.[0].length ?? 0;
    const [, name, behind, sign, options] = opening ?? [];
    const captures = opening === null || name !== undefined;
    if (captures) this.groups++;
    if (name !== undefined) this.names.push([name, this.groups]);
    const outer = this.#flags;
    if (options !== undefined) this.#change(options);
    const body = this.choice();
    this.#flags = outer;
    this.#take(")");
    if (captures) return { kind: "group", body };
    return sign === undefined ? body : { kind: "look", ahead: behind === "", wanted: sign === "=", body };
  }

  /** "i", "s-i": what (?…:) switches on and off. */
  #change(options: string): void {
    const [on = "", off = ""] = options.split("-");
    // With m, ^ and $ are something else.
    if (on.includes("m")) this.isForeign = true;
    const kept = Array.from(this.#flags).filter((flag) => !off.includes(flag) && !on.includes(flag));
    this.#flags = kept.join("") + on;
  }

  #skipClass(): void {
    // "]" first in a class closes it in this dialect: "[]" is empty, "[^]" is any.
    while (this.#at < this.#source.length && this.#source[this.#at] !== "]") {
      this.#at += this.#source[this.#at] === "\\" ? 2 : 1;
    }
    this.#at++;
  }

  #escape(start: number): RegexNode {
    const rest = this.#source.slice(this.#at);
    const escaped =
      /^(?:x[0-9a-f]{2}|u[0-9a-f]{4}|c[a-z]|k<[^>]*>|0[0-7]{0,2}|[1-9]\d*|.)/is.exec(rest)?.[0] ?? "";
    this.#at += escaped.length;
    if (escaped === "b") return { kind: "edge", at: "word" };
    if (escaped === "B") return { kind: "edge", at: "no word" };
    if (/^(?:k<|[1-9])/.test(escaped)) return { kind: "back reference" };
    return this.#byte(this.#source.slice(start, this.#at));
  }

  #byte(atom: string): RegexNode {
    const set = bytesOf(atom, this.#flags);
    if (set === NO_BYTES && atom !== "[]") this.isForeign = true;
    return { kind: "byte", set };
  }

  #quantified(body: RegexNode): RegexNode {
    const quantifier = /^(?:[*+?]|\{(\d+)(,(\d*))?\})(\??)/.exec(this.#source.slice(this.#at));
    if (quantifier === null) return body;
    this.#at += quantifier[0].length;
    return { kind: "repeat", body, ...bounds(quantifier), lazy: quantifier[4] === "?" };
  }

  #take(character: string): boolean {
    if (this.#source[this.#at] !== character) return false;
    this.#at++;
    return true;
  }
}

function bytesOf(atom: string, flags: string): ByteSet {
  // Most of a source is letters and slashes, and a configuration is read at every start.
  if (/^[\w/-]$/.test(atom) && !flags.includes("i")) return 1n << BigInt(atom.charCodeAt(0));
  const matcher = new RegExp(`^(?:${atom})$`, flags);
  let set = NO_BYTES;
  for (let byte = 0; byte < 256; byte++)
    if (matcher.test(String.fromCharCode(byte))) set |= 1n << BigInt(byte);
  return set;
}

function bounds(quantifier: RegExpExecArray): { least: number; most: number } {
  const sign = quantifier[0][0];
  if (sign === "*") return { least: 0, most: Number.POSITIVE_INFINITY };
  if (sign === "+") return { least: 1, most: Number.POSITIVE_INFINITY };
  if (sign === "?") return { least: 0, most: 1 };
  const least = Number(quantifier[1]);
  if (quantifier[2] === undefined) return { least, most: least };
  return { least, most: quantifier[3] === "" ? Number.POSITIVE_INFINITY : Number(quantifier[3]) };
}
