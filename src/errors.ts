/**
 * The one table of refusals: stable code → HTTP status → explain text. Publishers and subscribers answer from it, the
 * WebSocket side puts status and text into a close frame (push-stream spec 4.13.6), the README documents it.
 *
 * Texts are those of the push-stream spec 0.7, byte for byte; clients match on them. Codes are never reused.
 */
export interface Refusal {
  readonly code: string;
  readonly status: number;
  /** Value of X-Nginx-PushStream-Explain; null where the spec gives none. */
  readonly explain: string | null;
  /** Value of Retry-After; absent: a second where the status is 503, else none. */
  readonly retryAfterSec?: number;
}

/** Seconds after which the same request may be answered otherwise; 0: never, as far as we know. */
export const retryAfterSec = (refusal: Refusal): number =>
  refusal.retryAfterSec ?? (refusal.status === 503 ? 1 : 0);

const refusal = (code: string, status: number, explain: string | null): Refusal => ({
  code,
  status,
  explain,
});

export const Refusals = {
  noChannel: refusal("no_channel", 400, "No channel id provided."),
  forbiddenChannel: refusal("forbidden_channel", 403, "Channel id not authorized for this method."),
  channelIdTooLarge: refusal("channel_id_too_large", 400, "Channel id is too large."),
  tooManyChannels: {
    ...refusal("too_many_channels", 403, "Number of channels were exceeded."),
    retryAfterSec: 10,
  },
  tooManyChannelsInRequest: refusal("too_many_channels_in_request", 400, "Too many channels in one request."),
  eventsChannelReadOnly: refusal(
    "events_channel_read_only",
    403,
    "Only internal routines can change events channel.",
  ),
  eventsChannelNotAllowed: refusal(
    "events_channel_not_allowed",
    403,
    "Subscription to events channel is not allowed.",
  ),
  /** A browser asks for a page of another origin (front/origin-check.ts). */
  foreignOrigin: refusal("foreign_origin", 403, "Pages of this origin are not allowed here."),
  /** A name that is not known as this server's (front/known-hosts.ts). */
  foreignHost: refusal("foreign_host", 403, "This server is not asked by that host name."),
  // Grants (src/access). 401 carries WWW-Authenticate with the words of RFC 6750 3.1.
  noToken: refusal("no_token", 401, "A token or key is needed here."),
  invalidToken: refusal("invalid_token", 401, "The token is not valid."),
  tokenExpired: refusal("token_expired", 401, "The token has expired."),
  tokenRevoked: refusal("token_revoked", 401, "What the token or key granted was taken back."),
  ambiguousToken: refusal("ambiguous_token", 400, "There is more than one token in one place."),
  invalidKey: refusal("invalid_key", 401, "The key is not valid."),
  notGranted: refusal("not_granted", 403, "The channel is not granted."),
  /** The issuer's keys were never there to be read. */
  noIssuerKeys: {
    ...refusal("no_issuer_keys", 503, "The keys of the issuer cannot be read."),
    retryAfterSec: 2,
  },
  /** More tokens or questions at once than a worker takes. */
  accessBusy: refusal("access_busy", 503, "Too many are asking to be let in."),
  /** What the backend that is asked (auth_request) said. */
  backendUnauthorized: refusal("backend_unauthorized", 401, "The backend does not know who asks."),
  backendForbidden: refusal("backend_forbidden", 403, "The backend does not let in who asks."),
  backendFailed: {
    ...refusal("backend_failed", 502, "The backend that decides gives no answer."),
    retryAfterSec: 1,
  },
  /** `rate` of a location; the status is the location's to choose. */
  tooManyRequests: { ...refusal("too_many_requests", 429, "Too many requests."), retryAfterSec: 1 },
  noRoomForRevocation: refusal("no_room_for_revocation", 503, "No room for another revocation."),
  tooManyWildcards: refusal("too_many_wildcards", 403, "Subscribed too much wildcard channels."),
  emptyMessage: refusal("empty_message", 400, "Empty post requests are not allowed."),
  eventNameTooLarge: refusal("event_name_too_large", 400, "Event id or event type is too large."),
  channelDeleted: refusal("channel_deleted", 200, "Channel deleted."),
  couldNotCreate: refusal("could_not_create", 403, "Subscriber could not create channels."),
  tooManySubscribers: {
    ...refusal("too_many_subscribers", 403, "Subscribers limit per channel has been exceeded."),
    retryAfterSec: 10,
  },
  /** Of one address, at a time (front/address-limits.ts); a location may have another status for it. */
  crowdedAddress: {
    ...refusal("crowded_address", 503, "Too many connections of this address."),
    retryAfterSec: 1,
  },
  missingUpgrade: refusal(
    "missing_upgrade",
    400,
    "Don't have at least one of the mandatory headers: Connection, Upgrade, Sec-WebSocket-Key and Sec-WebSocket-Version",
  ),
  /** A trusted proxy names no client, or nobody we can read (config/client-address.ts). */
  unknownClient: refusal("unknown_client", 400, "The proxy did not say who its client is."),
  noRoom: refusal("no_room", 500, null),
  /** Where the dialect has 500: all channel records are in use, or all that names may take of the store. */
  noRoomForChannel: refusal("no_room_for_channel", 503, "No room for another channel."),
  tooManyChannelsCreated: {
    ...refusal("too_many_channels_created", 403, "Too many channels were created from this address."),
    retryAfterSec: 60,
  },
  tooManyConnections: refusal("too_many_connections", 503, "Too many connections on this worker."),
  /** The store's lock could not be had in time (store/lock.ts). */
  busy: refusal("busy", 503, "The store is busy."),
  /** Of a cluster: nothing was stored. */
  engineAway: refusal("engine_away", 503, "The cluster's engine cannot be reached."),
  engineFull: refusal("engine_full", 503, "The cluster's engine takes no more."),
  engineRefused: refusal("engine_refused", 503, "The cluster's engine refused it."),
  /** It may have been stored, or may be yet: `X-Sluice-Outcome: unknown` says so, too. */
  outcomeUnknown: refusal("outcome_unknown", 503, "It is not known whether it was stored."),
  draining: refusal("draining", 503, "Server is shutting down."),
  internal: refusal("internal", 500, null),
} as const;

/** Of what a WebSocket client says: told in `refused` frames of our subprotocols and in close frames, never as an answer. */
export const FrameRefusals = {
  faultyFrame: refusal("faulty_frame", 400, null),
  noPublishing: refusal("no_publishing", 403, "Nothing can be published here."),
  noTokens: refusal("no_tokens", 403, "No token is asked for here."),
  foreignChannel: refusal("foreign_channel", 403, "This connection may not publish to that channel."),
} as const;

/** WebSocket close codes sluice sends (RFC 6455 7.4.1). */
export const CloseCode = {
  GOING_AWAY: 1001,
  PROTOCOL: 1002,
  /** Never on the wire: the close frame had no code (RFC 6455 7.1.5). */
  NO_STATUS: 1005,
  NO_TEXT: 1007,
  POLICY: 1008,
  TOO_BIG: 1009,
  INTERNAL: 1011,
  /** What was granted has ended: come back with a new token (src/access). */
  GRANT_ENDED: 4001,
  /** It was taken back: a token from before does not help. */
  GRANT_REVOKED: 4003,
  /** Of the IANA registry: come back, another takes over. */
  SERVICE_RESTART: 1012,
  TRY_AGAIN: 1013,
} as const;
