/**
 * The variables that only a log line can have: what came of a request. Those of the request itself are in
 * config/location/variables.ts. Called by log-format.ts when it compiles a format.
 *
 * What the runtime does not tell (number of the connection, length of the request, the exact bytes of the
 * head) comes out as "-".
 */
import { hostname } from "node:os";
import type { LocatedRequest } from "../config/location/located-request.ts";
import { parseCredentials } from "./authentication.ts";
import { LocalTime } from "./local-time.ts";

/** A request that was answered. */
export interface Answered {
  readonly located: LocatedRequest;
  readonly response: Response;
  /** Bytes of the body on the wire; 0 for what is held and not over. */
  readonly bodyBytes: number;
  readonly startMs: number;
  readonly nowMs: number;
}

/** Evaluates to a binary string; "" is written as "-". */
export type LogValue = (answered: Answered) => string;

const time = new LocalTime();

const requestLine = ({ located }: Answered): string => {
  const { request, rawUrlPath, sentQuery } = located;
  return `${request.method} ${rawUrlPath}${sentQuery === "" ? "" : `?${sentQuery}`} ${protocol(located)}`;
};

/** Bun gives no version. A request without a Host can only be of 1.0. */
const protocol = ({ request }: LocatedRequest): string =>
  request.url.startsWith("/") ? "HTTP/1.0" : "HTTP/1.1";

const headBytes = ({ headers }: Response): number => {
  let bytes = "HTTP/1.1 200 OK\r\n\r\n".length;
  for (const [name, value] of headers) bytes += name.length + value.length + ": \r\n".length;
  return bytes;
};

const seconds = (ms: number): string => (Math.max(ms, 0) / 1000).toFixed(3);
const always =
  (text: string): LogValue =>
  () =>
    text;

export const LOG_VARIABLES: ReadonlyMap<string, LogValue> = new Map<string, LogValue>([
  ["remote_user", ({ located }) => parseCredentials(located.header("authorization"))?.user ?? ""],
  ["sluice_user", ({ located }) => Buffer.from(located.user ?? "").toString("latin1")],
  ["sluice_sub", ({ located }) => Buffer.from(located.grant?.sub ?? "").toString("latin1")],
  ["status", ({ response }) => String(response.status)],
  ["body_bytes_sent", ({ bodyBytes }) => String(bodyBytes)],
  ["bytes_sent", ({ bodyBytes, response }) => String(bodyBytes + headBytes(response))],
  ["request", requestLine],
  ["request_time", ({ startMs, nowMs }) => seconds(nowMs - startMs)],
  ["request_completion", always("OK")],
  ["server_protocol", ({ located }) => protocol(located)],
  ["time_local", ({ nowMs }) => time.common(nowMs)],
  ["time_iso8601", ({ nowMs }) => time.iso(nowMs)],
  ["msec", ({ nowMs }) => seconds(nowMs)],
  ["pipe", always(".")],
  ["pid", always(String(process.pid))],
  ["hostname", always(hostname())],
]);

/** Names of nginx that mean nothing here, and families of them; they are written as "-". */
const WITHOUT_MEANING = new RegExp(
  "^(?:connection|connection_requests|connection_time|request_length|request_id|gzip_ratio|server_name|" +
    "server_addr|server_port|remote_port|nginx_version|realip_remote_port|" +
    "(?:upstream|ssl|proxy|geoip)_\\w+)$",
);

/** The variable with this name (in lower case); null: it is none of ours. */
export function logVariable(name: string): LogValue | null {
  const known = LOG_VARIABLES.get(name);
  if (known !== undefined) return known;
  const sent = /^sent_http_(\w+)$/.exec(name)?.[1]?.replaceAll("_", "-");
  if (sent !== undefined) return ({ response }) => response.headers.get(sent) ?? "";
  return WITHOUT_MEANING.test(name) ? always("") : null;
}
