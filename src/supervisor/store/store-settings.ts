/**
 * From the configuration to what the store wants to hear: its shape (fixed when the file is made) and its
 * policy (may change with a reload). Used by main for openStore and by each worker for attachStore, so that
 * both mean the same.
 */
import { dirname, resolve } from "node:path";
import { compilePatterns, NOTHING, together } from "../../config/grant/patterns.ts";
import type { WebhooksConfig } from "../../config/model/webhooks.ts";
import type { Config } from "../../config/model.ts";
import { membersRoom } from "../../config/presence.ts";
import type { MembersRoom } from "../../store/members/members-file.ts";
import { isInMemory } from "../../store/memory/mapping.ts";
import type { WebhookPolicy } from "../../store/policy.ts";
import type { StorePolicy, StoreShape } from "../../store/store.ts";
import { SHARED_MEMORY } from "./paths.ts";

/**
 * Slots in every store file. Not from `workers`, so that a restart with another number of workers keeps the
 * file.
 */
const USUAL_SLOTS = 32;

/** A reload runs two generations at once: each worker needs a slot in both. */
export function storeShape(config: Config, path: string): StoreShape {
  const { size, blockSize, channels, ringSize, keys } = config.store;
  const workerSlots = slotsFor(config.workers);
  const clustered = Boolean(config.cluster);
  const members = roomForMembers(config);
  const shape = { path, size, blockSize, channels, ringSize, workerSlots, clustered, keys };
  return members === null ? shape : { ...shape, members };
}

/** null: nobody is counted anywhere. */
export const roomForMembers = ({ locations, store }: Config): MembersRoom | null =>
  membersRoom(locations, store.members);

/**
 * What to say of a `sync` that can do nothing; null = it can, or there is none. Told by `check` and at the
 * start.
 */
export function pointlessSync(
  { store }: Pick<Config, "store">,
  environment: Readonly<Record<string, string | undefined>>,
): string | null {
  if (store.sync === "none") return null;
  const runtime = environment["RUNTIME_DIRECTORY"]?.split(":")[0];
  const folder = store.path === null ? runtime || SHARED_MEMORY : dirname(resolve(store.path));
  if (!isInMemory(folder)) return null;
  return (
    `store.sync does nothing: ${folder} is in memory, and messages end with the machine; set store.path ` +
    "to a file on a disk"
  );
}

function webhookPolicy(webhooks: WebhooksConfig | null): WebhookPolicy | null {
  if (webhooks === null) return null;
  const { hooks, backlogBytes } = webhooks;
  const channelsOf = (...kinds: readonly string[]) => {
    const watching = hooks.filter(({ events }) => events.some((event) => kinds.includes(event)));
    const patterns = watching
      .map(({ channels }) => compilePatterns(channels, null))
      .reduce(together, NOTHING);
    return (channel: Uint8Array) => patterns.covers(Buffer.from(channel).toString("latin1"));
  };
  const tells = { joined: channelsOf("joined"), left: channelsOf("left") };
  return {
    backlogBytes,
    isWatched: channelsOf("occupied", "vacated"),
    tellsMembers: (channel, kind) => tells[kind](channel),
  };
}

/** 32, or the power of two that holds two generations of `workers`. */
export function slotsFor(workers: number): number {
  let slots = USUAL_SLOTS;
  while (slots < 2 * workers) slots *= 2;
  return slots;
}

export function storePolicy(config: Config): StorePolicy {
  const { messages } = config;
  const { ttlSec, unstoredTtlSec, maxStoredPerChannel, channelInactivitySec, keyWindowSec } = messages;
  const encoder = new TextEncoder();
  return {
    messageTtlSec: ttlSec,
    unstoredTtlSec,
    maxStoredPerChannel,
    maxStoredBytesPerChannel: messages.maxStoredBytesPerChannel,
    channelInactivitySec,
    keyWindowSec,
    maxChannels: config.limits.maxNumberOfChannels,
    maxWildcardChannels: config.limits.maxNumberOfWildcardChannels,
    wildcardPrefix: encoder.encode(config.messages.wildcardChannelPrefix),
    eventsChannel: encoder.encode(config.messages.eventsChannelId),
    webhooks: webhookPolicy(config.webhooks ?? null),
  };
}
