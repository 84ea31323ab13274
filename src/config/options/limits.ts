/**
 * Rows of the option table about `[limits]`: what one client, one request and one channel may cost. Part of
 * ../options.ts.
 */
import type { Option } from "../kinds.ts";
import { LONGEST_TIMER } from "./longest.ts";

export const LIMIT_OPTIONS = {
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
    doc:
      "Largest message of a WebSocket client; a larger one closes its connection (1009). 0 is what the " +
      "store can hold.",
    example: "1MiB",
    max: "1GiB",
  },
  "limits.max_unsent_size": {
    kind: "size",
    default: "256KiB",
    doc:
      "Bytes that wait in memory for one client that does not take them, beside the kernel's buffer and " +
      "the message that went over it. Subscribers read on from the store before that; what cannot (a " +
      "handler's WebSocket, answers to pings) ends the connection.",
    example: "1MiB",
    // A quarter for what is unsent when a socket is asked, half for one job of its channel.
    min: "256KiB",
    max: "1GiB",
  },
  "limits.max_silence": {
    kind: "milliseconds",
    default: "2m",
    doc:
      "Time a WebSocket subscriber may send no whole frame. After half of it he is pinged, and who does " +
      "not answer within the other half is cut off: peers that vanished, and messages that are begun " +
      "and not finished. 0 is for ever.",
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
  "limits.max_header_size": {
    kind: "size",
    default: "80KiB",
    doc: "Largest head of a request; a larger one is answered 431.",
    example: "32KiB",
    min: "1KiB",
    max: "1MiB",
  },
  "limits.max_header_line_size": {
    kind: "size",
    default: "66KiB",
    doc:
      "Longest line of a head: a longer request line is answered 414, a longer field 431. The native " +
      "listener bounds the head as a whole.",
    example: "8KiB",
    min: "1KiB",
    max: "1MiB",
  },
  "limits.max_number_of_channels": {
    kind: "integer",
    default: null,
    unset: "as many as the store has records for",
    doc:
      "Channels that may exist at a time; a publish or subscribe that would create one more is " +
      "answered 403.",
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
    doc:
      "Channels that publishers and subscribers of one address (IPv6: one /64) may create within a " +
      "minute, in each worker; one more is answered 403 with Retry-After. Behind a proxy that is not in " +
      "trusted_proxies all clients have its address; through a unix socket nobody is counted.",
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
  "limits.max_messages_per_request": {
    kind: "integer",
    default: 1000,
    doc: "Messages of one batch; a line for three channels counts as three. More is answered 400.",
    example: 5000,
    min: 1,
    max: 65_535,
  },
} as const satisfies Readonly<Record<string, Option>>;
