/**
 * Rows of the option table about the push stream dialect (push-stream spec 1.3, 1.4): its texts, its
 * channels, its templates. Part of ../options.ts.
 */

import type { Option } from "../kinds.ts";
import { paddingIssues } from "../location/padding.ts";
import { LONGEST_TIMER } from "./longest.ts";

export const DIALECT_OPTIONS = {
  channel_deleted_message_text: {
    kind: "string",
    default: "Channel deleted",
    doc:
      "Text of the message (id -2) subscribers get when their channel is deleted, unless the DELETE has " +
      "a body.",
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
    doc:
      "Channel on which comings and goings are published: channel_created, client_subscribed, " +
      "client_unsubscribed, channel_destroyed.",
    example: "events",
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
    doc:
      "Form of each message, with `~id~ ~channel~ ~text~ ~size~ ~time~ ~tag~ ~event-id~ ~event-type~`. " +
      "Nothing is escaped.",
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
  "location[].websocket_compression": {
    kind: "flag",
    default: false,
    doc:
      "Whether WebSocket clients that offer permessage-deflate get compressed messages: one frame for " +
      "all who take it. Its addresses get the wire listener.",
    example: true,
  },
  "location[].websocket_allow_subscribe": {
    kind: "flag",
    default: false,
    doc:
      "Whether a WebSocket client of our subprotocols may add channels while it is open, and drop them. " +
      "It may name every channel, whatever match and channels_path say, or those that it is granted.",
    example: true,
  },
  "location[].websocket_publish_channel": {
    kind: "complex",
    default: null,
    unset: "all channels of the connection",
    doc:
      "The channel that messages of a WebSocket client go to, one of its connection's. Names it none, " +
      "the client only listens.",
    example: "$arg_to",
  },
  "location[].last_received_message_time": {
    kind: "complex",
    default: null,
    unset: "the If-Modified-Since header",
    doc:
      "Where a returning subscriber's time comes from. Replaces the header; " +
      `"\${http_if_modified_since|arg_time}" takes either.`,
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
    unset:
      "the Last-Event-Id header; without it, where event_ids is auto, the argument lastEventId, " +
      "last-event-id or eventid",
    doc: "Where a returning subscriber's last event id comes from.",
    example: "$arg_eventid",
  },
  "location[].gaps": {
    kind: "enum",
    values: ["told", "ignored"],
    default: "told",
    doc:
      "What a subscriber hears whose position has lost something, where neither events nor frames have " +
      "words for it. told: streams and polls say it in the response header Sluice-Gap, a WebSocket " +
      "without a subprotocol is closed with 1013; ignored: nothing but polls' header, as in the push " +
      "stream module.",
    example: "ignored",
  },
  "location[].event_ids": {
    kind: "enum",
    values: ["off", "auto"],
    default: "off",
    doc:
      "auto sends our own position as the id of each event, so that a browser's reconnect resumes " +
      "without loss; off sends only the ids publishers gave.",
    example: "auto",
  },
  "location[].turn_away": {
    kind: "enum",
    values: ["status", "retry"],
    default: null,
    unset: "retry where event_ids is auto, else status",
    doc:
      "What an event source gets that is refused for now (full, shutting down, a limit): status is 503 " +
      "or 403, upon which browsers never come again; retry is 200, with a comment why, a `retry` field " +
      "that says when to come again, and the end.",
    example: "retry",
  },
  "location[].module_fields": {
    kind: "flag",
    default: false,
    doc:
      "Header fields as the push stream module for nginx sends them, to the byte: `Etag: W/3`, which " +
      "has no quotes and so is no entity tag, and CORS without the fields that it does not know. A " +
      "WebSocket that the server ends is closed without a code.",
    example: true,
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
    doc:
      "Least sizes of header and messages for clients that show nothing before they have enough, each " +
      "`regex,header,message`, with `:` between.",
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
} as const satisfies Readonly<Record<string, Option>>;
