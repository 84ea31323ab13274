/**
 * The one table of refusals: stable code → HTTP status → explain text → when. Publishers and subscribers
 * answer from it, the WebSocket side puts status and text into a close frame (push-stream spec 4.13.6),
 * docs/errors.md is made of it (`bun run tables`) and a test provokes each of them on the binary.
 *
 * Texts are those of the push-stream spec 0.7, byte for byte; clients match on them. Codes are never reused.
 */
import { passing, refusal } from "./refusal.ts";

export const Refusals = {
  noChannel: refusal("no_channel", 400, "No channel id provided.", "channels_path is empty for this request"),
  forbiddenChannel: refusal(
    "forbidden_channel",
    403,
    "Channel id not authorized for this method.",
    "a name is `ALL` or has a `*`",
  ),
  channelIdTooLarge: refusal(
    "channel_id_too_large",
    400,
    "Channel id is too large.",
    "a name is longer than max_channel_id_length",
  ),
  tooManyChannels: passing(
    "too_many_channels",
    403,
    10,
    "Number of channels were exceeded.",
    "it would make a channel beyond max_number_of_channels or max_number_of_wildcard_channels",
  ),
  tooManyChannelsInRequest: refusal(
    "too_many_channels_in_request",
    400,
    "Too many channels in one request.",
    "more names than max_channels_per_request",
  ),
  otherPositions: refusal(
    "other_positions",
    400,
    "There is not one position for each channel.",
    "`sluice_positions`, or `positions` of a `subscribe` frame, has more or fewer than there are channels",
  ),
  eventsChannelReadOnly: refusal(
    "events_channel_read_only",
    403,
    "Only internal routines can change events channel.",
    "a publisher names the events channel",
  ),
  eventsChannelNotAllowed: refusal(
    "events_channel_not_allowed",
    403,
    "Subscription to events channel is not allowed.",
    "a subscriber names the events channel where allow_connections_to_events_channel is off",
  ),
  /** A browser asks for a page of another origin (front/origin-check.ts). */
  foreignOrigin: refusal(
    "foreign_origin",
    403,
    "Pages of this origin are not allowed here.",
    "Origin is not this server's and not in allowed_origins",
  ),
  /** A name that is not known as this server's (front/known-hosts.ts). */
  foreignHost: refusal(
    "foreign_host",
    403,
    "This server is not asked by that host name.",
    "Host is not a name of the address listened on",
  ),
  // Grants (src/access). 401 carries WWW-Authenticate with the words of RFC 6750 3.1.
  noToken: refusal("no_token", 401, "A token or key is needed here.", "the request has none"),
  invalidToken: refusal(
    "invalid_token",
    401,
    "The token is not valid.",
    "its signature, issuer, audience, form or time is wrong",
  ),
  tokenExpired: refusal("token_expired", 401, "The token has expired.", "exp is past"),
  tokenRevoked: refusal(
    "token_revoked",
    401,
    "What the token or key granted was taken back.",
    "its sub or jti was revoked",
  ),
  ambiguousToken: refusal(
    "ambiguous_token",
    400,
    "There is more than one token in one place.",
    "a field, cookie or argument that holds the token stands twice",
  ),
  invalidKey: refusal("invalid_key", 401, "The key is not valid.", "no publisher key has that secret"),
  notGranted: refusal("not_granted", 403, "The channel is not granted.", "the grant names other channels"),
  /** The issuer's keys were never there to be read. */
  noIssuerKeys: passing(
    "no_issuer_keys",
    503,
    2,
    "The keys of the issuer cannot be read.",
    "the key set of the issuer was never there to be read",
  ),
  /** More tokens or questions at once than a worker takes. */
  accessBusy: refusal(
    "access_busy",
    503,
    "Too many are asking to be let in.",
    "more tokens or questions at once than a worker takes",
  ),
  /** What the backend that is asked (auth_request) said. */
  backendUnauthorized: refusal(
    "backend_unauthorized",
    401,
    "The backend does not know who asks.",
    "auth_request answered 401",
  ),
  backendForbidden: refusal(
    "backend_forbidden",
    403,
    "The backend does not let in who asks.",
    "auth_request answered 403",
  ),
  backendFailed: passing(
    "backend_failed",
    502,
    1,
    "The backend that decides gives no answer.",
    "auth_request answered anything else, or not in time",
  ),
  /** `rate` of a location; the status is the location's to choose. */
  tooManyRequests: passing(
    "too_many_requests",
    429,
    1,
    "Too many requests.",
    "more than rate allows (the status is the location's to choose)",
  ),
  noRoomForRevocation: refusal(
    "no_room_for_revocation",
    503,
    "No room for another revocation.",
    "the table of revocations is full",
  ),
  tooManyWildcards: refusal(
    "too_many_wildcards",
    403,
    "Subscribed too much wildcard channels.",
    "more wildcard channels than wildcard_channel_max_qtd, or none but those",
  ),
  emptyMessage: refusal(
    "empty_message",
    400,
    "Empty post requests are not allowed.",
    "a publish has no body",
  ),
  eventNameTooLarge: refusal(
    "event_name_too_large",
    400,
    "Event id or event type is too large.",
    "Event-Id or Event-Type is longer than a message's first block has room for",
  ),
  keyReused: refusal(
    "key_reused",
    409,
    "The idempotency key came with another message before.",
    "the same Idempotency-Key or key in the same channel, with another body, event id or event type",
  ),
  faultyKey: refusal(
    "faulty_key",
    400,
    "An idempotency key has 1 to 256 bytes.",
    "Idempotency-Key or key is empty or longer",
  ),
  /** How many of how many: publish/batch.ts says. */
  faultyBatch: refusal(
    "faulty_batch",
    400,
    "Some lines of the batch are faulty, and nothing was published.",
    "a line is no message; the body names each by its number",
  ),
  tooManyMessages: refusal(
    "too_many_messages",
    400,
    "Too many messages in one request.",
    "a batch has more than max_messages_per_request; a line for three channels counts as three",
  ),
  channelDeleted: refusal(
    "channel_deleted",
    200,
    "Channel deleted.",
    "to the DELETE that did it; no refusal, but told in the same field",
  ),
  couldNotCreate: refusal(
    "could_not_create",
    403,
    "Subscriber could not create channels.",
    "authorized_channels_only, and a channel has nothing stored",
  ),
  tooManySubscribers: passing(
    "too_many_subscribers",
    403,
    10,
    "Subscribers limit per channel has been exceeded.",
    "max_subscribers_per_channel stand there",
  ),
  /** Of one address, at a time (front/address-limits.ts); a location may have another status for it. */
  crowdedAddress: passing(
    "crowded_address",
    503,
    1,
    "Too many connections of this address.",
    "max_connections_per_address stand already",
  ),
  missingUpgrade: refusal(
    "missing_upgrade",
    400,
    "Don't have at least one of the mandatory headers: Connection, Upgrade, Sec-WebSocket-Key and " +
      "Sec-WebSocket-Version",
    "a WebSocket location is asked by something that is no handshake",
  ),
  /** A trusted proxy names no client, or nobody we can read (config/server/client-address.ts). */
  unknownClient: refusal(
    "unknown_client",
    400,
    "The proxy did not say who its client is.",
    "a trusted proxy's request lacks real_ip_header",
  ),
  noRoom: refusal("no_room", 500, null, "one message is larger than the whole store"),
  /** Where the dialect has 500: all channel records are in use, or all that names may take of the store. */
  noRoomForChannel: refusal(
    "no_room_for_channel",
    503,
    "No room for another channel.",
    "store.channels records are in use, or names take a quarter of the store",
  ),
  tooManyChannelsCreated: passing(
    "too_many_channels_created",
    403,
    60,
    "Too many channels were created from this address.",
    "max_channels_created_per_address within a minute",
  ),
  tooManyConnections: refusal(
    "too_many_connections",
    503,
    "Too many connections on this worker.",
    "max_connections stand on the worker",
  ),
  /** The store's lock could not be had in time (store/lock/lock.ts). */
  busy: refusal(
    "busy",
    503,
    "The store is busy.",
    "a worker stands still in the middle of a change, for two seconds",
  ),
  /** Of a cluster: nothing was stored. */
  /** Of one worker (handlers/answers.ts, handlers/tasks.ts). */
  handlersBusy: refusal(
    "handlers_busy",
    503,
    "Handlers of this worker have too much to do.",
    "a worker makes 1,000 answers, or 10,000 pieces of work were put off in it",
  ),
  engineAway: refusal("engine_away", 503, "The cluster's engine cannot be reached.", "nothing was stored"),
  engineFull: refusal(
    "engine_full",
    503,
    "The cluster's engine takes no more.",
    "nothing was stored: the engine is out of memory",
  ),
  engineRefused: refusal("engine_refused", 503, "The cluster's engine refused it.", "nothing was stored"),
  /** It may have been stored, or may be yet: `X-Sluice-Outcome: unknown` says so, too. */
  outcomeUnknown: refusal(
    "outcome_unknown",
    503,
    "It is not known whether it was stored.",
    "the engine did not answer in time; `X-Sluice-Outcome: unknown` says it, too",
  ),
  /** `[cluster] ack = "replica"`. Marked like the one above: a failover may lose it. */
  notReplicated: refusal(
    "not_replicated",
    503,
    "It is stored, but no replica of the engine had it in time.",
    '`ack = "replica"`: subscribers may have it, and a failover of the engine may lose it; ' +
      "`X-Sluice-Outcome: unknown` says it, too",
  ),
  /** Of a cluster, to a subscriber with time and tag of another node's (subscribe/ahead.ts). */
  nodeBehind: refusal(
    "node_behind",
    503,
    "This node has not read so far yet.",
    "time and tag are of a message that the node that was asked does not have within a second",
  ),
  draining: refusal("draining", 503, "Server is shutting down.", "the worker is about to end"),
  internal: refusal("internal", 500, null, "a fault of ours, which the log has"),
} as const;
