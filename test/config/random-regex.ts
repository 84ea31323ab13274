/**
 * Random regular expressions over a, b and "/", small enough that loops meet: for the tests of bounds and
 * engines.
 */
import type { Random } from "../random.ts";

const ATOMS = ["a", "b", "/", ".", "[ab]", "[^/]", "\\w", "\\b"] as const;
const QUANTIFIERS = ["*", "+", "?", "*?", "+?", "??", "{2}", "{1,3}", "{2,}"] as const;

export function randomRegex(random: Random): string {
  const source = choice(random, 3);
  return `${random.below(2) === 0 ? "^" : ""}${source}${random.below(2) === 0 ? "$" : ""}`;
}

/** Inside a group where it is one of several. */
function choice(random: Random, depth: number): string {
  const count = random.below(4) === 0 ? 2 : 1;
  const branches = Array.from({ length: count }, () => sequence(random, depth));
  return count === 1 ? (branches[0] ?? "") : `(?:${branches.join("|")})`;
}

function sequence(random: Random, depth: number): string {
  let text = "";
  for (let count = random.below(4) + 1; count > 0; count--) text += piece(random, depth);
  return text;
}

function piece(random: Random, depth: number): string {
  const atom = depth > 0 && random.below(3) === 0 ? group(random, depth) : random.pick([...ATOMS]);
  return atom === "\\b" || random.below(2) === 0 ? atom : atom + random.pick([...QUANTIFIERS]);
}

const group = (random: Random, depth: number): string =>
  `(${random.pick(["", "?:"])}${choice(random, depth - 1)})`;
