/**
 * Where a request goes from a location, and who may go on: `internal`, `try_files`, `error_page`,
 * `limit_except`, `satisfy`, and what answers say of caches and redirects. Called by translate-location.ts
 * and for the `if`s in a location.
 */
import { resolve } from "node:path";
import { readErrorPage } from "../location/location-lists.ts";
import type { Draft } from "./draft.ts";
import { constantsIn } from "./translate-names.ts";
import { inEffect, innerScopes, oneInEffect, type Scope } from "./translate-scope.ts";
import type { Context } from "./translate-settings.ts";

export function roadOptions(context: Context, scope: Scope, draft: Draft): void {
  const [internal] = scope.own.get("internal") ?? [];
  if (internal !== undefined) draft.set("internal", true, internal);
  tryFiles(scope, draft);
  errorPages(context, scope, draft);
  satisfy(context, scope, draft);
  limitExcept(context, scope, draft);
  // Endpoints of the module forbid caching themselves.
  if (!["publisher", "subscriber", "statistics"].some((role) => draft.has(role)))
    expires(context, scope, draft);
  for (const name of ["absolute_redirect", "port_in_redirect"] as const) {
    const directive = oneInEffect(scope, name);
    if (directive !== null && context.values.of(directive) === false) draft.set(name, false, directive);
  }
}

/** Not inherited, as in nginx. */
function tryFiles(scope: Scope, draft: Draft): void {
  const [directive] = scope.own.get("try_files") ?? [];
  if (directive === undefined) return;
  const constants = constantsIn(scope);
  draft.set(
    "try_files",
    directive.args.map(({ text }) => constants(text)),
    directive,
  );
}

export function errorPages({ report, values }: Context, scope: Scope, draft: Draft): void {
  const recursive = oneInEffect(scope, "recursive_error_pages");
  if (recursive !== null && values.of(recursive) === true)
    draft.set("recursive_error_pages", true, recursive);
  const directives = inEffect(scope, "error_page");
  const constants = constantsIn(scope);
  const isPossible = pagesOf(scope, draft);
  const texts = directives.flatMap((directive) => {
    const text = directive.args.map((arg) => constants(arg.text)).join(" ");
    const outcome = readErrorPage(text);
    if ("value" in outcome) {
      const statuses = outcome.value.statuses.filter(isPossible);
      return statuses.length === 0 ? [] : [text.replace(/^(?:\d{3}\s+)+/, `${statuses.join(" ")} `)];
    }
    report.fault(directive, `invalid value in "error_page" directive: ${outcome.sentence}`);
    return [];
  });
  const [first] = directives;
  if (first !== undefined && texts.length > 0) draft.set("error_page", texts, first);
}

const TOO_LARGE = 413;
const SERVERS_FAULT = 500;

/**
 * Which statuses a location answers with a page of the server's. Endpoints of the module answer without one,
 * but for a body that is too large; what refuses stands before them. Pages for them are left out, as every
 * request would have to be asked whether one stands for its answer: most files have some for a broken backend
 * at the top. So is what is our own fault, whose page then is ours.
 */
function pagesOf(scope: Scope, draft: Draft): (status: number) => boolean {
  if (!["publisher", "subscriber", "statistics"].some((role) => draft.has(role))) return () => true;
  const refuses =
    ["access", "auth_basic", "internal", "try_files"].some((key) => draft.has(key)) ||
    ["auth_request", "limit_req", "limit_conn", "sluice_authorize"].some(
      (name) => oneInEffect(scope, name) !== null,
    ) ||
    innerScopes(scope, "limit_except").length > 0 ||
    hasSteps(scope);
  return (status) => status < SERVERS_FAULT && (refuses || status === TOO_LARGE);
}

const hasSteps = (scope: Scope | null): boolean =>
  scope !== null && (scope.sequence.length > 0 || hasSteps(scope.parent));

function satisfy({ report }: Context, scope: Scope, draft: Draft): void {
  const directive = oneInEffect(scope, "satisfy");
  const word = directive?.args[0]?.text ?? "all";
  if (directive === null || word === "all") return;
  if (word === "any") draft.set("satisfy", "any", directive);
  else report.fault(directive, `invalid value "${word}" in "satisfy" directive`);
}

const METHODS: ReadonlySet<string> = new Set(
  "GET HEAD POST PUT DELETE MKCOL COPY MOVE OPTIONS PROPFIND PROPPATCH LOCK UNLOCK PATCH".split(" "),
);

/** Its rules stand in place of the location's, and what it does not say is the location's. */
function limitExcept({ report, folder }: Context, scope: Scope, draft: Draft): void {
  const [limit] = innerScopes(scope, "limit_except");
  const block = limit?.block ?? null;
  if (limit === undefined || block === null) return;
  const methods = block.args.map(({ text }) => text.toUpperCase());
  const unknown = methods.find((method) => !METHODS.has(method));
  if (unknown !== undefined) report.fault(block, `invalid method "${unknown}"`);
  draft.set("limit_except", methods, block);
  const rules = limit.own.get("allow") ?? [];
  if (rules[0] !== undefined)
    draft.set(
      "limit_except_access",
      rules.map(({ name, args }) => `${name} ${args[0]?.text}`),
      rules[0],
    );
  const realm = limit.own.get("auth_basic")?.[0];
  const file = oneInEffect(limit, "auth_basic_user_file");
  const text = realm?.args[0]?.text ?? "off";
  if (realm === undefined) return;
  if (text === "off") report.faultOf(realm, '"off" in "limit_except" is not supported');
  draft.set("limit_except_auth_basic", text, realm);
  if (file !== null)
    draft.set("limit_except_auth_basic_user_file", resolve(folder, file.args[0]?.text ?? ""), file);
}

export function expires(_: Context, scope: Scope, draft: Draft): void {
  const directive = oneInEffect(scope, "expires");
  const text = directive?.args.map((arg) => arg.text).join(" ") ?? "off";
  if (directive !== null && text !== "off") draft.set("expires", constantsIn(scope)(text), directive);
}
