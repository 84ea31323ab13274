/**
 * The configuration of `sluice verify`'s own server: a publisher, and a location for each way that a reader
 * of lanes.ts comes. Used by own-server.ts, which writes it into the server's folder.
 */
import { join } from "node:path";

/** What a message looks like on lanes without words of their own: a line that says where it stands. */
const LINE = `message_template = ${JSON.stringify(
  '{"id":~id~,"channel":"~channel~","time":"~time~","tag":~tag~,"text":"~text~"}\n',
)}`;
const POSITIONS = `last_received_message_time = "\${http_if_modified_since|arg_time}"
last_received_message_tag = "\${http_if_none_match|arg_tag}"
last_event_id = "\${http_last_event_id|arg_eventid}"`;

const PLAIN_WAYS = { sub: "streaming", lp: "long-polling", poll: "polling" };

export interface ConfigurationSetting {
  readonly workers: number;
  readonly listener: "native" | "wire";
  readonly storeSize: string;
  /** The store on a disk path, with this `sync`; null: in memory. */
  readonly sync: string | null;
  /** `send_buffer`; absent: the system's own. */
  readonly sendBuffer?: string;
  /** Makes files in the folder and says what is put behind the configuration. */
  readonly more?: (folder: string) => string;
}

export function configuration(
  { workers, listener, storeSize, sync, sendBuffer, more }: ConfigurationSetting,
  folder: string,
  port: number,
): string {
  const onDisk = sync === null ? "" : `path = "${join(folder, "store")}"\nsync = "${sync}"\n`;
  return `listen = ["127.0.0.1:${port}"]
listener = "${listener}"
workers = ${workers}
drain_rate = 200
shutdown_timeout = "5s"
${sendBuffer === undefined ? "" : `send_buffer = "${sendBuffer}"`}

[store]
size = "${storeSize}"
message_ttl = "1d"
${onDisk}
[[location]]
match = "= /pub"
publisher = "admin"
channels_path = "$arg_id"
store_messages = true

[[location]]
match = "= /channels-stats"
statistics = true
channels_path = "$arg_id"

[[location]]
match = "~ ^/ev/(.*)$"
subscriber = "eventsource"
channels_path = "$1"
event_ids = "auto"
turn_away = "retry"
ping_message_interval = "5s"
${POSITIONS}
${Object.entries(PLAIN_WAYS)
  .map(([path, role]) => location(path, role))
  .join("\n")}
[[location]]
match = "~ ^/ws/(.*)$"
subscriber = "websocket"
channels_path = "$1"
header_template = "hello"
${LINE}
ping_message_interval = "5s"
${POSITIONS}
${more?.(folder) ?? ""}`;
}

const location = (path: string, subscriber: string): string => `
[[location]]
match = "~ ^/${path}/(.*)$"
subscriber = "${subscriber}"
channels_path = "$1"
${subscriber === "streaming" ? 'header_template = "hello\\n"\nping_message_interval = "5s"' : ""}
${subscriber === "long-polling" ? 'longpolling_connection_ttl = "5s"' : ""}
${LINE}
default_type = "text/plain"
${POSITIONS}
`;
