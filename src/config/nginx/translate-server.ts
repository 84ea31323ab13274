/**
 * One `server` block as a `[[server]]` table: addresses, names, certificates, trusted proxies, steps,
 * locations. Called by translate.ts.
 */
import { hostname } from "node:os";
import { resolve } from "node:path";
import { pcreSource } from "../regex/pcre.ts";
import { Draft } from "./draft.ts";
import { serverConnections } from "./translate-connections.ts";
import { type Listen, translateListen } from "./translate-listen.ts";
import { implicitLocation, isPlainRoot, translateLocation } from "./translate-location.ts";
import { listener } from "./translate-main.ts";
import { constantsIn } from "./translate-names.ts";
import { type NestedLocation, nestedLocations } from "./translate-nesting.ts";
import { proxiesInLocation, trustedProxies } from "./translate-proxies.ts";
import { inEffect, oneInEffect, type Scope } from "./translate-scope.ts";
import type { Context } from "./translate-settings.ts";
import { translateSteps } from "./translate-steps.ts";

export function translateServer(context: Context, scope: Scope): Draft {
  const place = scope.block ?? { file: "", line: 0 };
  const draft = new Draft(place);
  const listens = listensOf(context, scope);
  draft.set(
    "listen",
    listens.map(({ address, words }) => [address, ...words].join(" ")),
    oneInEffect(scope, "listen") ?? place,
  );
  listener(context, scope, draft);
  serverNames(scope, draft);
  if (listens.some(({ words }) => words.includes("ssl"))) {
    certificates(context, scope, draft);
    protocols(context, scope, draft);
  }
  headerNames(context, scope, draft);
  serverConnections(context, scope, draft);
  trustedProxies(context, scope, draft);
  for (const step of translateSteps(context, scope, constantsIn(scope))) draft.push("step", step);
  const located = nestedLocations(context.report, scope);
  pushLocations(context, located, draft);
  // What no location is for is the server's own affair in nginx: served from its root, logged, kept from
  // strangers.
  if (
    OF_SERVER.some((slot) => inEffect(scope, slot).length > 0) &&
    !located.some(({ match }) => isPlainRoot(match))
  )
    draft.push("location", implicitLocation(context, scope));
  return draft;
}

/** What matters to a request without a location. */
const OF_SERVER: readonly string[] = [
  "root",
  "access_log",
  "allow",
  "auth_basic",
  "add_header",
  "error_page",
  "expires",
];

function pushLocations(context: Context, located: readonly NestedLocation[], draft: Draft): void {
  for (const { scope, match, inner } of located) {
    proxiesInLocation(context, scope);
    const location = translateLocation(context, scope, match);
    pushLocations(context, inner, location);
    draft.push("location", location);
  }
}

function listensOf({ report, values, folder }: Context, scope: Scope): readonly Listen[] {
  const listens: Listen[] = [];
  const added: string[] = [];
  for (const [name, word] of [
    ["ssl", "ssl"],
    ["http2", "http2"],
  ] as const) {
    if (values.of(oneInEffect(scope, name)) === true) added.push(word);
  }
  for (const directive of scope.own.get("listen") ?? []) {
    const listen = translateListen(directive, folder, report);
    if (listen === null) continue;
    if (listens.some(({ address }) => address === listen.address))
      report.fault(directive, `a duplicate listen ${listen.address}`);
    const words = listen.address.startsWith("unix:") ? [] : [...new Set([...listen.words, ...added])];
    listens.push({ address: listen.address, words });
  }
  // With all of them faulty, the default stands in, so that the lack is not told as well.
  if (listens.length > 0) return listens;
  // nginx's default: what the user may bind.
  const port = process.getuid?.() === 0 ? 80 : 8000;
  return [{ address: `0.0.0.0:${port}`, words: added }];
}

function serverNames(scope: Scope, draft: Draft): void {
  const directives = scope.own.get("server_name") ?? [];
  const names = directives
    .flatMap(({ args }) => args.map(({ text }) => text))
    .map((name) => (name === "$hostname" ? hostname() : name))
    .map((name) => (name.startsWith("~") ? `~${pcreSource(name.slice(1)).source}` : name));
  const [first] = directives;
  if (first !== undefined) draft.set("server_name", [...new Set(names)], first);
}

function headerNames({ values }: Context, scope: Scope, draft: Draft): void {
  const ignoring = oneInEffect(scope, "ignore_invalid_headers");
  const underscores = oneInEffect(scope, "underscores_in_headers");
  if (ignoring !== null && values.of(ignoring) === false) draft.set("header_names", "any", ignoring);
  else if (underscores !== null && values.of(underscores) === true)
    draft.set("header_names", "underscores", underscores);
}

/** Older ones nobody should speak, and the runtime does not. */
function protocols({ report, values }: Context, scope: Scope, draft: Draft): void {
  const directive = oneInEffect(scope, "ssl_protocols");
  const names = directive?.args.map(({ text }) => text) ?? [];
  const spoken = names.filter((name) => /^TLSv1\.[23]$/.test(name));
  const unspoken = names.filter((name) => !spoken.includes(name));
  const unknown = unspoken.find((name) => !/^(?:SSLv[23]|TLSv1(?:\.1)?)$/.test(name));
  if (directive !== null && unknown !== undefined) report.fault(directive, `invalid value "${unknown}"`);
  else if (directive !== null && spoken.length === 0)
    report.faultOf(directive, "without TLSv1.2 or TLSv1.3 is not supported");
  else if (directive !== null) {
    if (unspoken.length > 0)
      report.notice(`${directive.file}:${directive.line}: ${unspoken.join(" and ")} is not spoken`);
    draft.set("tls_protocols", spoken, directive);
  }
  const ciphers = oneInEffect(scope, "ssl_ciphers");
  if (ciphers !== null) draft.set("tls_ciphers", ciphers.args[0]?.text ?? "", ciphers);
  const prefers = oneInEffect(scope, "ssl_prefer_server_ciphers");
  if (prefers !== null && values.of(prefers) === true) draft.set("tls_prefer_server_ciphers", true, prefers);
}

/** Several pairs (RSA and ECDSA) are one too many for us: the first is taken. */
function certificates({ report, folder }: Context, scope: Scope, draft: Draft): void {
  for (const [name, key] of [
    ["ssl_certificate", "tls_certificate"],
    ["ssl_certificate_key", "tls_certificate_key"],
  ] as const) {
    const [directive, ...others] = inEffect(scope, name);
    for (const other of others) report.notice(`${other.file}:${other.line}: only the first ${name} is used`);
    if (directive === undefined) continue;
    const path = directive.args[0]?.text ?? "";
    if (/^(?:data|engine|store):|\$/.test(path)) report.faultOf(directive, `"${path}" is not supported`);
    draft.set(key, resolve(folder, path), directive);
  }
}
