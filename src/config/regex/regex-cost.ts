/**
 * How many steps the runtime's engine may take over a text, at most: it backtracks, and has no limit of its
 * own, so one path of a hundred bytes could hold a worker for minutes. Called by bounded-regex.ts, which
 * gives longer texts to another engine.
 *
 * Counted over the tree, from its end to its start: a part has `ways` in which it can match from one place
 * and `steps` to try them all; what follows is tried once for each way. Two things keep plain expressions
 * plain: a loop that what follows cannot begin inside of has one way out ([^/]+/), and an end that always
 * matches (.*$) ends the search. The count is never too low; where it is too high, a few hundred bytes more
 * go to the slower engine.
 */
import { ALL_BYTES, AT_END, type ByteSet, NO_BYTES, type RegexNode } from "./regex-syntax.ts";

/** What comes after a part, up to the end of the expression. */
interface Next {
  /** What it may begin with. */
  readonly first: ByteSet;
  /** It matches whatever comes. */
  readonly isCertain: boolean;
  /** It matches at the end of the text, whatever was before. */
  readonly isSureAtEnd: boolean;
  /** Steps until it has failed on what it cannot begin with. */
  readonly fails: number;
}

interface Cost {
  /** Ends that what follows is tried from, for one place to start at. */
  readonly ways: number;
  readonly steps: number;
  /** Steps of an end that always matches: taken once in the whole search. */
  readonly lastSteps: number;
  /** This part and what follows it, for the part before. */
  readonly next: Next;
}

/** The expression is over: whatever comes, it has matched. */
const ACCEPTED: Next = { first: ALL_BYTES | AT_END, isCertain: true, isSureAtEnd: true, fails: 0 };

/** Steps over a text of this many bytes, at most; Infinity when they cannot be counted any more. */
export function mostSteps(root: RegexNode, bytes: number): number {
  const { steps, lastSteps } = cost(root, ACCEPTED, bytes);
  // Without ^ the search begins at each byte.
  return (isAnchored(root) ? steps + bytes : (steps + 1) * (bytes + 1)) + lastSteps;
}

function isAnchored(node: RegexNode): boolean {
  if (node.kind === "edge") return node.at === "start";
  if (node.kind === "sequence") return node.items[0] !== undefined && isAnchored(node.items[0]);
  if (node.kind === "choice") return node.branches.every(isAnchored);
  if (node.kind === "repeat") return node.least > 0 && isAnchored(node.body);
  return node.kind === "group" && isAnchored(node.body);
}

function cost(node: RegexNode, next: Next, bytes: number): Cost {
  switch (node.kind) {
    case "byte":
      return single(1, sometimes(node.set, 1));
    case "edge":
      return node.at === "end"
        ? single(1, { ...sometimes(AT_END, 1), isSureAtEnd: next.isSureAtEnd })
        : single(1, sometimes(next.first, 1 + next.fails));
    case "back reference":
      return single(bytes, sometimes(ALL_BYTES | AT_END, bytes));
    case "look": {
      const { steps, lastSteps } = cost(node.body, ACCEPTED, bytes);
      // Left once it has matched, so it has one way.
      return single(steps + lastSteps + 1, sometimes(ALL_BYTES | AT_END, steps + lastSteps + 1));
    }
    case "group":
      return cost(node.body, next, bytes);
    case "sequence":
      return sequenceCost(node.items, next, bytes);
    case "choice":
      return choiceCost(node.branches, next, bytes);
    case "repeat":
      return repeatCost(node, next, bytes);
  }
}

const sometimes = (first: ByteSet, fails: number): Next => ({
  first,
  isCertain: false,
  isSureAtEnd: false,
  fails,
});

const single = (steps: number, next: Next): Cost => ({ ways: 1, steps, lastSteps: 0, next });

function sequenceCost(items: readonly RegexNode[], next: Next, bytes: number): Cost {
  let whole: Cost = { ways: 1, steps: 0, lastSteps: 0, next };
  for (const item of items.toReversed()) {
    const { ways, steps, lastSteps, next: before } = cost(item, whole.next, bytes);
    const isLast = whole.next.isCertain;
    whole = {
      ways: times(ways, whole.ways),
      steps: isLast ? steps : steps + times(ways, whole.steps),
      lastSteps: lastSteps + whole.lastSteps + (isLast ? whole.steps : 0),
      next: before,
    };
  }
  return whole;
}

function choiceCost(branches: readonly RegexNode[], next: Next, bytes: number): Cost {
  let seen = NO_BYTES;
  let overlap = false;
  const all = branches.map((branch) => cost(branch, next, bytes));
  for (const { next: before } of all) {
    overlap ||= (seen & before.first) !== NO_BYTES;
    seen |= before.first;
  }
  const fails = sum(all.map(({ next: before }) => before.fails));
  const of = (numbers: readonly number[]): number => (overlap ? sum(numbers) : Math.max(...numbers));
  return {
    ways: of(all.map(({ ways }) => ways)),
    // Of those that cannot begin alike one is tried in full.
    steps: of(all.map(({ steps }) => steps)) + branches.length + fails,
    lastSteps: sum(all.map(({ lastSteps }) => lastSteps)),
    next: {
      first: seen,
      isCertain: all.some(({ next: before }) => before.isCertain),
      isSureAtEnd: all.some(({ next: before }) => before.isSureAtEnd),
      fails,
    },
  };
}

function repeatCost(node: RegexNode & { readonly kind: "repeat" }, next: Next, bytes: number): Cost {
  const { body, least, most } = node;
  const start = firstOf(body);
  const isNullable = leastBytes(body) === 0;
  const again: Next = {
    first: most === 1 ? next.first : start | next.first,
    isCertain: next.isCertain && least <= 1,
    isSureAtEnd: next.isSureAtEnd && least <= 1,
    fails: (most === 1 ? 0 : failsOf(body)) + next.fails,
  };
  const inside = cost(body, again, bytes);
  // Only the rounds that must be may match nothing (ECMA-262 RepeatMatcher).
  const rounds = Math.min(most, bytes / Math.max(1, leastBytes(body)) + (isNullable ? least : 0));
  const hasOneWayOut = inside.ways === 1 && !isNullable && (start & next.first) === NO_BYTES;
  const tried = powers(inside.ways, rounds);
  return {
    ways: hasOneWayOut || most === 0 ? 1 : tried,
    steps: times(tried, inside.steps + inside.lastSteps + 1 + (hasOneWayOut ? next.fails : 0)),
    lastSteps: 0,
    next: {
      first: start | (least === 0 || isNullable ? next.first : NO_BYTES),
      isCertain: (least === 0 && next.isCertain) || (takesAll(node) && next.isSureAtEnd),
      isSureAtEnd: least === 0 && next.isSureAtEnd,
      fails: failsOf(node) + next.fails,
    },
  };
}

/** ".*" to the end of the text. */
function takesAll({ body, least, most }: RegexNode & { readonly kind: "repeat" }): boolean {
  if (least > 0 || most !== Number.POSITIVE_INFINITY) return false;
  return body.kind === "byte" && body.set === ALL_BYTES;
}

/** ways^0 + ways^1 + … + ways^rounds. */
function powers(ways: number, rounds: number): number {
  if (ways === 1) return rounds + 1;
  const last = ways ** (rounds + 1);
  return last === Number.POSITIVE_INFINITY ? last : (last - 1) / (ways - 1);
}

/** What a part may begin with, without what follows it. */
function firstOf(node: RegexNode): ByteSet {
  switch (node.kind) {
    case "byte":
      return node.set;
    case "back reference":
      return ALL_BYTES;
    case "edge":
      return NO_BYTES;
    case "look":
      return ALL_BYTES | AT_END;
    case "choice":
      return node.branches.reduce((set, branch) => set | firstOf(branch), NO_BYTES);
    case "sequence": {
      let set = NO_BYTES;
      for (const item of node.items) {
        set |= firstOf(item);
        if (leastBytes(item) > 0) break;
      }
      return set;
    }
    case "repeat":
      return node.most === 0 ? NO_BYTES : firstOf(node.body);
    case "group":
      return firstOf(node.body);
  }
}

/** Next.fails without what follows. A look may begin with anything, so nothing relies on its share. */
function failsOf(node: RegexNode): number {
  switch (node.kind) {
    case "choice":
      return sum(node.branches.map(failsOf));
    case "sequence": {
      let steps = 0;
      for (const item of node.items) {
        steps += failsOf(item);
        if (leastBytes(item) > 0) break;
      }
      return steps;
    }
    case "repeat":
      return 1 + failsOf(node.body);
    case "group":
      return failsOf(node.body);
    default:
      return 1;
  }
}

/** The shortest text a part matches. */
export function leastBytes(node: RegexNode): number {
  switch (node.kind) {
    case "byte":
      return 1;
    case "edge":
    case "look":
    case "back reference":
      return 0;
    case "choice":
      return Math.min(...node.branches.map(leastBytes));
    case "sequence":
      return sum(node.items.map(leastBytes));
    case "repeat":
      return node.least === 0 ? 0 : node.least * leastBytes(node.body);
    case "group":
      return leastBytes(node.body);
  }
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);

/** Infinity times nothing is nothing here. */
const times = (left: number, right: number): number => (left === 0 || right === 0 ? 0 : left * right);
