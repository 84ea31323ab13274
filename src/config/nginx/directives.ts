/**
 * The table of nginx directives: where each may stand, how many arguments it takes, whether it may be
 * repeated, and what becomes of it. Called by translate-scope.ts for every directive of a file.
 *
 * The rows are text, a line a directive, because there are some four hundred of them and all that matters is
 * that one can read down the columns. Directives of the push stream module have a row with more to it, in
 * directives-push.ts.
 */
import { CORE_ROWS } from "./directives-core.ts";
import { HARMLESS_ROWS } from "./directives-harmless.ts";
import { PUSH_DIRECTIVES, type PushDirective } from "./directives-push.ts";
import { UNSUPPORTED_ROWS } from "./directives-unsupported.ts";

export type Context =
  | "main"
  | "events"
  | "http"
  | "server"
  | "location"
  | "if"
  | "server if"
  | "limit_except";

/**
 * handled: translated. harmless: ignored and listed, since it changes nothing a client can tell, or nothing
 * we do otherwise. unsupported: a fault, since leaving it out would change behaviour.
 */
export type Use = "handled" | "harmless" | "unsupported";

export interface DirectiveRow {
  readonly name: string;
  readonly use: Use;
  readonly contexts: readonly Context[];
  readonly minArgs: number;
  readonly maxArgs: number;
  /** One argument, `on` or `off`. */
  readonly isFlag: boolean;
  /** It is followed by `{`. */
  readonly isBlock: boolean;
  /** It may stand more than once at a level. */
  readonly repeats: boolean;
  /** A directive of the push stream module that has one value. */
  readonly push: PushDirective | null;
  /** Why it can be left out, where it is harmless. */
  readonly reason: string | null;
}

const CONTEXT_LETTERS: Readonly<Record<string, Context>> = {
  m: "main",
  e: "events",
  h: "http",
  s: "server",
  l: "location",
  i: "if",
  c: "server if",
  x: "limit_except",
};

/**
 * Whole families that only tune something which itself is unsupported (`fastcgi_pass` …), and so do nothing
 * without it.
 */
const TUNING_FAMILY = /^(?:fastcgi|uwsgi|scgi|grpc|memcached)_(?!pass$)[a-z0-9_]+$/;
/** Code of other languages in the file, by the naming of the modules that run it. */
const SCRIPT_FAMILY = /^(?:js_|perl_|lua_|[a-z_]+_by_lua(?:_block|_file)?$|[a-z_]+_by_njs$)/;

const TABLE = new Map<string, DirectiveRow>();
for (const [use, text] of [
  ["handled", CORE_ROWS],
  ["harmless", HARMLESS_ROWS],
  ["unsupported", UNSUPPORTED_ROWS],
] as const) {
  let reason: string | null = null;
  for (const line of text.trim().split("\n")) {
    if (line.trim().startsWith("#")) reason = line.trim().slice(2);
    else addRow(use, line, null, reason);
  }
}
for (const [name, push] of PUSH_DIRECTIVES) {
  addRow("handled", `${name} ${push.contexts} ${push.kind === "flag" ? "flag" : "1"}`, push);
}

function addRow(
  use: Use,
  line: string,
  push: PushDirective | null = null,
  reason: string | null = null,
): void {
  const [name = "", letters = "", args = "", marks = ""] = line.trim().split(/\s+/);
  const [least = "", most = least] = args.replace("flag", "1").replace("+", "-Infinity").split("-");
  TABLE.set(name, {
    name,
    use,
    contexts: [...letters].flatMap((letter) => CONTEXT_LETTERS[letter] ?? []),
    minArgs: Number(least),
    maxArgs: Number(most),
    isFlag: args === "flag",
    isBlock: marks.includes("{"),
    repeats: marks.includes("*"),
    push,
    reason,
  });
}

/** All names with a row, for suggestions. */
export const directiveNames = (): readonly string[] => [...TABLE.keys()];

/** null: a name nobody knows. */
export function directiveRow(name: string): DirectiveRow | null {
  const row = TABLE.get(name);
  if (row !== undefined) return row;
  if (TUNING_FAMILY.test(name)) return anywhere(name, "harmless");
  return SCRIPT_FAMILY.test(name) ? anywhere(name, "unsupported") : null;
}

const anywhere = (name: string, use: Use): DirectiveRow => ({
  name,
  use,
  contexts: Object.values(CONTEXT_LETTERS),
  minArgs: 0,
  maxArgs: Number.POSITIVE_INFINITY,
  isFlag: false,
  isBlock: false,
  repeats: true,
  push: null,
  reason: "it tunes what is a fault itself",
});
