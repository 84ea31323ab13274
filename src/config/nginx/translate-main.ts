/**
 * What stands outside the servers: processes, logs, the http block's own settings, the shared memory. Called
 * by translate.ts.
 */
import { resolve } from "node:path";
import { takenBytes } from "../checks/store-checks.ts";
import { PUSH_DIRECTIVES } from "./directives-push.ts";
import type { Draft } from "./draft.ts";
import { isForeignStatus } from "./foreign.ts";
import { translateConnections } from "./translate-connections.ts";
import { DEFAULT_ZONE, MODULE_PREFIX } from "./translate-report.ts";
import { inEffect, oneInEffect, type Scope } from "./translate-scope.ts";
import { type Context, optionValue, setPushOptions } from "./translate-settings.ts";
import { sizeValue } from "./translate-units.ts";
import type { Directive } from "./tree.ts";
import { parseSize } from "./units.ts";

/** The module takes any number of channels; ours wants a bound, and a head that is read takes few more. */
const MAX_CHANNELS_PER_REQUEST = 10_000;
const MEBIBYTE = 1024 ** 2;
/**
 * All held connections are ended at once (push-stream spec 8.2); this is for clients that do not take their
 * last bytes.
 */
const SHUTDOWN_TIMEOUT = "2s";
const DEFAULT_BODY_BYTES = MEBIBYTE;
/** nginx's pages have 4 KiB; the module wants 32 of them. */
const PAGE_BYTES = 4096;
const LEAST_ZONE_BYTES = 32 * PAGE_BYTES;
/** The option's bound, less what the records of such a store take. */
const MOST_ZONE_BYTES = 2 * 1024 ** 3;
/** A zone has room for a channel in every KiB, and never for fewer than this. */
const LEAST_CHANNELS = 256;
/**
 * The module's zone has room for one in half a KiB, if nothing else is there; small zones get so many, up to
 * this number.
 */
const DENSE_CHANNELS = 20_480;
/**
 * Of a small zone records may take three fifths more: ten megabytes have room for 20,000 channels, as the
 * module's have.
 */
const DENSE_SHARE = 5 / 3;
const DENSE_CHANNEL_BYTES = 512;

const LOG_LEVELS: Readonly<Record<string, string>> = {
  debug: "debug",
  info: "info",
  notice: "info",
  warn: "warn",
  error: "error",
  crit: "error",
  alert: "error",
  emerg: "error",
};

/** `http` null: the file has no such block. */
export function translateMain(context: Context, main: Scope, http: Scope | null, draft: Draft): void {
  workers(context, main, draft);
  errorLog(context, [main, ...(http === null ? [] : [http])], draft);
  const user = oneInEffect(main, "user");
  if (user !== null) draft.set("user", user.args.map(({ text }) => text).join(" "), user);
  const pid = oneInEffect(main, "pid");
  if (pid !== null) draft.set("pid_file", resolve(context.folder, pid.args[0]?.text ?? ""), pid);
  draft.set("shutdown_timeout", SHUTDOWN_TIMEOUT);
  draft.set("drain_rate", 0);
  shutdownTimeout(context, oneInEffect(main, "worker_shutdown_timeout"), draft);
  // nginx answers such paths with 404 where it has no location for them.
  draft.set("built_in_paths", false);
  // A restart begins empty (push-stream spec 8.5).
  draft.table("store").set("keep", false);
  // Who brings an nginx.conf wants its answers to the byte.
  draft.set("listener", "wire");
  for (const directive of [main, http].flatMap((scope) => scope?.own.get("sluice_foreign") ?? [])) {
    const text = directive.args[0]?.text ?? "";
    if (!isForeignStatus(text))
      context.report.fault(
        directive,
        `invalid value "${text}" in "sluice_foreign", it is a status such as 404`,
      );
  }
  if (http === null) return;
  listener(context, http, draft);
  translateConnections(context, main, http, draft);
  sharedDictionaries(context, http, draft);
  logFormats(context, http, draft);
  const names = new Set(PUSH_DIRECTIVES.filter(([, row]) => row.contexts === "h").map(([name]) => name));
  setPushOptions(context, http, draft, (name) => names.has(name));
  bodySize(context, http, draft);
}

/** nginx runs one worker unless told otherwise. */
function workers({ report }: Context, main: Scope, draft: Draft): void {
  const directive = oneInEffect(main, "worker_processes");
  const text = directive?.args[0]?.text ?? "1";
  const count = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (directive === null || text === "auto") draft.set("workers", text === "auto" ? text : 1);
  else if (count === 0) report.faultOf(directive, "invalid value");
  else draft.set("workers", optionValue(report, directive, "workers", count), directive);
}

/** `sluice_listener`: ours. */
export function listener({ report }: Context, scope: Scope, draft: Draft): void {
  const [directive] = scope.own.get("sluice_listener") ?? [];
  if (directive === undefined) return;
  const kind = directive.args[0]?.text ?? "";
  if (kind === "native" || kind === "wire") draft.set("listener", kind, directive);
  else report.fault(directive, `invalid value "${kind}" in "sluice_listener", it must be "native" or "wire"`);
}

function shutdownTimeout({ report, values }: Context, directive: Directive | null, draft: Draft): void {
  const value = values.of(directive);
  if (directive === null || typeof value !== "number") return;
  draft.set("shutdown_timeout", optionValue(report, directive, "shutdown_timeout", value || 1), directive);
}

/** One log is kept, the outermost; nginx would write several. */
function errorLog({ report, folder }: Context, scopes: readonly Scope[], draft: Draft): void {
  const [directive, ...others] = scopes.flatMap((scope) => scope.own.get("error_log") ?? []);
  for (const other of others) report.ignore(other, "error_log (a second one)");
  if (directive === undefined) return;
  const [path = "", level = "error"] = directive.args.map(({ text }) => text);
  const known = LOG_LEVELS[level.replace(/^debug_\w+$/, "debug")];
  if (known === undefined) report.fault(directive, `invalid log level "${level}"`);
  else draft.set("log_level", known, directive);
  if (/^(?:syslog|memory):/.test(path))
    report.notice(`error_log ${path} is not supported: the log goes to stderr`);
  else if (path !== "stderr") draft.set("error_log", resolve(folder, path), directive);
}

function logFormats({ report }: Context, http: Scope, draft: Draft): void {
  const formats: string[] = [];
  const names = new Set(["combined"]);
  for (const directive of inEffect(http, "log_format")) {
    const [name = "", ...texts] = directive.args.map(({ text }) => text);
    if (names.has(name)) report.fault(directive, `duplicate "log_format" name "${name}"`);
    names.add(name);
    const escaping = texts[0]?.startsWith("escape=") ? texts.shift() : undefined;
    if (escaping !== undefined && !/^escape=(?:default|json|none)$/.test(escaping))
      report.fault(directive, `unknown log format escaping "${escaping.slice("escape=".length)}"`);
    formats.push([name, ...(escaping === undefined ? [] : [escaping]), texts.join("")].join(" "));
    draft.set("log_format", [...formats], directive);
  }
}

/** `sluice_shared_dict name 1m [persist]`, as lua_shared_dict. */
function sharedDictionaries({ report }: Context, http: Scope, draft: Draft): void {
  const names = new Set<string>();
  for (const directive of inEffect(http, "sluice_shared_dict")) {
    const [name = "", size = "", persist] = directive.args.map(({ text }) => text);
    const bytes = parseSize(size);
    if (bytes === null) report.fault(directive, `invalid size "${size}"`);
    else if (names.has(name)) report.fault(directive, `duplicate "sluice_shared_dict" name "${name}"`);
    else if (persist !== undefined && persist !== "persist")
      report.fault(directive, `unknown parameter "${persist}"`);
    else {
      const table = draft.table("shared").table(name);
      table.set("size", sizeValue(bytes), directive);
      if (persist !== undefined) table.set("persist", true, directive);
    }
    names.add(name);
  }
}

/** What locations inherit; those with another size say so themselves. */
function bodySize({ report, values }: Context, http: Scope, draft: Draft): void {
  const directive = oneInEffect(http, "client_max_body_size");
  const value = values.of(directive);
  const limits = draft.table("limits");
  if (directive === null || value === undefined) limits.set("max_body_size", sizeValue(DEFAULT_BODY_BYTES));
  else limits.set("max_body_size", optionValue(report, directive, "limits.max_body_size", value), directive);
  // client_max_body_size is for requests: frames of WebSockets are bounded by memory alone (push-stream spec
  // 4.13.5).
  limits.set("max_frame_size", 0);
  limits.set("max_channels_per_request", MAX_CHANNELS_PER_REQUEST);
}

/**
 * The zone. Its size is what messages get: what our records take comes on top, as the module's zone holds its
 * small records within. `isNeeded`: some location has a role.
 */
export function translateZone({ report }: Context, http: Scope, isNeeded: boolean, draft: Draft): void {
  const directive = oneInEffect(http, "push_stream_shared_memory_size");
  if (directive === null) {
    if (isNeeded && http.block !== null)
      report.moduleFault(http.block, "push_stream_shared_memory_size must be set.");
    return;
  }
  const [text = "", zone] = directive.args.map((arg) => arg.text);
  const bytes = parseSize(text);
  if (bytes === null) {
    report.faultOf(directive, "invalid value");
    return;
  }
  const size = Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES;
  if (size < LEAST_ZONE_BYTES) {
    report.fault(
      directive,
      `The push_stream_shared_memory_size value must be at least ${LEAST_ZONE_BYTES / 1024}KiB`,
    );
    return;
  }
  const { store, channels } = storeFor(Math.min(size, MOST_ZONE_BYTES), draft.get("workers"));
  if (size > MOST_ZONE_BYTES)
    report.notice(
      `${directive.file}:${directive.line}: ${directive.name} is cut to ${sizeValue(MOST_ZONE_BYTES)}`,
    );
  draft.setAt("store.size", sizeValue(store), directive);
  draft.setAt("store.channels", channels, directive);
  if (zone !== undefined) draft.setAt("store.zone", zone, directive);
  report.startLines.push(
    `Using ${size / 1024}KiB of shared memory for push stream module on zone: ${zone ?? DEFAULT_ZONE}`,
  );
}

/** Bytes of a store that has `zoneBytes` for messages, and the channel records it has then. */
function storeFor(
  zoneBytes: number,
  workers: unknown,
): { readonly store: number; readonly channels: number } {
  const takenWith = (channels: number): number =>
    takenBytes({
      workers: typeof workers === "number" ? workers : 0,
      // The automatic ring grows with the size; a little more than the zone is a little more than what it
      // will be.
      "store.size": zoneBytes * 1.5,
      "store.block_size": 256,
      "store.channels": channels,
      "store.ring_size": 0,
      "store.idempotency_keys": 0,
    });
  // With hundreds of workers a record is large, and a third of the zone is what records may take.
  const bytesPerChannel = takenWith(2) - takenWith(1);
  const sparse = Math.floor(zoneBytes / Math.max(1024, 3 * bytesPerChannel));
  const dense = Math.min(
    DENSE_CHANNELS,
    Math.floor(zoneBytes / Math.max(DENSE_CHANNEL_BYTES, DENSE_SHARE * bytesPerChannel)),
  );
  const channels = Math.max(LEAST_CHANNELS, sparse, dense);
  // People read this number in the converted file.
  const step = zoneBytes < 16 * MEBIBYTE ? PAGE_BYTES : MEBIBYTE;
  return { store: Math.ceil((zoneBytes + takenWith(channels)) / step) * step, channels };
}

/** Row 18 of push-stream spec 1.6. */
const UNUSED = "ngx_http_push_stream_module will not be used with this configuration.";
export const UNUSED_NOTICE = `${MODULE_PREFIX}${UNUSED}`;
