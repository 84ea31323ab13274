/**
 * Rows of the option table about the store: its size, where it lies, what is kept and for how long. Part of
 * ../options.ts.
 */
import { multipleOf64Issues, pathIssues, powerOfTwoIssues } from "../checks/checks.ts";
import type { Option } from "../kinds.ts";
import { syncIssues } from "../store-sync.ts";
import { LONGEST_LIFE } from "./longest.ts";

export const STORE_OPTIONS = {
  "store.size": {
    kind: "size",
    default: "64MiB",
    doc: "Memory for messages, allocated in full at start. When it is full the oldest messages go first.",
    example: "64MiB",
    min: "128KiB",
    // The runtime maps at most 4 GiB in one piece, and the channel records need their part of it.
    max: "3GiB",
  },
  "store.path": {
    kind: "string",
    default: null,
    unset: "`$RUNTIME_DIRECTORY`, else /dev/shm, else the temp folder",
    doc: "Where the store file is kept. On a disk path messages survive a reboot.",
    example: "/var/lib/sluice/store",
    check: pathIssues,
  },
  "store.sync": {
    kind: "string",
    default: "none",
    doc:
      'When messages are on the disk of `path`: "none" when the system writes them, within half a ' +
      'minute; a time such as "1s" that often; "each" before the publisher is answered. Without a disk ' +
      "it does nothing.",
    example: "1s",
    check: syncIssues,
  },
  "store.block_size": {
    kind: "size",
    default: 256,
    doc:
      "Bytes of one block, a multiple of 64; a message takes a chain of them. Smaller wastes less on " +
      "tiny messages.",
    example: 512,
    min: 128,
    max: "64KiB",
    check: multipleOf64Issues,
  },
  "store.channels": {
    kind: "integer",
    default: "auto",
    word: "auto",
    doc: 'Channel records allocated at start; "auto" derives the number from the size.',
    example: 10_000,
    min: 1,
    max: 16_777_216,
  },
  "store.ring_size": {
    kind: "integer",
    default: "auto",
    word: "auto",
    doc:
      "Entries of the dispatch ring, a power of two: how many messages a worker may be behind before it " +
      'has to look for what it missed channel by channel. "auto" takes a 64th of the size.',
    example: 65_536,
    min: 128,
    max: 16_777_216,
    check: powerOfTwoIssues,
  },
  "store.idempotency_keys": {
    kind: "integer",
    default: "auto",
    word: "auto",
    doc:
      "Idempotency keys that are remembered at a time; when there are more the oldest are given up " +
      'before `idempotency_window`. "auto" is one for each KiB of the size, which takes a 25th of it.',
    example: 100_000,
    min: 64,
    max: 16_777_216,
  },
  "store.idempotency_window": {
    kind: "seconds",
    default: "5m",
    doc:
      "How long an idempotency key is remembered: who sends the same message with it again gets the " +
      "first answer.",
    example: "10m",
    min: "1s",
    max: "24h",
  },
  "store.keep": {
    kind: "flag",
    default: true,
    doc:
      "Whether messages outlive a restart when there is no path; false begins empty each time, as nginx " +
      "does. A store with a path is always kept.",
    example: false,
  },
  "store.zone": {
    kind: "string",
    default: "push_stream_module",
    doc: "Name of the store in the log.",
    example: "push_stream_module",
  },
  "store.message_ttl": {
    kind: "seconds",
    default: "30m",
    doc: "Life of a stored message.",
    example: "30m",
    min: "1s",
    max: LONGEST_LIFE,
  },
  "store.unstored_message_ttl": {
    kind: "seconds",
    default: "10s",
    doc:
      "How long a message published with store_messages = false rests for workers and readers that lag. " +
      "It is never replayed.",
    example: "10s",
    min: "1s",
    max: "1h",
  },
  "store.max_messages_stored_per_channel": {
    kind: "integer",
    default: null,
    unset: "unlimited",
    doc: "Stored messages of one channel; the oldest are dropped beyond it.",
    example: 100,
    min: 1,
    max: 4_294_967_295,
  },
  "store.max_bytes_stored_per_channel": {
    kind: "size",
    default: "0",
    doc:
      "Room in the store for the stored messages of one channel, in whole blocks; the oldest are " +
      "dropped beyond it, the newest always stays. 0: no limit but the store's size.",
    example: "16MiB",
  },
  "store.channel_inactivity_time": {
    kind: "seconds",
    default: "30s",
    doc: "Idle time after which a channel without subscribers and stored messages is removed.",
    example: "30s",
    max: LONGEST_LIFE,
  },
} as const satisfies Readonly<Record<string, Option>>;
