/**
 * From the checked values of servers, locations and steps to what the model has of them: names and units of
 * model.ts, derived defaults filled in. Called by build.ts.
 */
import { readRate } from "./checks/access-checks.ts";
import type { LocationEntry, ServerEntry } from "./document.ts";
import { grantsOf } from "./grant/grants.ts";
import { readAddressLimit } from "./location/address-limit.ts";
import {
  readAccess,
  readAccessLog,
  readAddedHeader,
  readAll,
  readErrorPage,
  readTypes,
} from "./location/location-lists.ts";
import { codeOf } from "./location/named-code.ts";
import type { AuthConfig, LimitExcept } from "./model/access.ts";
import type { FileAnswersConfig } from "./model/answers.ts";
import type { LocationNode, ServerConfig } from "./model/server.ts";
import type { StepConfig } from "./model/steps.ts";
import type { LocationConfig, Role } from "./model.ts";
import type { LocationValues, MainValues, StepValues } from "./options.ts";
import { presenceOf } from "./presence.ts";
import { parseListen } from "./server/listen-text.ts";
import { buildProxy } from "./server/proxy-config.ts";
import { trustedProxies } from "./server/trusted-proxies.ts";

/** 0 stands for unlimited, never and automatic all over the model (model.ts says which where). */
const UNSET = 0;
const NO_VARIANT = -1;
/**
 * What publishers and handlers say may be what anybody said before: it must not become a page unless the file
 * says so.
 */
const DEFAULT_TYPE = "text/plain; charset=utf-8";
const BARE_DEFAULT = "text/plain";
const NOSNIFF_HEADER = /^x-content-type-options\s/i;

export interface BuildContext {
  readonly main: MainValues;
  readonly folder: string;
  readonly formats: ReadonlyMap<string, string>;
  readonly setVariables: ReadonlySet<string>;
}

/** Its locations go to the end of `locations`. */
export function buildServer(
  server: ServerEntry,
  context: BuildContext,
  locations: LocationConfig[],
): ServerConfig {
  return {
    listen: server.values.listen.map((text) => parseListen(text).address),
    names: server.values.server_name.map((name) => (name.startsWith("~") ? name : name.toLowerCase())),
    proxies: trustedProxies(server.values, context.main),
    steps: server.steps.map(({ values }) => buildStep(values, NO_VARIANT)),
    setVariables: context.setVariables,
    locations: server.locations.map((entry) => addLocation(entry, context, locations)),
  };
}

/** Appends the location and the variants its steps make of it, and those inside it. */
function addLocation(
  { values, steps, locations: inner }: LocationEntry,
  context: BuildContext,
  locations: LocationConfig[],
): LocationNode {
  // Variants know the conditions of all steps: captures of a regex among them may stand in their values.
  const plain = steps.map((step) => buildStep(step.values, NO_VARIANT));
  const built = steps.map((step) => {
    if (Object.keys(step.overrides).length === 0) return buildStep(step.values, NO_VARIANT);
    locations.push(buildLocation({ ...values, ...step.overrides }, context, plain));
    return buildStep(step.values, locations.length - 1);
  });
  locations.push(buildLocation(values, context, built));
  const index = locations.length - 1;
  return { index, inner: inner.map((entry) => addLocation(entry, context, locations)) };
}

const buildStep = (values: StepValues, variant: number): StepConfig => ({
  condition: values.if,
  set: values.set,
  rewrite: values.rewrite,
  return: values.return,
  isBreak: values.break,
  variant,
});

function buildLocation(
  location: LocationValues,
  { main, folder, formats, setVariables }: BuildContext,
  steps: readonly StepConfig[],
): LocationConfig {
  const connectionTtlMs = location.subscriber_connection_ttl ?? UNSET;
  const { root, alias, index } = location;
  return {
    match: location.match,
    role: roleOf(location),
    isInternal: location.internal,
    channelsPath: location.channels_path ?? "",
    lastReceivedMessageTime: location.last_received_message_time,
    lastReceivedMessageTag: location.last_received_message_tag,
    lastEventId: location.last_event_id,
    storeMessages: location.store_messages,
    channelInfoOnPublish: location.channel_info_on_publish,
    batch: location.batch && !location.module_fields,
    authorizedChannelsOnly: location.authorized_channels_only,
    headerTemplate: location.header_template,
    // Blank passes the checks only for eventsource, where it means the default (push-stream spec 1.6 row 5).
    messageTemplate: location.message_template === "" ? "~text~" : location.message_template,
    footerTemplate: location.footer_template,
    pingMessageIntervalMs: location.ping_message_interval ?? UNSET,
    subscriberConnectionTtlMs: connectionTtlMs,
    longpollingConnectionTtlMs: location.longpolling_connection_ttl ?? connectionTtlMs,
    websocketAllowPublish: location.websocket_allow_publish,
    websocketCompression: location.websocket_compression,
    websocketAllowSubscribe: location.websocket_allow_subscribe,
    websocketPublishChannel: location.websocket_publish_channel,
    eventIds: location.event_ids,
    presence: presenceOf(location),
    gaps: location.gaps,
    turnAway: location.turn_away ?? (location.event_ids === "auto" ? "retry" : "status"),
    defaultType: location.default_type ?? DEFAULT_TYPE,
    nosniff: location.nosniff && !location.add_header.some((text) => NOSNIFF_HEADER.test(text)),
    moduleFields: location.module_fields,
    types: typesOf(location.types),
    paddingByUserAgent: location.padding_by_user_agent,
    userAgent: location.user_agent,
    allowedOrigins: location.allowed_origins,
    checkOrigin: location.check_origin,
    // The module's default (push-stream spec 1.4).
    wildcardChannelMaxQtd:
      location.wildcard_channel_max_qtd ?? main["limits.max_number_of_wildcard_channels"] ?? UNSET,
    allowConnectionsToEventsChannel: location.allow_connections_to_events_channel,
    maxBodyBytes: location.max_body_size ?? main["limits.max_body_size"],
    steps,
    access: readAll(location.access, readAccess),
    auth: authOf(location.auth_basic, location.auth_basic_user_file),
    grants: grantsOf(location, folder),
    satisfiesAny: location.satisfy === "any",
    addressLimit:
      location.max_connections_per_address === null
        ? null
        : readAddressLimit(location.max_connections_per_address),
    rate: location.rate === null ? null : readRate(location.rate),
    limitExcept: limitExceptOf(location),
    tryFiles: location.try_files,
    errorPages: readAll(location.error_page, readErrorPage),
    pagesRecur: location.recursive_error_pages,
    expires: location.expires,
    absoluteRedirect: location.absolute_redirect,
    redirectsWithoutPort: !location.port_in_redirect,
    addedHeaders: readAll(location.add_header, readAddedHeader),
    gzip: location.gzip
      ? {
          // The type that nobody chose is compressed as text/html is.
          types:
            location.default_type === null ? [...location.gzip_types, BARE_DEFAULT] : location.gzip_types,
          minLength: location.gzip_min_length,
          level: location.gzip_comp_level,
        }
      : null,
    files:
      root === null && alias === null
        ? null
        : { root, alias, index, fallback: location.fallback, dotfiles: location.dotfiles },
    fileAnswers: fileAnswersOf(location),
    gzipVary: location.gzip_vary,
    code: codeOf(location, folder),
    proxy: buildProxy(location),
    accessLogs: readAll(location.access_log, (text) => readAccessLog(text, formats)),
    setVariables,
  };
}

const authOf = (realm: string | null, userFile: string | null): AuthConfig | null =>
  realm === null || userFile === null ? null : { realm, userFile };

/** null: the same for all methods. A password of the location stands, unless there is another for these. */
function limitExceptOf(location: LocationValues): LimitExcept | null {
  const { limit_except: methods, limit_except_access: access } = location;
  if (methods.length === 0) return null;
  return {
    methods: methods.map((method) => method.toUpperCase()),
    access: readAll(access.length > 0 ? access : location.access, readAccess),
    auth: authOf(
      location.limit_except_auth_basic ?? location.auth_basic,
      location.limit_except_auth_basic_user_file ?? location.auth_basic_user_file,
    ),
  };
}

const fileAnswersOf = (location: LocationValues): FileAnswersConfig => ({
  listing: location.autoindex
    ? {
        format: location.autoindex_format,
        exactSize: location.autoindex_exact_size,
        localTime: location.autoindex_localtime,
      }
    : null,
  etag: location.etag,
  ranges: location.ranges,
  ifModifiedSince: location.if_modified_since,
});

/** The first mention of an extension wins, as in nginx. */
function typesOf(texts: readonly string[]): ReadonlyMap<string, string> {
  const types = new Map<string, string>();
  for (const { type, extensions } of readAll(texts, readTypes)) {
    for (const extension of extensions) if (!types.has(extension)) types.set(extension, type);
  }
  return types;
}

function roleOf(location: LocationValues): Role {
  if (location.publisher !== null) return { kind: "publisher", admin: location.publisher === "admin" };
  if (location.subscriber !== null) return { kind: "subscriber", mode: location.subscriber };
  if (location.statistics) return { kind: "statistics" };
  if (location.stub_status) return { kind: "stub-status" };
  if (location.console) return { kind: "console" };
  if (location.sluice_client) return { kind: "sluice-client" };
  if (location.pushstream_client) return { kind: "pushstream-client" };
  if (location.examples) return { kind: "examples" };
  if (location.revoke) return { kind: "revoke" };
  if (location.presence_list) return { kind: "presence" };
  if (location.handler !== null) return { kind: "handler" };
  if (location.proxy !== null) return { kind: "proxy" };
  if (location.root !== null || location.alias !== null) return { kind: "files" };
  return location.page ? { kind: "page" } : { kind: "none" };
}
