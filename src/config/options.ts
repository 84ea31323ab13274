/**
 * The one table of options, put together from its subjects in options/: path in the file, kind, default,
 * bounds, check, sentence of documentation, example. toml.ts reads and validates with it, print.ts makes
 * `sluice defaults` and docs/options.md of it, and the types of the values follow from it, so an option that
 * is not here does not exist.
 *
 * Names are the push stream module's directives without their prefix, and the defaults of those that come
 * from there are the module's (push-stream spec 1.3, 1.4): `sluice convert` can then translate line by line.
 * `default: null` is "not set"; `unset` says what that means. Keys of one `[[location]]` stand under
 * "location[]", those of its steps and of a `[[server]]` under "step[]" and "server[]".
 */
import type { Option, ValueOf } from "./kinds.ts";
import { ACCESS_OPTIONS } from "./options/access.ts";
import { CLUSTER_OPTIONS } from "./options/cluster.ts";
import { CONNECTION_OPTIONS } from "./options/connections.ts";
import { DIALECT_OPTIONS } from "./options/dialect.ts";
import { FILE_OPTIONS } from "./options/files.ts";
import { FRONT_OPTIONS } from "./options/front.ts";
import { HANDLER_OPTIONS } from "./options/handlers.ts";
import { LIMIT_OPTIONS } from "./options/limits.ts";
import { PRESENCE_OPTIONS } from "./options/presence.ts";
import { PROCESS_OPTIONS } from "./options/process.ts";
import { PROXY_OPTIONS } from "./options/proxy.ts";
import { ROLE_OPTIONS } from "./options/roles.ts";
import { SERVER_OPTIONS } from "./options/server.ts";
import { STEP_OPTIONS } from "./options/steps.ts";
import { STORE_OPTIONS } from "./options/store.ts";
import { WEBHOOK_OPTIONS } from "./options/webhooks.ts";

export const OPTIONS = {
  ...PROCESS_OPTIONS,
  ...CONNECTION_OPTIONS,
  ...STORE_OPTIONS,
  ...CLUSTER_OPTIONS,
  ...LIMIT_OPTIONS,
  ...ROLE_OPTIONS,
  ...PRESENCE_OPTIONS,
  ...HANDLER_OPTIONS,
  ...ACCESS_OPTIONS,
  ...WEBHOOK_OPTIONS,
  ...FILE_OPTIONS,
  ...DIALECT_OPTIONS,
  ...FRONT_OPTIONS,
  ...PROXY_OPTIONS,
  ...STEP_OPTIONS,
  ...SERVER_OPTIONS,
} as const satisfies Readonly<Record<string, Option>>;

export type OptionPath = keyof typeof OPTIONS;
type PathUnder<Prefix extends string> = Extract<OptionPath, `${Prefix}${string}`>;
type TablePath = PathUnder<
  | "location[]."
  | "step[]."
  | "server[]."
  | "issuer[]."
  | "webhook[]."
  | "map[]."
  | "upstream[]."
  | "shared[]."
>;
type ValuesUnder<Prefix extends string> = {
  readonly [P in PathUnder<Prefix> as P extends `${Prefix}${infer Key}` ? Key : never]: ValueOf<
    (typeof OPTIONS)[P]
  >;
};

/** Values of everything outside the lists of tables, by path. */
export type MainValues = { readonly [P in Exclude<OptionPath, TablePath>]: ValueOf<(typeof OPTIONS)[P]> };
/** Values of one location, step, server or issuer, by key. */
export type LocationValues = ValuesUnder<"location[].">;
export type StepValues = ValuesUnder<"step[].">;
export type ServerValues = ValuesUnder<"server[].">;
export type IssuerValues = ValuesUnder<"issuer[].">;
export type WebhookValues = ValuesUnder<"webhook[].">;
export type MapValues = ValuesUnder<"map[].">;
export type UpstreamValues = ValuesUnder<"upstream[].">;
export type SharedValues = ValuesUnder<"shared[].">;

export const LOCATION_PREFIX = "location[].";
export const STEP_PREFIX = "step[].";
export const SERVER_PREFIX = "server[].";
export const ISSUER_PREFIX = "issuer[].";
export const WEBHOOK_PREFIX = "webhook[].";
export const MAP_PREFIX = "map[].";
export const UPSTREAM_PREFIX = "upstream[].";
export const SHARED_PREFIX = "shared[].";

/** Keys of a location that its steps may set anew (push-stream spec 1.4, column "if"). */
export const STEP_OVERRIDES = [
  "channels_path",
  "store_messages",
  "allow_connections_to_events_channel",
  "last_received_message_time",
  "last_received_message_tag",
  "last_event_id",
  "add_header",
  "expires",
  "error_page",
  "access_log",
  "root",
  "gzip",
  "subscriber",
  "publisher",
  "proxy",
  "proxy_set_header",
  "proxy_hide_header",
  "proxy_pass_header",
  "proxy_pass_request_headers",
  "proxy_pass_request_body",
  "proxy_http_version",
  "proxy_redirect",
  "proxy_connect_timeout",
  "proxy_send_timeout",
  "proxy_read_timeout",
  "proxy_intercept_errors",
  "proxy_next_upstream",
  "proxy_next_upstream_tries",
  "proxy_next_upstream_timeout",
  "proxy_ignore_client_abort",
  "proxy_ssl_server_name",
  "proxy_ssl_name",
  "proxy_ssl_verify",
  "proxy_ssl_trusted_certificate",
] as const satisfies readonly (keyof LocationValues)[];

/** All options as they are, in the order of the table; the wide type is what loops want. */
export const ALL_OPTIONS: readonly (readonly [path: string, option: Option])[] = Object.entries(OPTIONS);

/** The option with this path, or undefined. */
export const optionAt = (path: string): Option | undefined =>
  Object.hasOwn(OPTIONS, path) ? OPTIONS[path as OptionPath] : undefined;
