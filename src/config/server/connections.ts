/**
 * What a connection has time for and how much it may ask, of the file and of each address: several servers of
 * an address are one there, as nobody knows which is meant before the head was read, so the most generous of
 * them counts. Used by build.ts and listeners.ts.
 */
import type { ConnectionConfig } from "../model/server.ts";
import type { MainValues, ServerValues } from "../options.ts";

const UNSET = 0;

/** What a server says in place of the file. */
type Own = Pick<
  ServerValues,
  | "keepalive_timeout"
  | "keepalive_requests"
  | "client_header_timeout"
  | "client_body_timeout"
  | "send_timeout"
  | "max_header_size"
  | "max_header_line_size"
>;

const NOTHING: Own = {
  keepalive_timeout: null,
  keepalive_requests: null,
  client_header_timeout: null,
  client_body_timeout: null,
  send_timeout: null,
  max_header_size: null,
  max_header_line_size: null,
};

/** Without keep-alive a connection ends with its first answer. */
export function buildConnections(main: MainValues, own: Own = NOTHING): ConnectionConfig {
  const keepMs = own.keepalive_timeout ?? main.keepalive_timeout;
  const headMs = own.client_header_timeout ?? main.client_header_timeout;
  return {
    headMs,
    bodyMs: own.client_body_timeout ?? main.client_body_timeout,
    sendMs: own.send_timeout ?? main.send_timeout,
    idleMs: keepMs || headMs,
    isReset: main.reset_timedout_connection,
    toldIdleSec: main.keepalive_header ?? UNSET,
    maxRequests: keepMs === 0 ? 1 : (own.keepalive_requests ?? main.keepalive_requests ?? UNSET),
    maxHeadBytes: own.max_header_size ?? main["limits.max_header_size"],
    maxLineBytes: own.max_header_line_size ?? main["limits.max_header_line_size"],
  };
}

/** Of two servers of one address. */
export const moreGenerous = (one: ConnectionConfig, other: ConnectionConfig): ConnectionConfig => ({
  ...one,
  headMs: Math.max(one.headMs, other.headMs),
  bodyMs: Math.max(one.bodyMs, other.bodyMs),
  sendMs: Math.max(one.sendMs, other.sendMs),
  idleMs: Math.max(one.idleMs, other.idleMs),
  maxRequests:
    one.maxRequests === UNSET || other.maxRequests === UNSET
      ? UNSET
      : Math.max(one.maxRequests, other.maxRequests),
  maxHeadBytes: Math.max(one.maxHeadBytes, other.maxHeadBytes),
  maxLineBytes: Math.max(one.maxLineBytes, other.maxLineBytes),
});
