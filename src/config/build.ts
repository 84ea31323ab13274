/**
 * From checked values to the model everything else reads: names and units of model.ts, derived defaults
 * filled in. The only place where "not set" turns into a number. Called by load.ts.
 */
import { hostname } from "node:os";
import { autoWorkers } from "./auto-workers.ts";
import { readRate } from "./checks/access-checks.ts";
import { keyRecords, ringEntries } from "./checks/store-checks.ts";
import type { CheckedValues, LocationEntry, ServerEntry } from "./document.ts";
import { parseEngine } from "./engine-address.ts";
import { buildIssuer, grantsOf } from "./grant/grants.ts";
import { readAddressLimit } from "./location/address-limit.ts";
import {
  readAccess,
  readAccessLog,
  readAddedHeader,
  readAll,
  readErrorPage,
  readLogFormats,
  readTypes,
} from "./location/location-lists.ts";
import { codeOf } from "./location/named-code.ts";
import type { AuthConfig, LimitExcept } from "./model/access.ts";
import type { FileAnswersConfig } from "./model/answers.ts";
import type { ClusterConfig } from "./model/cluster.ts";
import type { LocationNode, ServerConfig } from "./model/server.ts";
import type { StepConfig } from "./model/steps.ts";
import type { LimitsConfig, MessagesConfig, StoreConfig } from "./model/store.ts";
import type { Config, LocationConfig, Role, UserConfig } from "./model.ts";
import type { LocationValues, MainValues, StepValues } from "./options.ts";
import { presenceOf } from "./presence.ts";
import { buildConnections } from "./server/connections.ts";
import { parseListen } from "./server/listen-text.ts";
import { buildListeners } from "./server/listeners.ts";
import { buildProxy, buildUpstream } from "./server/proxy-config.ts";
import { trustedProxies } from "./server/trusted-proxies.ts";
import { buildShared } from "./shared.ts";
import { parseSync } from "./store-sync.ts";
import { buildWebhooks } from "./webhooks.ts";

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

/**
 * Never fails: what could be wrong was found before. Paths of code are relative to `folder`, that of the
 * configuration file.
 */
export function buildConfig(
  { main, servers, issuers, webhooks, maps, upstreams, shared, setVariables }: CheckedValues,
  folder: string = process.cwd(),
): Config {
  const context: Context = {
    main,
    folder,
    formats: readLogFormats(main.log_format),
    setVariables: new Set(setVariables),
  };
  const locations: LocationConfig[] = [];
  const built = servers.map((server) => buildServer(server, context, locations));
  const listeners = buildListeners(servers, main);
  return {
    listen: listeners.map(({ address }) => address),
    listeners,
    servers: built,
    maps: maps.map((map) => ({ ...map, to: map.to.replace(/^\$/, "").toLowerCase() })),
    upstreams: upstreams.map(buildUpstream),
    workers: main.workers === UNSET ? autoWorkers() : main.workers,
    shutdownTimeoutMs: main.shutdown_timeout,
    drainRate: main.drain_rate,
    logLevel: main.log_level,
    logStyle: main.log_style,
    errorLog: main.error_log,
    pidFile: main.pid_file,
    user: userOf(main.user),
    allowedHosts: main.allowed_hosts,
    connections: buildConnections(main),
    builtInPaths: main.built_in_paths,
    cluster: buildCluster(main),
    store: buildStore(main),
    messages: buildMessages(main),
    limits: buildLimits(main),
    webhooks: buildWebhooks(main, webhooks),
    issuers: issuers.map((values) => buildIssuer(values, folder)),
    shared: buildShared(shared),
    locations,
  };
}

interface Context {
  readonly main: MainValues;
  readonly folder: string;
  readonly formats: ReadonlyMap<string, string>;
  readonly setVariables: ReadonlySet<string>;
}

function userOf(text: string | null): UserConfig | null {
  if (text === null) return null;
  const [name = "", group] = text.split(" ");
  return { name, group: group ?? null };
}

const buildStore = (main: MainValues): StoreConfig => ({
  size: main["store.size"],
  path: main["store.path"],
  sync: parseSync(main["store.sync"]) ?? "none",
  blockSize: main["store.block_size"],
  channels: main["store.channels"],
  ringSize: ringEntries(main),
  keys: keyRecords(main),
  members: main["store.presence_members"],
  keep: main["store.keep"],
  zone: main["store.zone"],
});

function buildCluster(main: MainValues): ClusterConfig | null {
  const engines = main["cluster.engine"].map(parseEngine).filter((engine) => typeof engine !== "string");
  if (engines.length === 0) return null;
  return {
    engines,
    name: main["cluster.name"],
    node: main["cluster.node"] ?? hostname(),
    shards: main["cluster.shards"],
    user: main["cluster.user"],
    password: main["cluster.password"],
    sentinelPassword: main["cluster.sentinel_password"],
    tlsCa: main["cluster.tls_ca"],
    tlsCertificate: main["cluster.tls_certificate"],
    tlsKey: main["cluster.tls_certificate_key"],
    logBytes: main["cluster.log_size"],
    ack: main["cluster.ack"] === "replica" ? "replica" : "primary",
    engineTimeoutMs: main["cluster.engine_timeout"],
    readyWhileAway: main["cluster.ready_while_away"],
  };
}

const buildMessages = (main: MainValues): MessagesConfig => ({
  ttlSec: main["store.message_ttl"],
  unstoredTtlSec: main["store.unstored_message_ttl"],
  maxStoredPerChannel: main["store.max_messages_stored_per_channel"] ?? UNSET,
  maxStoredBytesPerChannel: main["store.max_bytes_stored_per_channel"],
  channelInactivitySec: main["store.channel_inactivity_time"],
  keyWindowSec: main["store.idempotency_window"],
  channelDeletedText: main.channel_deleted_message_text,
  pingText: main.ping_message_text,
  timeoutWithBody: main.timeout_with_body,
  wildcardChannelPrefix: main.wildcard_channel_prefix,
  eventsChannelId: main.events_channel_id,
});

const buildLimits = (main: MainValues): LimitsConfig => ({
  maxBodyBytes: main["limits.max_body_size"],
  maxFrameBytes: main["limits.max_frame_size"],
  maxUnsentBytes: main["limits.max_unsent_size"],
  maxSilenceMs: main["limits.max_silence"],
  maxConnections: main["limits.max_connections"] ?? UNSET,
  maxNumberOfChannels: main["limits.max_number_of_channels"] ?? UNSET,
  maxNumberOfWildcardChannels: main["limits.max_number_of_wildcard_channels"] ?? UNSET,
  maxChannelsCreatedPerAddress: main["limits.max_channels_created_per_address"] ?? UNSET,
  maxChannelIdLength: main["limits.max_channel_id_length"] ?? UNSET,
  maxSubscribersPerChannel: main["limits.max_subscribers_per_channel"] ?? UNSET,
  maxChannelsPerRequest: main["limits.max_channels_per_request"],
  maxMessagesPerRequest: main["limits.max_messages_per_request"],
});

// --- servers and locations ---------------------------------------------------------------------------------

function buildServer(server: ServerEntry, context: Context, locations: LocationConfig[]): ServerConfig {
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
  context: Context,
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
  { main, folder, formats, setVariables }: Context,
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
