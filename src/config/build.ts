/**
 * From checked values to the model everything else reads: names and units of model.ts, derived defaults filled in. The only
 * place where "not set" turns into a number. Called by load.ts.
 */
import { autoWorkers } from "./auto-workers.ts";
import type { Config, LimitsConfig, LocationConfig, MessagesConfig, Role, StoreConfig } from "./model.ts";
import type { LocationValues, MainValues } from "./options.ts";
import { ringEntries } from "./store-checks.ts";
import type { CheckedValues } from "./toml.ts";

/** 0 stands for unlimited, never and automatic all over the model (model.ts says which where). */
const UNSET = 0;

/** Never fails: what could be wrong was found before. */
export function buildConfig({ main, locations }: CheckedValues): Config {
  return {
    listen: main.listen,
    workers: main.workers === UNSET ? autoWorkers() : main.workers,
    shutdownTimeoutMs: main.shutdown_timeout,
    logLevel: main.log_level,
    store: buildStore(main),
    messages: buildMessages(main),
    limits: buildLimits(main),
    locations: locations.map(buildLocation),
  };
}

const buildStore = (main: MainValues): StoreConfig => ({
  size: main["store.size"],
  path: main["store.path"],
  blockSize: main["store.block_size"],
  channels: main["store.channels"],
  ringSize: ringEntries(main),
});

const buildMessages = (main: MainValues): MessagesConfig => ({
  ttlSec: main["store.message_ttl"],
  unstoredTtlSec: main["store.unstored_message_ttl"],
  maxStoredPerChannel: main["store.max_messages_stored_per_channel"] ?? UNSET,
  channelInactivitySec: main["store.channel_inactivity_time"],
  channelDeletedText: main.channel_deleted_message_text,
  pingText: main.ping_message_text,
});

const buildLimits = (main: MainValues): LimitsConfig => ({
  maxBodyBytes: main["limits.max_body_size"],
  maxConnections: main["limits.max_connections"] ?? UNSET,
  maxNumberOfChannels: main["limits.max_number_of_channels"] ?? UNSET,
  maxChannelIdLength: main["limits.max_channel_id_length"] ?? UNSET,
  maxSubscribersPerChannel: main["limits.max_subscribers_per_channel"] ?? UNSET,
  maxChannelsPerRequest: main["limits.max_channels_per_request"],
});

function buildLocation(location: LocationValues): LocationConfig {
  const connectionTtlMs = location.subscriber_connection_ttl ?? UNSET;
  return {
    match: location.match,
    role: roleOf(location),
    channelsPath: location.channels_path ?? "",
    lastReceivedMessageTime: location.last_received_message_time,
    lastReceivedMessageTag: location.last_received_message_tag,
    lastEventId: location.last_event_id,
    storeMessages: location.store_messages,
    channelInfoOnPublish: location.channel_info_on_publish,
    authorizedChannelsOnly: location.authorized_channels_only,
    headerTemplate: location.header_template,
    // Blank passes the checks only for eventsource, where it means the default (push-stream spec 1.6 row 5).
    messageTemplate: location.message_template === "" ? "~text~" : location.message_template,
    footerTemplate: location.footer_template,
    pingMessageIntervalMs: location.ping_message_interval ?? UNSET,
    subscriberConnectionTtlMs: connectionTtlMs,
    longpollingConnectionTtlMs: location.longpolling_connection_ttl ?? connectionTtlMs,
    websocketAllowPublish: location.websocket_allow_publish,
    eventIds: location.event_ids,
    defaultType: location.default_type,
  };
}

function roleOf(location: LocationValues): Role {
  if (location.publisher !== null) return { kind: "publisher", admin: location.publisher === "admin" };
  if (location.subscriber !== null) return { kind: "subscriber", mode: location.subscriber };
  return location.statistics ? { kind: "statistics" } : { kind: "page" };
}
