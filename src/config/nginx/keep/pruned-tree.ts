/**
 * The part of a tree that sluice answers: push locations and what is around them, the settings of the module,
 * types, sizes of bodies, and the `set`, `if` and `map` that push directives use. Everything else (access
 * rules, passwords, guards, rewrites, files) stays on nginx's side. What comes out is a tree as any other,
 * and translated as such. Called by split.ts.
 */
import { parseMatch } from "../../location/match-syntax.ts";
import { pcreSource } from "../../regex/pcre.ts";
import type { Directive } from "../tree.ts";
import { isForeign, variablesIn, withFields } from "./foreign-variables.ts";
import { isPush, pushServers } from "./push-locations.ts";

export interface Pruned {
  readonly directives: readonly Directive[];
  /** Names of variables that come in fields. */
  readonly foreign: ReadonlySet<string>;
}

/** Whatever says how answers and requests of push locations look. */
const KEPT: readonly string[] = [
  ...["types", "default_type", "charset", "client_max_body_size", "server_name", "worker_processes"],
];

/** `addressOf` answers where sluice is to listen for a server. */
export function prunedTree(
  directives: readonly Directive[],
  addressOf: (server: Directive) => string | null,
): Pruned {
  const used = usedVariables(directives);
  const ours = new Set(
    pushServers(directives).flatMap(({ locations }) => locations.map(({ location }) => location)),
  );
  const known = knownVariables(directives);
  const foreign = new Set([...used].filter((name) => isForeign(name, known)));
  const pruner = new Pruner(used, ours, foreign, addressOf);
  return { directives: pruner.prune(directives), foreign };
}

class Pruner {
  readonly #used: ReadonlySet<string>;
  readonly #ours: ReadonlySet<Directive>;
  readonly #foreign: ReadonlySet<string>;
  readonly #addressOf: (server: Directive) => string | null;

  constructor(
    used: ReadonlySet<string>,
    ours: ReadonlySet<Directive>,
    foreign: ReadonlySet<string>,
    addressOf: (server: Directive) => string | null,
  ) {
    this.#used = used;
    this.#ours = ours;
    this.#foreign = foreign;
    this.#addressOf = addressOf;
  }

  prune(directives: readonly Directive[]): readonly Directive[] {
    return directives.flatMap((directive) => this.#one(directive));
  }

  #one(directive: Directive): readonly Directive[] {
    const { name, block } = directive;
    if (isPush(directive) || KEPT.includes(name)) return [withFields(directive, this.#foreign)];
    if (name === "set") return this.#isUsed(directive) ? [withFields(directive, this.#foreign)] : [];
    if (block === null) return [];
    switch (name) {
      case "http":
        return [{ ...directive, block: this.prune(block) }];
      case "map":
        return this.#used.has((directive.args[1]?.text ?? "").slice(1).toLowerCase())
          ? [
              {
                ...withFields(directive, this.#foreign),
                block: block.map((line) => withFields(line, this.#foreign)),
              },
            ]
          : [];
      case "server":
        return this.#server(directive, block);
      case "location": {
        const inner = this.prune(block);
        const isNeeded = this.#ours.has(directive) || inner.some(({ name: other }) => other === "location");
        return isNeeded ? [{ ...directive, block: inner }] : [];
      }
      case "if": {
        // A `break` there ends what is set below as well.
        const inner = block.flatMap((line) => (line.name === "break" ? [line] : this.#one(line)));
        return inner.some(({ name: other }) => other !== "break")
          ? [{ ...withFields(directive, this.#foreign), block: inner }]
          : [];
      }
      default:
        return [];
    }
  }

  #server(directive: Directive, block: readonly Directive[]): readonly Directive[] {
    const address = this.#addressOf(directive);
    if (address === null) return [];
    const listen: Directive = {
      ...directive,
      name: "listen",
      args: [{ text: address, quoted: false }],
      block: null,
    };
    return [{ ...directive, block: [listen, ...this.prune(block)] }];
  }

  #isUsed({ args }: Directive): boolean {
    return this.#used.has((args[0]?.text ?? "").slice(1).toLowerCase());
  }
}

/** Of push directives, and of what makes those variables, and so on. */
function usedVariables(directives: readonly Directive[]): ReadonlySet<string> {
  const all = flat(directives);
  const used = new Set(all.filter(isPush).flatMap(variablesIn));
  for (let before = -1; before !== used.size; ) {
    before = used.size;
    for (const { name, args, block } of all) {
      const target = name === "set" ? args[0]?.text : name === "map" ? args[1]?.text : undefined;
      if (target === undefined || !used.has(target.slice(1).toLowerCase())) continue;
      for (const line of [
        { name, args: args.filter(({ text }) => text !== target), block },
        ...(block ?? []),
      ])
        for (const inner of variablesIn({ file: "", line: 0, ...line })) used.add(inner);
    }
    // The condition under which one of them is set.
    for (const { name, args, block } of all)
      if (name === "if" && (block ?? []).some((line) => isPush(line) || isSetOf(line, used)))
        for (const inner of variablesIn({ name, args, block, file: "", line: 0 })) used.add(inner);
  }
  return used;
}

const isSetOf = ({ name, args }: Directive, used: ReadonlySet<string>): boolean =>
  name === "set" && used.has((args[0]?.text ?? "").slice(1).toLowerCase());

/** What the configuration makes by itself. */
function knownVariables(directives: readonly Directive[]): ReadonlySet<string> {
  const known = new Set<string>();
  for (const { name, args, block } of flat(directives)) {
    if (name === "set") known.add((args[0]?.text ?? "").slice(1).toLowerCase());
    if (name === "map") known.add((args[1]?.text ?? "").slice(1).toLowerCase());
    const regexes = WITH_REGEX.includes(name) ? args.map(({ text }) => text) : [];
    const cases = name === "map" ? (block ?? []).map((line) => line.name) : [];
    for (const text of [...regexes, ...cases])
      for (const group of groupNames(text)) known.add(group.toLowerCase());
  }
  return known;
}

const WITH_REGEX: readonly string[] = ["location", "if", "server_name", "rewrite"];

function groupNames(text: string): Iterable<string> {
  const outcome = parseMatch(`~ ${pcreSource(text.replace(/^~\*?/, "")).source}`);
  return outcome.ok ? outcome.groups.names.keys() : [];
}

export const flat = (directives: readonly Directive[]): readonly Directive[] =>
  directives.flatMap((directive) => [directive, ...flat(directive.block ?? [])]);
