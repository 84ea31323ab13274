/**
 * The one table of options: path in the file, kind, default, bounds, check, sentence of documentation, example. toml.ts reads
 * and validates with it, print.ts makes `sluice defaults` and the README's option reference of it, and the types of the
 * values follow from it, so an option that is not here does not exist.
 *
 * Names are the push stream module's directives without their prefix, and the defaults of those that come from there are the
 * module's (push-stream spec 1.3, 1.4): `sluice convert` can then translate line by line. `default: null` is "not set";
 * `unset` says what that means. Keys of one `[[location]]` stand under "location[]", those of its steps and
 * of a `[[server]]` under "step[]" and "server[]".
 */
import {
  contentTypeIssues,
  folderIssues,
  listenIssues,
  multipleOf64Issues,
  pathIssues,
  powerOfTwoIssues,
} from "./checks.ts";
import type { Option, ValueOf } from "./kinds.ts";
import { paddingIssues } from "./padding.ts";
import { syncIssues } from "./store-sync.ts";

/** setTimeout of the runtime holds 2^31-1 ms, a little over 24 days; more would fire at once. */
const LONGEST_TIMER = "24d";
/** Message times are 32-bit seconds; ten years from now still fits. */
const LONGEST_LIFE = "3650d";

export const OPTIONS = {
  listen: {
    kind: "strings",
    default: ["127.0.0.1:8080"],
    doc: 'Addresses to serve on: "host:port", "[::1]:port" or "unix:/path". Port 0 lets the kernel choose. Who may reach the folder of a unix socket may connect (mode 666), unless words behind it say less: "unix:/path mode=660 group=www-data".',
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
  drain_rate: {
    kind: "integer",
    default: 2000,
    doc: "Subscribers sent away per second at a stop or reload, over all workers; more when shutdown_timeout would not do for all. 0 is at once.",
    example: 2000,
    min: 0,
    max: 1_000_000,
  },
  log_level: {
    kind: "enum",
    values: ["debug", "info", "warn", "error"],
    default: "info",
    doc: "Least level that is written to stderr: debug, info, warn or error.",
    example: "warn",
  },
  log_style: {
    kind: "enum",
    values: ["auto", "text", "json"],
    default: "auto",
    doc: "How log lines look: auto and text are for people, json is one object a line. Towards the journal of systemd each begins with its priority.",
    example: "json",
  },
  error_log: {
    kind: "string",
    default: null,
    unset: "stderr",
    doc: "File the log goes to; it is opened again on SIGUSR1.",
    example: "/var/log/sluice/error.log",
    check: pathIssues,
  },
  pid_file: {
    kind: "string",
    default: null,
    unset: "none",
    doc: "File that holds the main process's id while it serves.",
    example: "/run/sluice/sluice.pid",
    check: pathIssues,
  },
  keepalive_timeout: {
    kind: "milliseconds",
    default: "75s",
    doc: "Time without a byte after which an idle connection is closed; held ones are exempt.",
    example: "75s",
    min: "1s",
    max: "255s",
  },
  keepalive: {
    kind: "keepalive",
    default: null,
    unset: "as the runtime makes its sockets: off",
    doc: 'TCP keepalive of client connections, so that peers that vanished are noticed: true, false, or "idle:interval:count", any of which may be left out.',
    example: "60s:10s:6",
  },
  tcp_user_timeout: {
    kind: "milliseconds",
    default: null,
    unset:
      "with keepalive its idle + interval x count, so that it notices a vanished peer also while something is on its way; else the system's own",
    doc: "Time after which a connection is dropped whose peer does not acknowledge what was sent, or takes nothing of it. 0 is the system's own.",
    example: "30s",
    max: LONGEST_TIMER,
  },
  send_buffer: {
    kind: "size",
    default: null,
    unset: "the system's own, which grows to net.ipv4.tcp_wmem (4 MiB)",
    doc: "The kernel's buffer for what a connection is sent and has not taken (SO_SNDBUF; Linux takes twice as much, and no more than net.core.wmem_max). With it a stalled client costs that and limits.max_unsent_size; too small a one makes distant clients slow.",
    example: "256KiB",
    min: "4KiB",
    max: "1GiB",
  },
  deferred: {
    kind: "flag",
    default: false,
    doc: "Accepts connections only when their first bytes are there (TCP_DEFER_ACCEPT).",
    example: true,
  },
  backlog: {
    kind: "integer",
    default: null,
    unset: "the runtime's own, 512",
    doc: "Connections that may wait to be accepted; the kernel allows no more than net.core.somaxconn.",
    example: 4096,
    min: 1,
    max: 1_048_576,
  },
  fastopen: {
    kind: "integer",
    default: null,
    unset: "off",
    doc: "Queue of TCP Fast Open, where the kernel has it switched on for servers.",
    example: 256,
    min: 1,
    max: 1_048_576,
  },
  built_in_paths: {
    kind: "flag",
    default: true,
    doc: "Serves /health/live, /health/ready and /metrics where no location claims them.",
    example: false,
  },
  log_format: {
    kind: "strings",
    default: [],
    doc: "Formats of access logs, each `name text`, with variables in the text. `combined` is always there.",
    example: ["short $remote_addr $status $request_uri"],
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
  timeout_with_body: {
    kind: "flag",
    default: false,
    doc: "Answers a long poll that nothing came for 200 with a message (id -3) instead of 304.",
    example: true,
  },
  wildcard_channel_prefix: {
    kind: "string",
    default: "",
    doc: "Channels whose id starts with it are wildcard channels, which have limits of their own.",
    example: "broad_",
  },
  events_channel_id: {
    kind: "string",
    default: "",
    doc: "Channel on which comings and goings are published: channel_created, client_subscribed, client_unsubscribed, channel_destroyed.",
    example: "events",
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
  "store.sync": {
    kind: "string",
    default: "none",
    doc: 'When messages are on the disk of `path`: "none" when the system writes them, within half a minute; a time such as "1s" that often; "each" before the publisher is answered. Without a disk it does nothing.',
    example: "1s",
    check: syncIssues,
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
  "store.keep": {
    kind: "flag",
    default: true,
    doc: "Whether messages outlive a restart when there is no path; false begins empty each time, as nginx does. A store with a path is always kept.",
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
  "limits.max_frame_size": {
    kind: "size",
    default: null,
    unset: "the largest max_body_size",
    doc: "Largest message of a WebSocket client; a larger one closes its connection (1009). 0 is what the store can hold.",
    example: "1MiB",
    max: "1GiB",
  },
  "limits.max_unsent_size": {
    kind: "size",
    default: "256KiB",
    doc: "Bytes that wait in memory for one client that does not take them, beside the kernel's buffer and the message that went over it. Subscribers read on from the store before that; what cannot (a handler's WebSocket, answers to pings) ends the connection.",
    example: "1MiB",
    // A quarter for what is unsent when a socket is asked, half for one job of its channel.
    min: "256KiB",
    max: "1GiB",
  },
  "limits.max_silence": {
    kind: "milliseconds",
    default: "2m",
    doc: "Time a WebSocket subscriber may send no whole frame. After half of it he is pinged, and who does not answer within the other half is cut off: peers that vanished, and messages that are begun and not finished. 0 is for ever.",
    example: "5m",
    max: LONGEST_TIMER,
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
  "limits.max_number_of_wildcard_channels": {
    kind: "integer",
    default: null,
    unset: "as many as the store has records for",
    doc: "Wildcard channels that may exist at a time; they do not count for max_number_of_channels.",
    example: 100,
    min: 1,
    max: 16_777_216,
  },
  "limits.max_channels_created_per_address": {
    kind: "integer",
    default: null,
    unset: "unlimited",
    doc: "Channels that publishers and subscribers of one address (IPv6: one /64) may create within a minute, in each worker; one more is answered 403 with Retry-After. Behind a proxy all clients have its address; through a unix socket nobody is counted.",
    example: 1000,
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
  "location[].pushstream_client": {
    kind: "flag",
    default: false,
    doc: "Makes it the browser client, PushStream, as one script.",
    example: true,
  },
  "location[].examples": {
    kind: "flag",
    default: false,
    doc: "Makes it the example pages; the paths they use are those of the embedded default.",
    example: true,
  },
  "location[].root": {
    kind: "string",
    default: null,
    unset: "no files",
    doc: "Makes it a place for files: this folder, and the path of the request in it.",
    example: "/var/www/html",
    check: folderIssues,
  },
  "location[].alias": {
    kind: "string",
    default: null,
    unset: "no files",
    doc: "Makes it a place for files: this, and what follows the location's prefix in the path.",
    example: "/var/www/chat/",
    check: folderIssues,
  },
  "location[].index": {
    kind: "strings",
    default: ["index.html"],
    doc: "Files that stand for a folder, the first that exists.",
    example: ["index.html", "index.htm"],
  },
  "location[].handler": {
    kind: "string",
    default: null,
    unset: "no handler",
    doc: "Makes it a handler: a TypeScript file that answers, in the folder of this file or below it.",
    example: "handlers/hello.ts",
    check: pathIssues,
  },
  "location[].handler_timeout": {
    kind: "milliseconds",
    default: "30s",
    doc: "How long a handler's answer may take to begin, and a guard or hook to speak; then it is answered 500.",
    example: "5s",
    min: "10ms",
    max: LONGEST_TIMER,
  },
  "location[].authorize": {
    kind: "string",
    default: null,
    unset: "open to all",
    doc: "TypeScript file whose `authorize` lets requests in, refuses them, or gives them other channels. For publishers, subscribers and files.",
    example: "handlers/members.ts",
    check: pathIssues,
  },
  "location[].hooks": {
    kind: "string",
    default: null,
    unset: "no hooks",
    doc: "TypeScript file with `onSubscribe`, `onUnsubscribe` and `onPublish`. For publishers and subscribers.",
    example: "handlers/presence.ts",
    check: pathIssues,
  },
  "location[].fallback": {
    kind: "string",
    default: null,
    unset: "404",
    doc: "File below the folder that stands for paths without one, as an application of one page wants it.",
    example: "/index.html",
    check: pathIssues,
  },
  "location[].dotfiles": {
    kind: "flag",
    default: false,
    doc: "Serves files and folders whose names begin with a dot. `.well-known` is served anyway.",
    example: true,
  },
  "location[].empty": {
    kind: "flag",
    default: false,
    doc: "Makes it a location that is only its steps; what they do not answer is 404.",
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
    default: null,
    unset: "text/plain; charset=utf-8",
    doc: "Content type of streaming, polling and long-polling answers, and of what a handler says that names none.",
    example: "text/plain; charset=utf-8",
    check: contentTypeIssues,
  },
  "location[].nosniff": {
    kind: "flag",
    default: true,
    doc: "Answers with messages or names of channels say X-Content-Type-Options: nosniff, so that no browser takes them for another type than they have.",
    example: false,
  },
  "location[].module_fields": {
    kind: "flag",
    default: false,
    doc: "Header fields as the push stream module for nginx sends them, to the byte: `Etag: W/3`, which has no quotes and so is no entity tag, and CORS without the fields that it does not know.",
    example: true,
  },
  "location[].types": {
    kind: "strings",
    default: [],
    doc: "Content types by the extension of the path, each `type extension…`. They come before default_type.",
    example: ["text/html html htm", "image/gif gif"],
  },
  "location[].wildcard_channel_max_qtd": {
    kind: "integer",
    default: null,
    unset: "as limits.max_number_of_wildcard_channels",
    doc: "Wildcard channels one request may name, at least one other beside them.",
    example: 3,
    min: 1,
    max: 65_535,
  },
  "location[].allow_connections_to_events_channel": {
    kind: "flag",
    default: false,
    doc: "Whether subscribers may stand in the events channel here.",
    example: true,
  },
  "location[].padding_by_user_agent": {
    kind: "string",
    default: "",
    doc: "Least sizes of header and messages for clients that show nothing before they have enough, each `regex,header,message`, with `:` between.",
    example: "[T|t]est 1,1024,508:MSIE,0,1024",
    check: paddingIssues,
  },
  "location[].user_agent": {
    kind: "complex",
    default: null,
    unset: "the User-Agent header",
    doc: "What the regexes of padding_by_user_agent are tried on.",
    example: "$arg_ua",
  },
  "location[].allowed_origins": {
    kind: "complex",
    default: null,
    unset: "no CORS headers",
    doc: "Value of Access-Control-Allow-Origin; empty sends no CORS headers.",
    example: "https://example.org",
  },
  "location[].max_body_size": {
    kind: "size",
    default: null,
    unset: "as limits.max_body_size",
    doc: "Largest body of a request here; a larger one is answered 413. 0 is unlimited.",
    example: "10MiB",
    max: "1GiB",
  },
  "location[].access": {
    kind: "strings",
    default: [],
    doc: 'Who may come, by address: "allow 10.0.0.0/8", "deny all" …; the first that fits decides, and without one that fits all may. A client that is gone before its address is known may not.',
    example: ["allow 127.0.0.1", "deny all"],
  },
  "location[].auth_basic": {
    kind: "string",
    default: null,
    unset: "open to all",
    doc: "Realm of a user name and password asked for with HTTP Basic authentication.",
    example: "publishers",
  },
  "location[].auth_basic_user_file": {
    kind: "string",
    default: null,
    unset: "required with auth_basic",
    doc: "Users and hashed passwords, in the form htpasswd writes.",
    example: "/etc/sluice/users",
    check: pathIssues,
  },
  "location[].add_header": {
    kind: "strings",
    default: [],
    doc: "Headers added to answers, each `Name value`; `always ` before the name adds it to errors as well.",
    example: ["X-Frame-Options DENY", "always X-Served-By sluice"],
  },
  "location[].gzip": {
    kind: "flag",
    default: false,
    doc: "Compresses answers for clients that say they take gzip.",
    example: true,
  },
  "location[].gzip_types": {
    kind: "strings",
    default: [],
    doc: 'Content types that are compressed besides text/html; "*" is all.',
    example: ["application/json", "text/plain"],
  },
  "location[].gzip_min_length": {
    kind: "integer",
    default: 20,
    doc: "Bodies below so many bytes are not compressed.",
    example: 1000,
    min: 0,
    max: 4_294_967_295,
  },
  "location[].gzip_comp_level": {
    kind: "integer",
    default: 1,
    doc: "1 is fast, 9 is small.",
    example: 5,
    min: 1,
    max: 9,
  },
  "location[].access_log": {
    kind: "strings",
    default: [],
    doc: "Files that get a line for each answer, each `path [format [buffer=64k] [flush=1s]]`; /dev/stdout is one.",
    example: ["/var/log/sluice/access.log combined buffer=64k flush=1s"],
  },

  "step[].if": {
    kind: "string",
    default: null,
    unset: "always",
    doc: "Condition, as between the parentheses of nginx's `if`: a variable, or one compared by =, !=, ~, ~*, !~ or !~*.",
    example: '$arg_qs = "on"',
  },
  "step[].set": {
    kind: "strings",
    default: [],
    doc: "Variables that are set, each `$name value`.",
    example: ["$id room_$arg_id"],
  },
  "step[].return": {
    kind: "string",
    default: null,
    unset: "goes on",
    doc: "Answer: a status, a status and a text or URL, or a URL.",
    example: "403",
  },
  "step[].break": {
    kind: "flag",
    default: false,
    doc: "Ends the steps here.",
    example: true,
  },

  "server[].listen": {
    kind: "strings",
    required: true,
    default: null,
    doc: "Addresses of this server, as above. Words may follow an address: ssl, http2, default_server, keepalive=…, tcp_user_timeout=…, sndbuf=…, deferred, backlog=…, fastopen=….",
    example: ["0.0.0.0:443 ssl"],
    check: listenIssues,
  },
  "server[].server_name": {
    kind: "strings",
    default: [],
    doc: "Hosts it is for; the first server of an address is for all that nobody claims.",
    example: ["push.example.org", "*.example.org"],
  },
  "server[].tls_certificate": {
    kind: "string",
    default: null,
    unset: "no TLS",
    doc: "Certificate chain in PEM form, for addresses with ssl.",
    example: "/etc/ssl/push.pem",
    check: pathIssues,
  },
  "server[].tls_certificate_key": {
    kind: "string",
    default: null,
    unset: "no TLS",
    doc: "Its private key in PEM form.",
    example: "/etc/ssl/push.key",
    check: pathIssues,
  },
} as const satisfies Readonly<Record<string, Option>>;

export type OptionPath = keyof typeof OPTIONS;
type PathUnder<Prefix extends string> = Extract<OptionPath, `${Prefix}${string}`>;
type TablePath = PathUnder<"location[]." | "step[]." | "server[].">;
type ValuesUnder<Prefix extends string> = {
  readonly [P in PathUnder<Prefix> as P extends `${Prefix}${infer Key}` ? Key : never]: ValueOf<
    (typeof OPTIONS)[P]
  >;
};

/** Values of everything outside the lists of tables, by path. */
export type MainValues = { readonly [P in Exclude<OptionPath, TablePath>]: ValueOf<(typeof OPTIONS)[P]> };
/** Values of one location, step or server, by key. */
export type LocationValues = ValuesUnder<"location[].">;
export type StepValues = ValuesUnder<"step[].">;
export type ServerValues = ValuesUnder<"server[].">;

export const LOCATION_PREFIX = "location[].";
export const STEP_PREFIX = "step[].";
export const SERVER_PREFIX = "server[].";

/** Keys of a location that its steps may set anew (push-stream spec 1.4, column "if"). */
export const STEP_OVERRIDES = [
  "channels_path",
  "store_messages",
  "allow_connections_to_events_channel",
  "last_received_message_time",
  "last_received_message_tag",
  "last_event_id",
  "add_header",
] as const satisfies readonly (keyof LocationValues)[];

/** All options as they are, in the order of the table; the wide type is what loops want. */
export const ALL_OPTIONS: readonly (readonly [path: string, option: Option])[] = Object.entries(OPTIONS);

/** The option with this path, or undefined. */
export const optionAt = (path: string): Option | undefined =>
  Object.hasOwn(OPTIONS, path) ? OPTIONS[path as OptionPath] : undefined;
