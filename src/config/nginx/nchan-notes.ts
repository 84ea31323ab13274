/**
 * What is otherwise than in Nchan, by directive: told by `sluice convert`, and the table of
 * docs/coming-from-nchan.md. Used by nchan.ts.
 */
const NOTES: Readonly<Record<string, string>> = {
  nchan_publisher:
    "a publish is answered 200 with the channel's state as JSON, not 201 or 202; PUT publishes as POST does",
  nchan_subscriber:
    "positions are ours: resume with the Last-Event-ID, Etag and Last-Modified of sluice, not with " +
    "Nchan's message ids",
  nchan_pubsub:
    "who listens and publishes on one address does so by method and handshake; positions are ours",
  nchan_channel_id: 'several ids are one path, joined by "/", so an id has no "/" in it',
  nchan_channel_id_split_delimiter: 'left out: the separator is "/"',
  nchan_channel_group: "stands before the id, with a dot; groups have no limits of their own",
  nchan_message_buffer_length: "for all channels: the largest of them",
  nchan_message_timeout: "for all channels: the longest of them",
  nchan_subscriber_first_message:
    "oldest, newest and a negative number are done; a positive one begins with the oldest",
  nchan_subscriber_timeout: "ends streams, too; a long poll is then answered 304",
  nchan_websocket_ping_interval: "pings event sources and streams of the location as well",
  nchan_authorize_request: "asked as auth_request asks, without Nchan's X-Channel-Id",
  nchan_subscribe_request: "left out: onSubscribe of a hooks file does that (docs/handlers.md)",
  nchan_unsubscribe_request: "left out: onUnsubscribe of a hooks file does that (docs/handlers.md)",
  nchan_publisher_upstream_request:
    "left out: onPublish of a hooks file may change or refuse a message (docs/handlers.md)",
  nchan_channel_events_channel_id: "events are those of the push stream module, in one channel for all",
  nchan_stub_status: "statistics as JSON, of the server and of channels",
  nchan_channel_timeout: "the time until an unused channel goes",
};

/** What works as it does there. */
const SAME: ReadonlySet<string> = new Set([
  ...[
    "nchan_store_messages",
    "nchan_max_channel_id_length",
    "nchan_max_channel_subscribers",
    "nchan_publisher_channel_id",
  ],
  ...[
    "nchan_subscriber_channel_id",
    "nchan_pubsub_channel_id",
    "nchan_access_control_allow_origin",
    "nchan_max_reserved_memory",
  ],
  ...["nchan_shared_memory_size", "push_max_reserved_memory"],
]);

/** null: nothing is otherwise. */
export function nchanNote(name: string): string | null {
  const known = NOTES[name.replace(/^push_/, "nchan_")];
  if (known !== undefined) return known;
  if (SAME.has(name)) return null;
  return /redis/.test(name) ? "left out: [cluster] connects servers (docs/operations.md)" : "left out";
}
