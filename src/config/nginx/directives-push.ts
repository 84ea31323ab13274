/**
 * The push stream module's directives that have one value (push-stream spec 1.3, 1.4): where they may stand,
 * what kind of value it is, and the path in our own configuration. The roles and the shared memory are in
 * directives-core.ts. translate-values.ts reads the values, translate-location.ts and translate-main.ts put
 * them in place.
 */
export type PushKind =
  | "flag"
  | "number"
  | "seconds"
  | "milliseconds"
  | "string"
  | "complex"
  | "file"
  | "padding";

export interface PushDirective {
  /** As in directives-core.ts. */
  readonly contexts: "h" | "hsl" | "hsli";
  readonly kind: PushKind;
  /** Key of the location, or the whole path for what stands at http level only. */
  readonly path: string;
  /** Zero is refused with "… cannot be zero." */
  readonly notZero?: true;
}

export const PUSH_DIRECTIVES: readonly (readonly [name: string, directive: PushDirective])[] = [
  // http level
  main("channel_deleted_message_text", "string", "channel_deleted_message_text"),
  main("ping_message_text", "string", "ping_message_text"),
  main("channel_inactivity_time", "seconds", "store.channel_inactivity_time"),
  main("timeout_with_body", "flag", "timeout_with_body"),
  main("message_ttl", "seconds", "store.message_ttl", true),
  main("max_subscribers_per_channel", "number", "limits.max_subscribers_per_channel", true),
  main("max_messages_stored_per_channel", "number", "store.max_messages_stored_per_channel", true),
  main("max_channel_id_length", "number", "limits.max_channel_id_length", true),
  main("max_number_of_channels", "number", "limits.max_number_of_channels", true),
  main("max_number_of_wildcard_channels", "number", "limits.max_number_of_wildcard_channels", true),
  main("wildcard_channel_prefix", "string", "wildcard_channel_prefix"),
  main("events_channel_id", "string", "events_channel_id"),
  // endpoint tuning
  tuning("channels_path", "hsli", "complex"),
  tuning("store_messages", "hsli", "flag"),
  tuning("channel_info_on_publish", "hsl", "flag"),
  tuning("authorized_channels_only", "hsl", "flag"),
  tuning("header_template", "hsl", "string"),
  tuning("header_template_file", "hsl", "file", "header_template"),
  tuning("message_template", "hsl", "string"),
  tuning("footer_template", "hsl", "string"),
  tuning("wildcard_channel_max_qtd", "hsl", "number"),
  tuning("ping_message_interval", "hsl", "milliseconds"),
  tuning("subscriber_connection_ttl", "hsl", "milliseconds"),
  tuning("longpolling_connection_ttl", "hsl", "milliseconds"),
  tuning("websocket_allow_publish", "hsl", "flag"),
  tuning("allow_connections_to_events_channel", "hsli", "flag"),
  tuning("last_received_message_time", "hsli", "complex"),
  tuning("last_received_message_tag", "hsli", "complex"),
  tuning("last_event_id", "hsli", "complex"),
  tuning("user_agent", "hsl", "complex"),
  tuning("padding_by_user_agent", "hsl", "padding"),
  tuning("allowed_origins", "hsl", "complex"),
];

function main(name: string, kind: PushKind, path: string, notZero = false) {
  const directive: PushDirective = { contexts: "h", kind, path, ...(notZero ? { notZero } : {}) };
  return [`push_stream_${name}`, directive] as const;
}

/** Zero values of these are faults only where a role inherits them (push-stream spec 1.6), so not here. */
function tuning(name: string, contexts: "hsl" | "hsli", kind: PushKind, path = name) {
  return [`push_stream_${name}`, { contexts, kind, path } satisfies PushDirective] as const;
}

/** Former names (push-stream spec 1.8), and what to write now. */
export const FORMER_NAMES: ReadonlyMap<string, string> = new Map([
  ["push_stream_broadcast_channel_prefix", "it is push_stream_wildcard_channel_prefix now"],
  ["push_stream_broadcast_channel_max_qtd", "it is push_stream_wildcard_channel_max_qtd now"],
  ["push_stream_max_number_of_broadcast_channels", "it is push_stream_max_number_of_wildcard_channels now"],
  ["push_stream_websocket", 'write "push_stream_subscriber websocket" now'],
  ["push_stream_eventsource_support", 'write "push_stream_subscriber eventsource" now'],
  ["push_stream_content_type", "write default_type now"],
  ["push_stream_keepalive", "it was removed from the module; leave it out"],
  ["push_stream_shared_memory_cleanup_objects_ttl", "it was removed from the module; leave it out"],
  ["push_stream_max_reserved_memory", "it is push_stream_shared_memory_size now"],
  ["push_stream_min_message_buffer_timeout", "it is push_stream_message_ttl now"],
  ["push_stream_max_message_buffer_length", "it is push_stream_max_messages_stored_per_channel now"],
  ["push_stream_subscriber_connection_timeout", "it is push_stream_subscriber_connection_ttl now"],
]);
