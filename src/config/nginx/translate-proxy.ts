/**
 * `proxy_pass` with what belongs to it, as a location of role `proxy`, and `upstream` blocks as
 * `[[upstream]]` tables. Called by translate-location.ts and translate.ts. What nginx does unless it is told
 * otherwise is written out: ours does other things by default.
 */
import type { OptionPath } from "../options.ts";
import { parseProxyTarget } from "../server/proxy-target.ts";
import { Draft } from "./draft.ts";
import { constantsIn } from "./translate-names.ts";
import { inEffect, oneInEffect, type Scope } from "./translate-scope.ts";
import { type Context, optionValue } from "./translate-settings.ts";
import type { Directive } from "./tree.ts";

const TIMES = [
  "proxy_connect_timeout",
  "proxy_send_timeout",
  "proxy_read_timeout",
  "proxy_next_upstream_timeout",
];
/** With what our own file takes for granted. */
const FLAGS = [
  ["proxy_intercept_errors", false],
  ["proxy_ignore_client_abort", false],
  ["proxy_pass_request_headers", true],
  ["proxy_pass_request_body", true],
] as const;
const LISTS = ["proxy_hide_header", "proxy_pass_header"] as const;
const PROXY_PORT = /\$(?:proxy_port\b|\{proxy_port\})/gi;

/** The role of a location that passes everything on. */
export function proxyRole(context: Context, scope: Scope, passes: Directive, draft: Draft): void {
  const { report, values } = context;
  const seen = constantsIn(scope);
  const to = seen(passes.args[0]?.text ?? "");
  draft.set("proxy", to, passes);
  const target = parseProxyTarget(to);
  if (scope.context === "if" && target?.uri != null)
    report.fault(
      passes,
      '"proxy_pass" cannot have URI part in location given by regular expression, or inside named ' +
        'location, or inside "if" statement, or inside "limit_except" block',
    );
  const ported = (text: string): string =>
    seen(target === null ? text : text.replace(PROXY_PORT, String(target.address.port)));
  setFields(scope, passes, draft, ported);
  version(context, scope, passes, draft);
  redirects(context, scope, to, draft, ported);
  for (const name of TIMES) {
    const directive = oneInEffect(scope, name);
    const value = values.of(directive);
    const path = `location[].${name}` as OptionPath;
    if (directive !== null && value !== undefined)
      draft.set(name, optionValue(report, directive, path, value), directive);
  }
  for (const [name, usual] of FLAGS) {
    const directive = oneInEffect(scope, name);
    if (directive !== null && values.of(directive) === !usual) draft.set(name, !usual, directive);
  }
  for (const name of LISTS) {
    const [first, ...others] = inEffect(scope, name);
    if (first !== undefined)
      draft.set(
        name,
        [first, ...others].map(({ args }) => args[0]?.text ?? ""),
        first,
      );
  }
  nextUpstream(context, scope, draft);
  if (/^https:|^\$/i.test(to)) tls(context, scope, passes, draft);
}

/** nginx's own: the backend's name as Host, and one request a connection. */
function setFields(scope: Scope, passes: Directive, draft: Draft, seen: (text: string) => string): void {
  const directives = inEffect(scope, "proxy_set_header");
  const texts = directives.map(({ args }) => {
    const [name = "", value = ""] = args.map(({ text }) => text);
    return `${name} ${seen(value)}`.trimEnd();
  });
  const names = new Set(texts.map((text) => text.split(" ", 1)[0]?.toLowerCase()));
  const own = [
    ...(names.has("host") ? [] : ["Host $proxy_host"]),
    ...(names.has("connection") ? [] : ["Connection close"]),
  ];
  draft.set("proxy_set_header", [...own, ...texts], directives[0] ?? passes);
}

function version({ report }: Context, scope: Scope, passes: Directive, draft: Draft): void {
  const directive = oneInEffect(scope, "proxy_http_version");
  const text = directive?.args[0]?.text ?? "1.0";
  if (text === "1.0" || text === "1.1") draft.set("proxy_http_version", text, directive ?? passes);
  else if (directive !== null) report.fault(directive, `invalid value "${text}"`);
}

function redirects(
  { report }: Context,
  scope: Scope,
  to: string,
  draft: Draft,
  seen: (text: string) => string,
): void {
  const directives = inEffect(scope, "proxy_redirect");
  const [first] = directives;
  if (first === undefined) return;
  const texts = directives.flatMap((directive) => {
    const [from = "", replacement] = directive.args.map(({ text }) => text);
    if (replacement !== undefined) return [`${seen(from)} ${seen(replacement)}`];
    if (from === "default" && to.includes("$"))
      report.fault(
        directive,
        '"proxy_redirect default" cannot be used with "proxy_pass" directive with variables',
      );
    if (from === "off" || from === "default") return [from];
    report.fault(directive, `invalid parameter "${from}"`);
    return [];
  });
  draft.set("proxy_redirect", texts, first);
}

const NO_WORDS = /^(?:updating|denied)$/;

function nextUpstream({ report }: Context, scope: Scope, draft: Draft): void {
  const directive = oneInEffect(scope, "proxy_next_upstream");
  if (directive !== null)
    draft.set(
      "proxy_next_upstream",
      directive.args.map(({ text }) => text).filter((word) => !NO_WORDS.test(word)),
      directive,
    );
  const tries = oneInEffect(scope, "proxy_next_upstream_tries");
  const text = tries?.args[0]?.text ?? "";
  if (tries === null) return;
  if (/^\d{1,9}$/.test(text))
    draft.set(
      "proxy_next_upstream_tries",
      optionValue(report, tries, "location[].proxy_next_upstream_tries", Number(text)),
      tries,
    );
  else report.fault(tries, '"proxy_next_upstream_tries" directive invalid number');
}

/** nginx verifies nobody, and tells no name. */
function tls({ values, folder }: Context, scope: Scope, passes: Directive, draft: Draft): void {
  for (const name of ["proxy_ssl_server_name", "proxy_ssl_verify"] as const) {
    const directive = oneInEffect(scope, name);
    draft.set(name, values.of(directive) === true, directive ?? passes);
  }
  const name = oneInEffect(scope, "proxy_ssl_name");
  if (name !== null) draft.set("proxy_ssl_name", constantsIn(scope)(name.args[0]?.text ?? ""), name);
  const trusted = oneInEffect(scope, "proxy_ssl_trusted_certificate");
  const path = trusted?.args[0]?.text ?? "";
  if (trusted !== null)
    draft.set("proxy_ssl_trusted_certificate", path.startsWith("/") ? path : `${folder}/${path}`, trusted);
}

// --- upstream ----------------------------------------------------------------------------------------------

const BALANCES: readonly string[] = ["least_conn", "ip_hash"];
/** Counts shared by workers: each of ours counts for itself. */
const HARMLESS: readonly string[] = ["zone", "keepalive_time"];

export function translateUpstreams(context: Context, http: Scope, draft: Draft): void {
  for (const directive of inEffect(http, "upstream")) {
    const upstream = new Draft(directive);
    upstream.set("name", directive.args[0]?.text ?? "", directive);
    const servers: string[] = [];
    for (const line of directive.block ?? []) upstreamLine(context, line, upstream, servers);
    upstream.set("server", servers, directive);
    draft.push("upstream", upstream);
  }
}

function upstreamLine({ report }: Context, line: Directive, upstream: Draft, servers: string[]): void {
  const { name, args, block } = line;
  const words = args.map(({ text }) => text);
  const [first = ""] = words;
  if (block !== null) report.faultOf(line, "is not supported");
  else if (name === "server") {
    const other = words.find((word) => /^(?:max_conns|slow_start|resolve|service|route|drain)\b/.test(word));
    if (other !== undefined) report.faultOf(line, `with "${other}" is not supported`);
    else servers.push(words.join(" "));
  } else if (BALANCES.includes(name)) upstream.set("balance", name, line);
  else if (name === "keepalive" || name === "keepalive_requests") {
    if (/^[1-9]\d{0,8}$/.test(first))
      upstream.set(name, optionValue(report, line, `upstream[].${name}`, Number(first)), line);
    else report.fault(line, `invalid value "${first}" in "${name}" directive`);
  } else if (name === "keepalive_timeout") upstream.set(name, first, line);
  else if (HARMLESS.includes(name)) report.ignore(line, `${name} of an upstream`);
  else report.faultOf(line, "is not supported");
}
