/**
 * `auth_request`, and `limit_req` in its common forms, as `auth_request` and `rate` of a location. Called by
 * translate-location.ts.
 *
 * nginx asks a location, which there is most often nothing but a `proxy_pass` to whoever decides. That one is
 * asked himself here; a handler of ours is asked as it is.
 */
import { compileLocations, type LocationSource } from "../location/locations.ts";
import type { Draft } from "./draft.ts";
import { HANDLER } from "./translate-code.ts";
import { matchText, type NestedLocation, nestedLocations } from "./translate-nesting.ts";
import { Report } from "./translate-report.ts";
import { inEffect, oneInEffect, type Scope } from "./translate-scope.ts";
import type { Context } from "./translate-settings.ts";
import type { Directive } from "./tree.ts";

/** What a backend is told of a request, beside what the manual lists. */
const TOLD = ["Cookie", "Authorization"];

export function accessOptions(context: Context, scope: Scope, draft: Draft): void {
  question(context, scope, draft);
  rate(context, scope, draft);
}

/** What passes everything on; null: nothing does, or it only says whom to ask. */
export function passesOn(scope: Scope): Directive | null {
  const [passes] = scope.own.get("proxy_pass") ?? [];
  return passes === undefined || isAsked(scope) ? null : passes;
}

/** Nobody reaches a location that is asked from outside: what would answer there is the backend. */
export function hideAsked({ report }: Context, scope: Scope, draft: Draft): void {
  const [passes] = scope.own.get("proxy_pass") ?? [];
  if (passes === undefined) return;
  if (isAsked(scope)) draft.set("internal", true, passes);
  else if (!draft.has("proxy")) report.faultOf(passes, "beside another role is not supported");
}

// --- auth_request ------------------------------------------------------------------------------------------

function question(context: Context, scope: Scope, draft: Draft): void {
  const directive = oneInEffect(scope, "auth_request");
  const to = directive?.args[0]?.text ?? "off";
  if (directive === null || to === "off") return;
  // The one that is asked has inherited it, and does not ask itself.
  if (scope.own.get("auth_request") === undefined && targetOf(scope, to)?.scope === scope) return;
  const address = /^https?:/.test(to) ? to : addressOf(context, scope, directive, to);
  if (address === null) return;
  draft.set("auth_request", address, directive);
  draft.set("auth_headers", address.startsWith("/") ? TOLD : toldHeaders(scope, to), directive);
  // As nginx does: a ticket is ours.
  draft.set("auth_cache", "0", directive);
}

/** Whom to ask: the backend behind the location, or the location. null: nobody, which was told. */
function addressOf({ report }: Context, scope: Scope, directive: Directive, to: string): string | null {
  const fault = (sentence: string): null => {
    report.faultOf(directive, sentence);
    return null;
  };
  if (to.includes("$")) return fault("with variables is not supported");
  const target = targetOf(scope, to);
  if (target === null) return fault(`names "${to}", which no location is for`);
  if (oneInEffect(target.scope, "role")?.name === HANDLER) return to;
  const [passes] = target.scope.own.get("proxy_pass") ?? [];
  if (passes === undefined)
    return fault(`to "${to}" is not supported: that location has neither sluice_handler nor proxy_pass`);
  const address = passes.args[0]?.text ?? "";
  if (!/^https?:\/\/[^$]+$/.test(address)) {
    report.faultOf(passes, `to "${address}" is not supported`);
    return null;
  }
  return backendUri(address, target.match.modifier === "" ? target.match.pattern : to, to);
}

/**
 * With a URI of its own it stands in place of what the location matched; without one the path goes on as it
 * is.
 */
function backendUri(address: string, matched: string, to: string): string {
  const hasUri = /^https?:\/\/[^/]+\//.test(address);
  return hasUri ? address + to.slice(matched.length) : address + to;
}

/** Fields that the location passes on under their own names. */
function toldHeaders(scope: Scope, to: string): readonly string[] {
  const fields = inEffect(targetOf(scope, to)?.scope ?? null, "proxy_set_header").flatMap(({ args }) => {
    const [name = "", value = ""] = args.map(({ text }) => text);
    const own = `$http_${name.toLowerCase().replaceAll("-", "_")}`;
    return value.toLowerCase() === own ? [name] : [];
  });
  return [...new Set([...TOLD, ...fields])];
}

/** Whether some location of the server asks this one. */
function isAsked(scope: Scope): boolean {
  const server = serverOf(scope);
  const names = (one: Scope): boolean =>
    (one.own.get("auth_request") ?? []).some(
      ({ args }) => targetOf(scope, args[0]?.text ?? "")?.scope === scope,
    ) || one.inner.some(names);
  return (
    server !== null &&
    (names(server) || (server.parent?.own.has("auth_request") === true && names(server.parent)))
  );
}

function serverOf(scope: Scope): Scope | null {
  let level: Scope | null = scope;
  while (level !== null && level.context !== "server") level = level.parent;
  return level;
}

/** The location of the same server that a path leads to; null: none. */
function targetOf(scope: Scope, path: string): NestedLocation | null {
  const server = serverOf(scope);
  if (server === null || !path.startsWith("/")) return null;
  const all: NestedLocation[] = [];
  const sourcesOf = (located: readonly NestedLocation[]): LocationSource[] =>
    located.map((one) => {
      all.push(one);
      return { match: matchText(one.match), index: all.length - 1, inner: sourcesOf(one.inner) };
    });
  // Its faults are told where it is translated.
  const sources = sourcesOf(nestedLocations(new Report(), server));
  return all[compileLocations(sources)(path)?.index ?? -1] ?? null;
}

// --- limit_req ---------------------------------------------------------------------------------------------

const BY_ADDRESS = ["$binary_remote_addr", "$remote_addr"];

function rate({ report }: Context, scope: Scope, draft: Draft): void {
  const [directive, second] = inEffect(scope, "limit_req");
  if (directive === undefined || oneInEffect(scope, "limit_req_dry_run")?.args[0]?.text === "on") return;
  if (second !== undefined) report.faultOf(second, "is supported once");
  const words = directive.args.map(({ text }) => text);
  const [, name = ""] = /^zone=(.+)$/.exec(words.find((word) => word.startsWith("zone=")) ?? "") ?? [];
  const zone = zoneOf(scope, name);
  if (zone === null) {
    report.fault(directive, `unknown limit_req_zone "${name}"`);
    return;
  }
  const [key = "", ...parameters] = zone.args.map(({ text }) => text);
  const [, count, unit] =
    /^rate=(\d{1,7})r\/([sm])$/.exec(parameters.find((word) => word.startsWith("rate=")) ?? "") ?? [];
  if (!BY_ADDRESS.includes(key))
    report.faultOf(zone, `by "${key}" is not supported, only by $binary_remote_addr`);
  else if (count === undefined) report.fault(zone, "invalid rate");
  else {
    const burst = /^burst=(\d{1,7})$/.exec(words.find((word) => word.startsWith("burst=")) ?? "")?.[1] ?? "0";
    const status = oneInEffect(scope, "limit_req_status")?.args[0]?.text ?? "503";
    if (burst !== "0" && !words.includes("nodelay"))
      report.notice(
        `${directive.file}:${directive.line}: limit_req answers a burst at once, as with nodelay`,
      );
    draft.set("rate", `${count}/${unit} burst ${burst} status ${status}`, directive);
  }
}

function zoneOf(scope: Scope, name: string): Directive | null {
  const zones = inEffect(scope, "limit_req_zone");
  return zones.find(({ args }) => args.some(({ text }) => text.startsWith(`zone=${name}:`))) ?? null;
}
