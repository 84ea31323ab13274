/**
 * From checked values to the model everything else reads: names and units of model.ts, derived defaults
 * filled in. The only place where "not set" turns into a number. Called by load.ts.
 */
import { hostname } from "node:os";
import { autoWorkers } from "./auto-workers.ts";
import { type BuildContext, buildServer } from "./build-location.ts";
import { keyRecords, ringEntries } from "./checks/store-checks.ts";
import type { CheckedValues } from "./document.ts";
import { parseEngine } from "./engine-address.ts";
import { buildIssuer } from "./grant/grants.ts";
import { readLogFormats } from "./location/location-lists.ts";
import type { ClusterConfig } from "./model/cluster.ts";
import type { LimitsConfig, MessagesConfig, StoreConfig } from "./model/store.ts";
import type { Config, LocationConfig, UserConfig } from "./model.ts";
import type { MainValues } from "./options.ts";
import { buildConnections } from "./server/connections.ts";
import { buildListeners } from "./server/listeners.ts";
import { buildUpstream } from "./server/proxy-config.ts";
import { buildShared } from "./shared.ts";
import { parseSync } from "./store-sync.ts";
import { buildWebhooks } from "./webhooks.ts";

/** 0 stands for unlimited, never and automatic all over the model (model.ts says which where). */
const UNSET = 0;

/**
 * Never fails: what could be wrong was found before. Paths of code are relative to `folder`, that of the
 * configuration file.
 */
export function buildConfig(
  { main, servers, issuers, webhooks, maps, upstreams, shared, setVariables }: CheckedValues,
  folder: string = process.cwd(),
): Config {
  const context: BuildContext = {
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
