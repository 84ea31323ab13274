/** `map` blocks as `[[map]]` tables. Called by translate.ts. */
import { pcreSource } from "../regex/pcre.ts";
import { Draft } from "./draft.ts";
import { inEffect, type Scope } from "./translate-scope.ts";
import type { Context } from "./translate-settings.ts";
import { quotedWord } from "./translate-words.ts";
import type { Directive } from "./tree.ts";

export function translateMaps({ report }: Context, http: Scope, draft: Draft): void {
  const seen = new Set<string>();
  for (const directive of inEffect(http, "map")) {
    const [from = "", to = ""] = directive.args.map(({ text }) => text);
    if (!/^\$\w+$/.test(to)) report.fault(directive, `invalid variable name "${to}"`);
    else if (seen.has(to.toLowerCase())) report.faultOf(directive, `of ${to} stands twice`);
    seen.add(to.toLowerCase());
    const map = new Draft(directive);
    map.set("from", from, directive);
    map.set("to", to, directive);
    const cases: string[] = [];
    for (const line of directive.block ?? []) addLine(line, map, cases, report);
    if (cases.length > 0) map.set("cases", cases, directive);
    draft.push("map", map);
  }
}

function addLine(line: Directive, map: Draft, cases: string[], report: Context["report"]): void {
  const { name, args, block } = line;
  const value = args[0]?.text ?? "";
  if (args.length === 0 && block === null && (name === "hostnames" || name === "volatile")) {
    // A value is looked up once in a request; what it follows from seldom changes meanwhile.
    if (name === "hostnames") map.set("hostnames", true, line);
    else report.ignore(line, "map … volatile");
  } else if (args.length !== 1 || block !== null) report.fault(line, "invalid number of the map parameters");
  else if (name === "default") map.set("default", value, line);
  else cases.push(`${pattern(name)}${value === "" ? "" : ` ${value}`}`);
}

function pattern(text: string): string {
  const sign = /^~\*?/.exec(text)?.[0] ?? "";
  if (sign === "") return quotedWord(text);
  const { source, ignoreCase } = pcreSource(text.slice(sign.length));
  return quotedWord(`${ignoreCase ? "~*" : sign}${source}`);
}
