/**
 * The one table of options: path in the file, kind, default, bounds, check, sentence of documentation, example. toml.ts reads
 * and validates with it, print.ts makes `sluice defaults` and the README's option reference of it, and the types of the
 * values follow from it, so an option that is not here does not exist.
 *
 * Names are the push stream module's directives without their prefix, and the defaults of those that come from there are the
 * module's (push-stream spec 1.3, 1.4): `sluice convert` can then translate line by line. `default: null` is "not set";
 * `unset` says what that means. Keys of one `[[location]]` stand under "location[]".
 */
import {
  contentTypeIssues,
  listenIssues,
  multipleOf64Issues,
  pathIssues,
  powerOfTwoIssues,
} from "./checks.ts";
import type { Option, ValueOf } from "./kinds.ts";

/** setTimeout of the runtime holds 2^31-1 ms, a little over 24 days; more would fire at once. */
const LONGEST_TIMER = "24d";
/** Message times are 32-bit seconds; ten years from now still fits. */
const LONGEST_LIFE = "3650d";

export const OPTIONS = {
  listen: {
    kind: "strings",
    default: ["127.0.0.1:8080"],
    doc: 'Addresses to serve on: "host:port", "[::1]:port" or "unix:/path". Port 0 lets the kernel choose.',
    example: ["127.0.0.1:8080", "[::1]:8080", "unix:/run/sluice/http.sock"],
    check: listenIssues,
  },
  workers: {
    kind: "integer",
    default: "auto",
    word: "auto",
    doc: 'Worker processes; "auto" is one for each processor available.',
    example: 2,
    min: 1,
    max: 256,
  },
  shutdown_timeout: {
    kind: "milliseconds",
    default: "10s",
    doc: "How long a stop or reload waits for connections to end before it ends them. Keep it below systemd's TimeoutStopSec.",
    example: "10s",
    min: "100ms",
    max: "1h",
  },
  log_level: {
    kind: "enum",
    values: ["debug", "info", "warn", "error"],
    default: "info",
    doc: "Least level that is written to stderr: debug, info, warn or error.",
    example: "warn",
  },
  channel_deleted_message_text: {
    kind: "string",
    default: "Channel deleted",
    doc: "Text of the message (id -2) subscribers get when their channel is deleted, unless the DELETE has a body.",
    example: "Channel deleted",
  },
  ping_message_text: {
    kind: "string",
    default: " ",
    doc: "Text of the ping message (id -1) on streaming locations.",
    example: " ",
  },

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
  "store.block_size": {
    kind: "size",
    default: 256,
    doc: "Bytes of one block, a multiple of 64; a message takes a chain of them. Smaller wastes less on tiny messages.",
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
    doc: 'Entries of the dispatch ring, a power of two: how many messages a worker may be behind before it has to look for what it missed channel by channel. "auto" takes a 64th of the size.',
    example: 65_536,
    min: 128,
    max: 16_777_216,
    check: powerOfTwoIssues,
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
    doc: "How long a message published with store_messages = false rests for workers and readers that lag. It is never replayed.",
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
  "store.channel_inactivity_time": {
    kind: "seconds",
    default: "30s",
    doc: "Idle time after which a channel without subscribers and stored messages is removed.",
    example: "30s",
    max: LONGEST_LIFE,
  },

  "limits.max_body_size": {
    kind: "size",
    default: "1MiB",
    doc: "Largest body of a publish; a larger one is answered 413. 0 is unlimited.",
    example: "1MiB",
    max: "1GiB",
  },
  "limits.max_connections": {
    kind: "integer",
    default: null,
    unset: "what the limit of open files allows",
    doc: "Connections of one worker; beyond it requests are answered 503 with Retry-After.",
    example: 20_000,
    min: 1,
    max: 16_777_216,
  },
  "limits.max_number_of_channels": {
    kind: "integer",
    default: null,
    unset: "as many as the store has records for",
    doc: "Channels that may exist at a time; a publish or subscribe that would create one more is answered 403.",
    example: 10_000,
    min: 1,
    max: 16_777_216,
  },
  "limits.max_channel_id_length": {
    kind: "integer",
    default: null,
    unset: "unlimited",
    doc: "Bytes of a channel id; a longer one is answered 400.",
    example: 256,
    min: 1,
    max: 65_535,
  },
  "limits.max_subscribers_per_channel": {
    kind: "integer",
    default: null,
    unset: "unlimited",
    doc: "Subscribers of one channel over all workers; one more is answered 403.",
    example: 10_000,
    min: 1,
    max: 4_294_967_295,
  },
  "limits.max_channels_per_request": {
    kind: "integer",
    default: 100,
    doc: "Channels one request may name; more is answered 400.",
    example: 100,
    min: 1,
    max: 65_535,
  },

  "location[].match": {
    kind: "string",
    required: true,
    default: null,
    doc: 'Which paths, as in nginx: "= /exact", "/prefix", "^~ /prefix", "~ regex" or "~* regex" (without case).',
    example: "= /pub",
  },
  "location[].publisher": {
    kind: "enum",
    values: ["normal", "admin"],
    default: null,
    unset: "not a publisher",
    doc: "Makes it a publisher: normal serves GET, POST and PUT, admin DELETE as well.",
    example: "admin",
  },
  "location[].subscriber": {
    kind: "enum",
    values: ["streaming", "polling", "long-polling", "eventsource", "websocket"],
    default: null,
    unset: "not a subscriber",
    doc: "Makes it a subscriber of this mode: streaming, polling, long-polling, eventsource or websocket.",
    example: "eventsource",
  },
  "location[].statistics": {
    kind: "flag",
    default: false,
    doc: "Makes it a statistics endpoint.",
    example: true,
  },
  "location[].page": {
    kind: "flag",
    default: false,
    doc: "Makes it the built-in page for trying things out.",
    example: true,
  },
  "location[].channels_path": {
    kind: "complex",
    default: null,
    unset: "right for a page only",
    doc: "Where the channel ids come from, with variables such as `$arg_id`, `$1` or `$http_x_channel`.",
    example: "$arg_id",
  },
  "location[].store_messages": {
    kind: "flag",
    default: false,
    doc: "Whether messages published here are stored, for those who come later.",
    example: true,
  },
  "location[].channel_info_on_publish": {
    kind: "flag",
    default: true,
    doc: "Whether a publish is answered with the channel's state; false answers 200 with an empty body.",
    example: false,
  },
  "location[].authorized_channels_only": {
    kind: "flag",
    default: false,
    doc: "Lets subscribers in only where the channel exists and has stored messages; otherwise 403.",
    example: true,
  },
  "location[].header_template": {
    kind: "string",
    default: "",
    doc: "Text sent first on each connection.",
    example: "<html><body>",
  },
  "location[].message_template": {
    kind: "string",
    default: "~text~",
    doc: "Form of each message, with `~id~ ~channel~ ~text~ ~size~ ~time~ ~tag~ ~event-id~ ~event-type~`. Nothing is escaped.",
    example: "~id~: ~text~\n",
  },
  "location[].footer_template": {
    kind: "string",
    default: "",
    doc: "Text sent just before the server ends a response.",
    example: "</body></html>",
  },
  "location[].ping_message_interval": {
    kind: "milliseconds",
    default: null,
    unset: "never",
    doc: "Time without a message after which a held connection is pinged.",
    example: "15s",
    min: "1ms",
    max: LONGEST_TIMER,
  },
  "location[].subscriber_connection_ttl": {
    kind: "milliseconds",
    default: null,
    unset: "never",
    doc: "Age at which a held connection is ended.",
    example: "1h",
    min: "1ms",
    max: LONGEST_TIMER,
  },
  "location[].longpolling_connection_ttl": {
    kind: "milliseconds",
    default: null,
    unset: "as subscriber_connection_ttl",
    doc: "How long a long poll waits before it is answered 304.",
    example: "30s",
    min: "1ms",
    max: LONGEST_TIMER,
  },
  "location[].websocket_allow_publish": {
    kind: "flag",
    default: false,
    doc: "Whether text frames from a WebSocket client are published to its channels.",
    example: true,
  },
  "location[].last_received_message_time": {
    kind: "complex",
    default: null,
    unset: "the If-Modified-Since header",
    doc: `Where a returning subscriber's time comes from. Replaces the header; "\${http_if_modified_since|arg_time}" takes either.`,
    example: "$arg_time",
  },
  "location[].last_received_message_tag": {
    kind: "complex",
    default: null,
    unset: "the If-None-Match header",
    doc: "Where a returning subscriber's tag comes from.",
    example: "$arg_tag",
  },
  "location[].last_event_id": {
    kind: "complex",
    default: null,
    unset: "the Last-Event-Id header",
    doc: "Where a returning subscriber's last event id comes from.",
    example: "$arg_eventid",
  },
  "location[].event_ids": {
    kind: "enum",
    values: ["off", "auto"],
    default: "off",
    doc: "auto sends our own position as the id of each event, so that a browser's reconnect resumes without loss; off sends only the ids publishers gave.",
    example: "auto",
  },
  "location[].default_type": {
    kind: "string",
    default: "text/html",
    doc: "Content type of streaming, polling and long-polling answers.",
    example: "text/plain; charset=utf-8",
    check: contentTypeIssues,
  },
} as const satisfies Readonly<Record<string, Option>>;

export type OptionPath = keyof typeof OPTIONS;
type LocationPath = Extract<OptionPath, `location[].${string}`>;

/** Values of everything outside the locations, by path. */
export type MainValues = { readonly [P in Exclude<OptionPath, LocationPath>]: ValueOf<(typeof OPTIONS)[P]> };
/** Values of one location, by key. */
export type LocationValues = {
  readonly [P in LocationPath as P extends `location[].${infer Key}` ? Key : never]: ValueOf<
    (typeof OPTIONS)[P]
  >;
};

export const LOCATION_PREFIX = "location[].";

/** All options as they are, in the order of the table; the wide type is what loops want. */
export const ALL_OPTIONS: readonly (readonly [path: string, option: Option])[] = Object.entries(OPTIONS);

/** The option with this path, or undefined. */
export const optionAt = (path: string): Option | undefined =>
  Object.hasOwn(OPTIONS, path) ? OPTIONS[path as OptionPath] : undefined;
