/**
 * One location, flat, as a `[[location]]` table: its role, what is in effect there of the push stream module,
 * its steps. What nginx's own directives add (files, types, access …) is in translate-location-core.ts.
 * Called by translate-server.ts.
 */
import { parseMatch } from "../location/match-syntax.ts";
import { OPTIONS } from "../options.ts";
import { PUSH_DIRECTIVES } from "./directives-push.ts";
import { Draft } from "./draft.ts";
import { accessOptions, hideAsked, passesOn } from "./translate-access.ts";
import { codeOptions, HANDLER, handlerRole } from "./translate-code.ts";
import { coreOptions } from "./translate-location-core.ts";
import { roadOptions } from "./translate-location-road.ts";
import { constantsIn, rootText } from "./translate-names.ts";
import { type LocationMatch, matchText } from "./translate-nesting.ts";
import { proxyRole } from "./translate-proxy.ts";
import { checkEndpoint } from "./translate-push-checks.ts";
import { oneInEffect, type Scope } from "./translate-scope.ts";
import { absolute, type Context, setPushOptions } from "./translate-settings.ts";
import { translateSteps } from "./translate-steps.ts";
import type { Directive } from "./tree.ts";

/** Written where the channels path is missing, so that the fault is told once; nobody serves with it. */
const MISSING_PATH = "-";

const TUNING_NAMES: ReadonlySet<string> = new Set(
  PUSH_DIRECTIVES.filter(([, { contexts }]) => contexts !== "h").map(([name]) => name),
);
const COMPLEX_KEYS = PUSH_DIRECTIVES.filter(([, { kind }]) => kind === "complex").map(([, { path }]) => path);

/** Ours: serves the browser client. The module's users copy its file. */
const CLIENT = "sluice_pushstream_client";
const OWN_CLIENT = "sluice_client";

export function translateLocation(context: Context, scope: Scope, match: LocationMatch): Draft {
  const draft = new Draft(scope.block ?? { file: "", line: 0 });
  draft.set("match", matchText(match));
  const role = oneInEffect(scope, "role");
  const withoutCaptures = captureFilter(scope, match);
  const constants = constantsIn(scope);
  const seen = (text: string): string => constants(withoutCaptures(text));
  const [stub] = scope.own.get("stub_status") ?? [];
  const passes = role === null ? passesOn(scope) : null;
  if (passes !== null) proxyRole(context, scope, passes, draft);
  else if (role === null && stub !== undefined) draft.set("stub_status", true, stub);
  else if (role === null) files(context, scope, draft);
  else if (role.name === CLIENT) draft.set("pushstream_client", true, role);
  else if (role.name === OWN_CLIENT) draft.set("sluice_client", true, role);
  else if (role.name === HANDLER) {
    handlerRole(role, draft);
    draft.set("check_origin", false);
  } else if (setRole(context, role, draft)) {
    endpoint(context, scope, draft, seen);
    // Scripts of the module's users are sometimes answers of another type.
    draft.set("nosniff", false);
    draft.set("module_fields", true);
    if (!draft.has("statistics")) draft.set("check_origin", false);
    draft.set("gaps", "ignored");
  }
  coreOptions(context, scope, draft);
  roadOptions(context, scope, draft);
  codeOptions(context, scope, draft);
  hideAsked(context, scope, draft);
  accessOptions(context, scope, draft);
  for (const step of translateSteps(context, scope, seen)) draft.push("step", step);
  return draft;
}

/** What the server itself does with paths that no location is for. */
export function implicitLocation(context: Context, server: Scope): Draft {
  const root = oneInEffect(server, "root");
  const draft = new Draft(root ?? server.block ?? { file: "", line: 0 });
  draft.set("match", "/");
  files(context, server, draft);
  coreOptions(context, server, draft);
  roadOptions(context, server, draft);
  return draft;
}

/** Whether this location takes every path that no other takes. */
export const isPlainRoot = ({ modifier, pattern }: LocationMatch): boolean =>
  pattern === "/" && (modifier === "" || modifier === "^~");

function files({ folder }: Context, scope: Scope, draft: Draft): void {
  const directive = oneInEffect(scope, "root");
  const path = directive === null ? "" : constantsIn(scope)(rootText(scope, directive));
  if (directive === null) draft.set("empty", true);
  else draft.set(directive.name, path.startsWith("$") ? path : absolute(folder, path), directive);
}

/** False when it was faulty, which was reported; push-stream spec 1.2. */
function setRole({ report }: Context, directive: Directive, draft: Draft): boolean {
  const word = directive.args[0]?.text;
  if (directive.name === "push_stream_channels_statistics") {
    draft.set("statistics", true, directive);
    return true;
  }
  const key = directive.name === "push_stream_publisher" ? "publisher" : "subscriber";
  const { values } = OPTIONS[`location[].${key}`];
  const mode = word === undefined ? values[0] : values.find((known) => known === word.toLowerCase());
  if (mode !== undefined) draft.set(key, mode, directive);
  else {
    report.moduleFault(
      directive,
      `invalid ${directive.name} mode value: ${word}, accepted values (${values.join(", ")})`,
    );
    draft.set("empty", true);
  }
  return mode !== undefined;
}

function endpoint(context: Context, scope: Scope, draft: Draft, seen: (text: string) => string): void {
  const faulty = checkEndpoint(context, scope, draft.get("subscriber") === "eventsource");
  // Inherited by locations of all kinds, and told as a mistake where one of ours says it without being one of
  // WebSockets.
  const isOther = (name: string): boolean =>
    name === "push_stream_websocket_allow_publish" &&
    draft.get("subscriber") !== "websocket" &&
    !mayBeSocket(scope);
  setPushOptions(
    context,
    scope,
    draft,
    (name) => TUNING_NAMES.has(name) && !faulty.has(name) && !isOther(name),
  );
  for (const key of COMPLEX_KEYS) {
    const value = draft.get(key);
    const place = oneInEffect(scope, `push_stream_${key}`);
    if (typeof value === "string" && place !== null) draft.set(key, seen(value), place);
  }
  const publishChannel = oneInEffect(scope, "sluice_websocket_publish_channel");
  // Inherited likewise. `""` in a location ends that.
  const name = publishChannel?.args[0]?.text ?? "";
  if (publishChannel !== null && name !== "" && draft.get("websocket_allow_publish") === true)
    draft.set("websocket_publish_channel", seen(name), publishChannel);
  const ids = oneInEffect(scope, "sluice_event_ids");
  if (ids !== null) draft.set("event_ids", ids.args[0]?.text ?? "", ids);
  if (!draft.has("channels_path")) draft.set("channels_path", MISSING_PATH);
}

/**
 * nginx takes `$2` of a regex with one group for empty; ours would refuse it. Regexes of an `if` bring
 * captures of their own.
 */
function captureFilter(scope: Scope, match: LocationMatch): (text: string) => string {
  const outcome = parseMatch(matchText(match));
  if (!outcome.ok || hasRegexStep(scope)) return (text) => text;
  const { count } = outcome.groups;
  return (text) =>
    text.replace(/\$(?:(\d)|\{(\d+)\})/g, (whole, bare: string | undefined, braced: string | undefined) => {
      const group = Number(bare ?? braced);
      return group >= 1 && group <= count ? whole : "";
    });
}

/** By an `if` in it. */
const mayBeSocket = ({ sequence }: Scope): boolean =>
  sequence.some(
    (item) => !("name" in item) && item.own.get("sluice_role")?.[0]?.args[0]?.text === "websocket",
  );

/** In an `if`, or a `rewrite`. */
const hasRegexStep = ({ sequence }: Scope): boolean =>
  sequence.some((item) =>
    "name" in item
      ? item.name === "rewrite"
      : hasRegexStep(item) || (item.block?.args.some(({ text }) => text.includes("~")) ?? false),
  );
