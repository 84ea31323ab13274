/**
 * A matcher that backtracks over a tree of regex-syntax.ts, as ECMA-262 22.2.2 describes it, and counts what
 * it tries: the model for the bound of steps.
 */
import type { RegexNode } from "../../src/config/regex/regex-syntax.ts";

/** It gives up here. */
export const MOST_COUNTED = 100_000;

type Continue = (at: number) => boolean;

/** Bytes and edges that are tried in a search. */
export function countSteps(root: RegexNode, text: string): number {
  const search = new Search(text);
  for (let start = 0; start <= text.length; start++) if (search.match(root, start, () => true)) break;
  return search.steps;
}

class Search {
  steps = 0;
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  match(node: RegexNode, at: number, next: Continue): boolean {
    if (this.steps >= MOST_COUNTED) return true;
    switch (node.kind) {
      case "byte": {
        this.steps++;
        const code = this.#text.charCodeAt(at);
        return at < this.#text.length && ((node.set >> BigInt(code)) & 1n) === 1n && next(at + 1);
      }
      case "edge":
        this.steps++;
        return this.#isAt(node.at, at) && next(at);
      case "group":
        return this.match(node.body, at, next);
      case "sequence":
        return this.#sequence(node.items, 0, at, next);
      case "choice":
        return node.branches.some((branch) => this.match(branch, at, next));
      case "repeat":
        return this.#repeat(node, 0, at, next);
      default:
        throw new Error(`${node.kind} is not among the random ones`);
    }
  }

  #sequence(items: readonly RegexNode[], index: number, at: number, next: Continue): boolean {
    const item = items[index];
    if (item === undefined) return next(at);
    return this.match(item, at, (after) => this.#sequence(items, index + 1, after, next));
  }

  #repeat(node: RegexNode & { readonly kind: "repeat" }, round: number, at: number, next: Continue): boolean {
    const again = (): boolean =>
      round < node.most &&
      this.match(node.body, at, (after) =>
        // A round that may be left out must match something.
        round >= node.least && after === at ? false : this.#repeat(node, round + 1, after, next),
      );
    const leave = (): boolean => round >= node.least && next(at);
    return node.lazy ? leave() || again() : again() || leave();
  }

  #isAt(edge: "start" | "end" | "word" | "no word", at: number): boolean {
    if (edge === "start") return at === 0;
    if (edge === "end") return at === this.#text.length;
    const word = (place: number): boolean => /\w/.test(this.#text[place] ?? "");
    return (word(at - 1) !== word(at)) === (edge === "word");
  }
}
