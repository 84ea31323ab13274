/**
 * Whether the options of [store] fit together: ring and channel records are taken out of `size`, and what is
 * left must hold messages. Called by document.ts for the file and by load.ts for what the command line makes
 * of it.
 *
 * The bytes counted here are those of the drawing in store/memory/layout.ts, rounded up. That file is out of
 * reach (config stands below store), so a test compares the two: what passes here, the store must accept.
 */
import { autoWorkers } from "../auto-workers.ts";
import type { Issue } from "../fault.ts";
import type { MainValues } from "../options.ts";

const RING_ENTRY_BYTES = 16;
/** Record without its counters, and two to four hash cells. */
const CHANNEL_BYTES = 124 + 16;
const SUBSCRIBER_COUNTER_BYTES = 4;
const WORKER_SLOT_BYTES = 512;
const HEADER_BYTES = 12_288;
/** Fewer blocks than this hold no queue worth the name. */
const LEAST_BLOCKS = 32;

const BYTES_PER_AUTO_CHANNEL = 2048;
const LEAST_AUTO_CHANNELS = 64;

const KEY_BYTES = 40;
const BYTES_PER_AUTO_KEY = 1024;
const LEAST_AUTO_KEYS = 64;

/** An automatic ring takes a 64th of the size: enough for a burst, little enough not to be missed. */
const BYTES_PER_AUTO_RING_ENTRY = 64 * RING_ENTRY_BYTES;
const LEAST_AUTO_RING = 128;
const MOST_AUTO_RING = 262_144;

export type StoreValues = Pick<
  MainValues,
  | "workers"
  | "store.size"
  | "store.block_size"
  | "store.channels"
  | "store.ring_size"
  | "store.idempotency_keys"
>;

/** Entries of the dispatch ring: as set, or the power of two an "auto" (0) means for this size. */
export function ringEntries(values: Pick<StoreValues, "store.size" | "store.ring_size">): number {
  if (values["store.ring_size"] !== 0) return values["store.ring_size"];
  const entries = 2 ** Math.floor(Math.log2(values["store.size"] / BYTES_PER_AUTO_RING_ENTRY));
  return Math.min(MOST_AUTO_RING, Math.max(LEAST_AUTO_RING, entries));
}

/** Channels that may live at a time: as set, or what an "auto" (0) means for this size. */
export const channelRecords = (sizeBytes: number, channels: number): number =>
  channels || Math.max(LEAST_AUTO_CHANNELS, Math.floor(sizeBytes / BYTES_PER_AUTO_CHANNEL));

/** Idempotency keys that are remembered: as set, or what an "auto" (0) means for this size. */
export const keyRecords = (values: Pick<StoreValues, "store.size" | "store.idempotency_keys">): number =>
  values["store.idempotency_keys"] ||
  Math.max(LEAST_AUTO_KEYS, Math.floor(values["store.size"] / BYTES_PER_AUTO_KEY));

/**
 * The path of the issues is "store.size". None when one of the values is missing because it was faulty
 * itself.
 */
export function storeIssues(values: Partial<StoreValues>): readonly Issue[] {
  if (!isComplete(values)) return [];
  const size = values["store.size"];
  const taken = takenBytes(values);
  if (taken <= size) return [];
  const sentence =
    `size is too small for its ring, channels and workers: they and ${LEAST_BLOCKS} blocks take ` +
    `${taken} bytes.`;
  return [{ suffix: "", value: size, sentence }];
}

const isComplete = (values: Partial<StoreValues>): values is StoreValues =>
  values.workers !== undefined &&
  values["store.size"] !== undefined &&
  values["store.block_size"] !== undefined &&
  values["store.channels"] !== undefined &&
  values["store.ring_size"] !== undefined &&
  values["store.idempotency_keys"] !== undefined;

/** What everything but the messages takes, and the fewest blocks. */
export function takenBytes(values: StoreValues): number {
  const slots = slotCount(values.workers);
  const channels = channelRecords(values["store.size"], values["store.channels"]);
  return (
    HEADER_BYTES +
    slots * WORKER_SLOT_BYTES +
    ringEntries(values) * RING_ENTRY_BYTES +
    keyRecords(values) * KEY_BYTES +
    channels * (CHANNEL_BYTES + slots * SUBSCRIBER_COUNTER_BYTES) +
    LEAST_BLOCKS * values["store.block_size"]
  );
}

/** Two generations of workers stand side by side during a reload; 32 slots are always there. */
function slotCount(workers: number): number {
  const wanted = 2 * (workers === 0 ? autoWorkers() : workers);
  return 2 ** Math.ceil(Math.log2(Math.max(32, wanted)));
}
