/**
 * The first pass over the tree: every directive is looked up in the table and checked (known, allowed here,
 * number of arguments, not a duplicate, a value of the right kind), and what is left becomes scopes that can
 * answer what is in effect at a place. Called by translate.ts; everything after it trusts that what it finds
 * was checked.
 */
import { nearestName } from "../suggestion.ts";
import { type Context, type DirectiveRow, directiveNames, directiveRow } from "./directives.ts";
import { FORMER_NAMES } from "./directives-push.ts";
import { HARMLESS_WHEN } from "./directives-unsupported.ts";
import { DEFAULT_ZONE, MODULE_PREFIX, type Report } from "./translate-report.ts";
import { faultyFlag, type ValueReader } from "./translate-values.ts";
import type { Directive } from "./tree.ts";

/** One block: what stands in it, and the block it stands in. */
export interface Scope {
  readonly context: Context;
  /** null: the file itself. */
  readonly block: Directive | null;
  readonly parent: Scope | null;
  /** By slot: directives that fill the same slot replace each other (root and alias). Good ones only. */
  readonly own: Map<string, Directive[]>;
  readonly inner: Scope[];
  /** `if` blocks, `set`, `rewrite`, `return` and `break`, in the order of the file. */
  readonly sequence: (Directive | Scope)[];
}

const INNER_CONTEXTS: Readonly<Record<string, Context>> = {
  events: "events",
  http: "http",
  server: "server",
  location: "location",
  limit_except: "limit_except",
};
/** Their lines are no directives. */
const TABLES: readonly string[] = ["types", "map", "upstream"];

/** Directives that fill one slot between them: an inner one of either replaces an outer one of either. */
const SLOTS: Readonly<Record<string, string>> = {
  alias: "root",
  deny: "allow",
  push_stream_header_template_file: "push_stream_header_template",
  push_stream_publisher: "role",
  push_stream_subscriber: "role",
  push_stream_channels_statistics: "role",
  sluice_pushstream_client: "role",
  sluice_client: "role",
  sluice_handler: "role",
};

/**
 * What may stand in an `if` of ours: it sets, answers, or changes what a step can change (STEP_OVERRIDES).
 */
const IN_IF: readonly string[] = [
  ...[
    "set",
    "rewrite",
    "return",
    "break",
    "add_header",
    "expires",
    "error_page",
    "access_log",
    "root",
    "gzip",
    "proxy_pass",
    "sluice_role",
  ],
];
const SEQUENCE: readonly string[] = ["set", "rewrite", "return", "break"];

export class ScopeReader {
  readonly #report: Report;
  readonly #values: ValueReader;

  constructor(report: Report, values: ValueReader) {
    this.#report = report;
    this.#values = values;
  }

  /** The tree as scopes. Faults and ignored directives go to the report. */
  read(directives: readonly Directive[]): Scope {
    const main = emptyScope("main", null, null);
    this.#fill(main, directives);
    return main;
  }

  #fill(scope: Scope, directives: readonly Directive[]): void {
    const seen = new Map<string, Directive>();
    for (const directive of directives) {
      const row = this.#row(directive);
      if (row === null || !this.#isUsed(row, scope, directive)) continue;
      if (!this.#isWellFormed(row, scope, directive, seen)) continue;
      seen.set(row.name, directive);
      if (row.use === "harmless") this.#report.ignore(directive, directive.name);
      else this.#place(scope, directive);
    }
  }

  #row(directive: Directive): DirectiveRow | null {
    const { name } = directive;
    const row = directiveRow(name);
    if (row !== null) return row;
    const former = FORMER_NAMES.get(name);
    const nearest = name.length > 4 ? nearestName(name, directiveNames()) : null;
    const hint = name.startsWith("nchan_")
      ? ", `sluice convert` reads those of Nchan"
      : former !== undefined
        ? `, ${former}`
        : nearest !== null
          ? `, did you mean "${nearest}"?`
          : "";
    this.#report.fault(directive, `unknown directive "${name}"${hint}`);
    return null;
  }

  /**
   * False when it was dealt with here: what is not supported is a fault wherever it stands, or harmless as it
   * is written.
   */
  #isUsed(row: DirectiveRow, scope: Scope, directive: Directive): boolean {
    const { name } = row;
    if (row.use === "unsupported") {
      const isHarmless = HARMLESS_WHEN.get(name)?.(directive.args.map(({ text }) => text)) ?? false;
      if (isHarmless) this.#report.ignore(directive, name);
      else this.#notSupported(directive);
      return false;
    }
    const inIf = scope.context === "if" || scope.context === "server if";
    const isOverride = row.push?.contexts === "hsli";
    if (inIf && row.use === "handled" && row.contexts.includes(scope.context)) {
      if (isOverride || IN_IF.includes(name)) return true;
      this.#report.fault(directive, `"${name}" directive inside "if" is not supported`);
      return false;
    }
    return true;
  }

  #notSupported(directive: Directive): void {
    const { name, args } = directive;
    const instead = name.startsWith("nchan_")
      ? ": onPublish of a hooks file may change or refuse a message (docs/handlers.md)"
      : "";
    this.#report.faultOf(directive, `is not supported${instead}`);
    // geo $from $to, split_clients $from $to, auth_request_set $to, set_by_lua $to …
    const made =
      name === "split_clients" ? args.slice(1, 2) : name === "geo" ? args.slice(-1) : args.slice(0, 1);
    for (const { text } of made)
      if (/^\$\w+$/.test(text)) this.#report.unmade.add(text.slice(1).toLowerCase());
  }

  #isWellFormed(
    row: DirectiveRow,
    scope: Scope,
    directive: Directive,
    seen: ReadonlyMap<string, Directive>,
  ): boolean {
    const sentence = formFault(row, scope.context, directive) ?? this.#duplicate(row, scope, seen, directive);
    if (sentence === null) return this.#values.read(directive, row);
    this.#report.fault(directive, sentence);
    const { name, block } = directive;
    const context = INNER_CONTEXTS[name];
    // Its inside is looked at all the same where it could be meant: all faults at once.
    if (block !== null && context !== undefined && row.contexts.includes(scope.context))
      this.#fill(emptyScope(context, directive, scope), block);
    return false;
  }

  #duplicate(
    row: DirectiveRow,
    scope: Scope,
    seen: ReadonlyMap<string, Directive>,
    directive: Directive,
  ): string | null {
    const { name } = row;
    const plain = `"${name}" directive is duplicate`;
    if (name === "push_stream_publisher" || name === "push_stream_subscriber")
      return scope.own.has("role") ? plain : null;
    if (row.repeats) return null;
    if (name === "push_stream_header_template_file")
      return seen.has(name) || seen.has("push_stream_header_template")
        ? `${plain} or template set by 'push_stream_header_template'`
        : null;
    const before = seen.get(name);
    if (name === "push_stream_shared_memory_size" && before && zoneName(before) === zoneName(directive))
      return `${MODULE_PREFIX}duplicate zone "${zoneName(directive)}"; ${plain}`;
    const twin = TWINS[name];
    return before !== undefined || (twin !== undefined && seen.has(twin)) ? plain : null;
  }

  #place(scope: Scope, directive: Directive): void {
    const { name, block } = directive;
    const slot = SLOTS[name] ?? name;
    if (block !== null && !TABLES.includes(name)) this.#open(scope, directive, block);
    else if (SEQUENCE.includes(name)) scope.sequence.push(directive);
    // A statistics role silently overrides an earlier one (push-stream spec 1.2).
    else if (slot === "role") scope.own.set(slot, [directive]);
    else {
      const list = scope.own.get(slot);
      if (list === undefined) scope.own.set(slot, [directive]);
      else list.push(directive);
    }
  }

  #open(scope: Scope, directive: Directive, block: readonly Directive[]): void {
    const isIf = directive.name === "if";
    const context = isIf ? (scope.context === "server" ? "server if" : "if") : INNER_CONTEXTS[directive.name];
    if (context === undefined) return;
    const inner = emptyScope(context, directive, scope);
    this.#fill(inner, block);
    if (isIf) scope.sequence.push(inner);
    else scope.inner.push(inner);
  }
}

/** Of push_stream_shared_memory_size. */
const zoneName = ({ args }: Directive): string => args[1]?.text ?? DEFAULT_ZONE;

/** What is wrong with where and how it is written, in nginx's words; null when it is fine. */
function formFault(row: DirectiveRow, context: Context, { name, args, block }: Directive): string | null {
  if (!row.contexts.includes(context)) return `"${name}" directive is not allowed here`;
  if (row.isBlock && block === null) return `directive "${name}" has no opening "{"`;
  if (!row.isBlock && block !== null) return `directive "${name}" is not terminated by ";"`;
  if (args.length < row.minArgs || args.length > row.maxArgs)
    return `invalid number of arguments in "${name}" directive`;
  const word = args[0]?.text ?? "";
  if (name === "add_header" && args.length === 3 && args[2]?.text !== "always")
    return `invalid parameter "${args[2]?.text}"`;
  return row.isFlag && faultyFlag(word)
    ? `invalid value "${word}" in "${name}" directive, it must be "on" or "off"`
    : null;
}

/** Either fills the slot of the other, and the second is the duplicate. */
const TWINS: Readonly<Record<string, string>> = {
  root: "alias",
  alias: "root",
  push_stream_header_template: "push_stream_header_template_file",
};

const emptyScope = (context: Context, block: Directive | null, parent: Scope | null): Scope => ({
  context,
  block,
  parent,
  own: new Map(),
  inner: [],
  sequence: [],
});

/** The directives of a slot that are in effect in a scope: those of the innermost level that has any. */
export function inEffect(scope: Scope | null, slot: string): readonly Directive[] {
  for (let level = scope; level !== null; level = level.parent) {
    const own = level.own.get(slot);
    if (own !== undefined) return own;
  }
  return [];
}

/** The one directive of a slot that cannot be repeated. */
export const oneInEffect = (scope: Scope | null, slot: string): Directive | null =>
  inEffect(scope, slot).at(0) ?? null;

export const innerScopes = (scope: Scope, context: Context): readonly Scope[] =>
  scope.inner.filter((inner) => inner.context === context);
