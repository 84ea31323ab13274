/**
 * Variables that mean the same for every request of a server or location: `$server_name`, `$server_port`,
 * `$hostname`, `$document_root` and what is made of it. Our own file has none of them, so their values are
 * written in their place. Used by the other translate-*.ts wherever a text may have variables.
 */
import { hostname } from "node:os";
import { inEffect, oneInEffect, type Scope } from "./translate-scope.ts";
import type { Directive } from "./tree.ts";

const NAMES =
  "server_name|server_port|hostname|document_root|realpath_root|request_filename|fastcgi_script_name";
const CONSTANT = new RegExp(`\\$(?:\\{(${NAMES})\\}|(${NAMES})\\b)`, "gi");

/**
 * What does not mean one thing (the port of a server with two) is left as it is, and then is an unknown
 * variable.
 */
export const constantsIn =
  (scope: Scope): ((text: string) => string) =>
  (text) =>
    // Most texts have none, and most locations no text with one.
    text.includes("$") ? withConstants(scope, text) : text;

function withConstants(scope: Scope, text: string): string {
  return text.replace(CONSTANT, (whole, braced: string | undefined, bare: string | undefined) => {
    const name = (braced ?? bare ?? "").toLowerCase();
    const value = constantIn(scope, name);
    return value === null || (value.includes("$") && !MADE_OF_PATHS.has(name)) ? whole : value;
  });
}

function constantIn(scope: Scope, name: string): string | null {
  switch (name) {
    case "server_name":
      return inEffect(scope, "server_name")[0]?.args[0]?.text ?? "";
    case "server_port":
      return portOf(scope);
    case "hostname":
      return hostname();
    case "fastcgi_script_name":
      return "$uri";
    case "request_filename": {
      // Of an alias it is the path without the location's prefix, which has no name.
      const root = folderOf(scope);
      return root === null ? null : `${root}$uri`;
    }
    default:
      return folderOf(scope);
  }
}

/** These may have variables in them, which then stand in their place. */
const MADE_OF_PATHS: ReadonlySet<string> = new Set([
  "document_root",
  "realpath_root",
  "request_filename",
  "fastcgi_script_name",
]);

function portOf(scope: Scope): string | null {
  const ports = inEffect(scope, "listen").map(({ args }) => /(?:^|:)(\d+)$/.exec(args[0]?.text ?? "")?.[1]);
  return new Set(ports).size === 1 ? (ports[0] ?? null) : null;
}

/** null: none is set, or it is an alias. */
function folderOf(scope: Scope): string | null {
  const directive = oneInEffect(scope, "root");
  return directive === null || directive.name === "alias" ? null : rootText(scope, directive);
}

/** What `root` and `alias` name, a variable in front that means one thing written out. */
export function rootText(scope: Scope, { args }: Directive): string {
  const path = args[0]?.text ?? "";
  return path.replace(
    /^\$(\w+)/,
    (whole, name: string) => fixedVariables(scope).get(name.toLowerCase()) ?? whole,
  );
}

/**
 * Variables that one `set` of the server gives a text without variables, and that nothing else sets: `root
 * $docroot;` then is a folder as any other, in which what is asked for must lie.
 */
function fixedVariables(scope: Scope): ReadonlyMap<string, string> {
  let server = scope;
  while (server.parent !== null && server.context !== "server") server = server.parent;
  const known = fixedIn.get(server);
  if (known !== undefined) return known;
  const counts = new Map<string, number>();
  countSettings(server, counts);
  const fixed = new Map<string, string>();
  for (const item of server.sequence) {
    if (!("name" in item)) continue;
    if (item.name !== "set") break;
    const [name = "", value = ""] = item.args.map(({ text }) => text);
    const key = name.slice(1).toLowerCase();
    if (counts.get(key) === 1 && !value.includes("$")) fixed.set(key, value);
  }
  fixedIn.set(server, fixed);
  return fixed;
}

const fixedIn = new WeakMap<Scope, ReadonlyMap<string, string>>();

function countSettings({ sequence, inner, block }: Scope, counts: Map<string, number>): void {
  // Groups of a regex that have names set variables as well.
  for (const { text } of block?.args ?? [])
    for (const [, name = ""] of text.matchAll(/\(\?P?[<'](\w+)/g)) counts.set(name.toLowerCase(), 2);
  for (const item of sequence) {
    if (!("name" in item)) countSettings(item, counts);
    else if (item.name === "set") {
      const key = (item.args[0]?.text ?? "").slice(1).toLowerCase();
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
  }
  for (const scope of inner) countSettings(scope, counts);
}
