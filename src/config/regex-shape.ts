/**
 * Reads the shape of a regular expression: its groups, and whether a request could make it run for minutes. Called by
 * match-syntax.ts when a configuration is checked.
 *
 * The runtime's engine backtracks and has no step limit, so one URL of a few dozen bytes can hang a worker with a regex like
 * (a+)+$. The screen is structural: a repeated group must not vary in length inside, must not match nothing, and must not
 * have two branches that can start with the same byte. That refuses a few harmless regexes, too. Proving
 * harmlessness needs the product automaton of the regex with itself; for location matching a plainer regex always exists.
 */
export interface RegexShape {
  readonly groups: number;
  /** Group numbers by name. */
  readonly names: ReadonlyMap<string, number>;
  /** A sentence when the regex may blow up; null when it passed the screen. */
  readonly hazard: string | null;
}

/** Repetitions from here on count as a loop: 2^16 ways to split a text is where it starts to hurt. */
const LOOP_FROM = 16;

/** What is known of a piece: whether it can match nothing, whether its length varies by repetition, its possible first bytes. */
interface Piece {
  readonly nullable: boolean;
  readonly varies: boolean;
  readonly first: ReadonlySet<number>;
  /** Two branches of an alternation inside start alike. */
  readonly ambiguous: boolean;
}

const NOTHING: Piece = { nullable: true, varies: false, first: new Set(), ambiguous: false };

/** The shape of a source that `new RegExp` accepted (without the u and v flags). */
export function regexShape(source: string, ignoreCase: boolean): RegexShape {
  const reader = new ShapeReader(source, ignoreCase ? "si" : "s");
  reader.alternation();
  return { groups: reader.groups, names: reader.names, hazard: reader.hazard };
}

class ShapeReader {
  groups = 0;
  readonly names = new Map<string, number>();
  hazard: string | null = null;
  readonly #source: string;
  readonly #flags: string;
  #at = 0;

  constructor(source: string, flags: string) {
    this.#source = source;
    this.#flags = flags;
  }

  /** branch | branch | … up to ")" or the end. */
  alternation(): Piece {
    let piece = this.#sequence();
    while (this.#take("|")) piece = joinBranches(piece, this.#sequence());
    return piece;
  }

  #sequence(): Piece {
    let whole = NOTHING;
    while (this.#at < this.#source.length && !"|)".includes(this.#source[this.#at] ?? "")) {
      const start = this.#at;
      const atom = this.#atom();
      whole = follow(whole, this.#quantified(atom, start));
    }
    return whole;
  }

  #atom(): Piece {
    const start = this.#at;
    const character = this.#source[this.#at++];
    if (character === "(") return this.#group();
    if (character === "^" || character === "$") return NOTHING;
    if (character === "[") this.#skipClass();
    else if (character === "\\") return this.#escape(start);
    return this.#oneByte(this.#source.slice(start, this.#at));
  }

  #group(): Piece {
    const opening = /^\?(?:<([^=!>][^>]*)>|<?[=!]|[a-z-]*:)/.exec(this.#source.slice(this.#at));
    this.#at += opening?.[0].length ?? 0;
    const name = opening?.[1];
    if (opening === null || name !== undefined) this.groups++;
    if (name !== undefined) this.names.set(name, this.groups);
    const inside = this.alternation();
    this.#take(")");
    const looksAround = opening !== null && /[=!]$/.test(opening[0]);
    return looksAround ? NOTHING : inside;
  }

  #skipClass(): void {
    // "]" first in a class closes it in this dialect: "[]" is empty, "[^]" is any.
    while (this.#at < this.#source.length && this.#source[this.#at] !== "]") {
      this.#at += this.#source[this.#at] === "\\" ? 2 : 1;
    }
    this.#at++;
  }

  #escape(start: number): Piece {
    const rest = this.#source.slice(this.#at);
    const escaped = /^(?:x[0-9a-f]{2}|u[0-9a-f]{4}|c[a-z]|k<[^>]*>|[1-9]\d*|.)/is.exec(rest)?.[0] ?? "";
    this.#at += escaped.length;
    if (escaped === "b" || escaped === "B") return NOTHING;
    // A back reference can be anything, also empty.
    if (/^(?:k<|[1-9])/.test(escaped))
      return { nullable: true, varies: true, first: ALL_BYTES, ambiguous: false };
    return this.#oneByte(this.#source.slice(start, this.#at));
  }

  /** Asks the engine itself which bytes a character, class or escape stands for. */
  #oneByte(atom: string): Piece {
    const matcher = new RegExp(`^(?:${atom})$`, this.#flags);
    const first = new Set<number>();
    for (let byte = 0; byte < 256; byte++) if (matcher.test(String.fromCharCode(byte))) first.add(byte);
    return { nullable: false, varies: false, first, ambiguous: false };
  }

  #quantified(atom: Piece, start: number): Piece {
    const quantifier = /^(?:[*+?]|\{(\d+)(,(\d*))?\})\??/.exec(this.#source.slice(this.#at));
    if (quantifier === null) return atom;
    this.#at += quantifier[0].length;
    const { least, most } = bounds(quantifier);
    if (most >= LOOP_FROM) this.#judgeLoop(atom, this.#source.slice(start, this.#at));
    return {
      nullable: atom.nullable || least === 0,
      varies: atom.varies || (most > 1 && most !== least),
      first: most === 0 ? new Set() : atom.first,
      ambiguous: atom.ambiguous,
    };
  }

  #judgeLoop(atom: Piece, text: string): void {
    if (this.hazard !== null) return;
    const why = loopHazard(atom);
    if (why !== null)
      this.hazard = `regular expression can take exponential time: ${text} ${why}. A short URL could stop a worker for minutes.`;
  }

  #take(character: string): boolean {
    if (this.#source[this.#at] !== character) return false;
    this.#at++;
    return true;
  }
}

const ALL_BYTES: ReadonlySet<number> = new Set(Array.from({ length: 256 }, (_, byte) => byte));

function loopHazard(body: Piece): string | null {
  if (body.varies) return "repeats something that is itself repeated (nested quantifiers)";
  if (body.nullable) return "repeats something that can be empty";
  if (body.ambiguous) return "repeats alternatives that can start with the same character";
  return null;
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

const joinBranches = (left: Piece, right: Piece): Piece => ({
  nullable: left.nullable || right.nullable,
  varies: left.varies || right.varies,
  first: left.first.union(right.first),
  ambiguous: left.ambiguous || right.ambiguous || !left.first.isDisjointFrom(right.first),
});

const follow = (left: Piece, right: Piece): Piece => ({
  nullable: left.nullable && right.nullable,
  varies: left.varies || right.varies,
  first: left.nullable ? left.first.union(right.first) : left.first,
  ambiguous: left.ambiguous || right.ambiguous,
});
