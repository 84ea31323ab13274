/**
 * Rows of the option table about a connection: how long it may be silent, what the kernel is asked for it.
 * Part of ../options.ts.
 */
import type { Option } from "../kinds.ts";
import { LONGEST_TIMER } from "./longest.ts";

export const CONNECTION_OPTIONS = {
  keepalive_timeout: {
    kind: "milliseconds",
    default: "75s",
    doc:
      "Time without a byte after which an idle connection is closed; held ones are exempt. 0 ends each " +
      "connection with its first answer. The native listener does not wait for more than 255s.",
    example: "75s",
    max: LONGEST_TIMER,
  },
  keepalive_header: {
    kind: "seconds",
    default: null,
    unset: "nothing",
    doc:
      "What answers tell clients of keepalive_timeout, in the field `Keep-Alive: timeout=…`: a little " +
      "less than it keeps them from asking on a connection that is just being closed. Not on the native " +
      "listener.",
    example: "60s",
    min: "1s",
    max: LONGEST_TIMER,
  },
  keepalive_requests: {
    kind: "integer",
    default: null,
    unset: "unlimited",
    doc:
      "Requests after which a connection is closed, with the answer to the last of them. Native " +
      "listener: 1 only.",
    example: 1000,
    min: 1,
    max: 4_294_967_295,
  },
  client_header_timeout: {
    kind: "milliseconds",
    default: "60s",
    doc:
      "Time for the head of a request, from its first byte or from the beginning of the connection; " +
      "then it is answered 408. The native listener has keepalive_timeout for it, from the last byte.",
    example: "10s",
    min: "1s",
    max: LONGEST_TIMER,
  },
  client_body_timeout: {
    kind: "milliseconds",
    default: "60s",
    doc:
      "Time without a byte of a body that is not whole; then its connection is closed. The native " +
      "listener has keepalive_timeout for it.",
    example: "10s",
    min: "1s",
    max: LONGEST_TIMER,
  },
  send_timeout: {
    kind: "milliseconds",
    default: "60s",
    doc: "Time in which a client takes nothing of what it is sent; then its connection is closed.",
    example: "30s",
    min: "1s",
    max: LONGEST_TIMER,
  },
  reset_timedout_connection: {
    kind: "flag",
    default: false,
    doc:
      "Connections whose time is over are reset instead of closed: the kernel forgets at once what it " +
      "still has for them. Not on the native listener.",
    example: true,
  },
  keepalive: {
    kind: "keepalive",
    default: null,
    unset: "as the runtime makes its sockets: off",
    doc:
      "TCP keepalive of client connections, so that peers that vanished are noticed: true, false, or " +
      '"idle:interval:count", any of which may be left out.',
    example: "60s:10s:6",
  },
  tcp_user_timeout: {
    kind: "milliseconds",
    default: null,
    unset:
      "with keepalive its idle + interval x count, so that it notices a vanished peer also while " +
      "something is on its way; else the system's own",
    doc:
      "Time after which a connection is dropped whose peer does not acknowledge what was sent, or takes " +
      "nothing of it. 0 is the system's own.",
    example: "30s",
    max: LONGEST_TIMER,
  },
  send_buffer: {
    kind: "size",
    default: null,
    unset: "the system's own, which grows to net.ipv4.tcp_wmem (4 MiB)",
    doc:
      "The kernel's buffer for what a connection is sent and has not taken (SO_SNDBUF; Linux takes " +
      "twice as much, and no more than net.core.wmem_max). With it a stalled client costs that and " +
      "limits.max_unsent_size; too small a one makes distant clients slow.",
    example: "256KiB",
    min: "4KiB",
    max: "1GiB",
  },
  deferred: {
    kind: "flag",
    default: false,
    doc: "Accepts connections only when their first bytes are there (TCP_DEFER_ACCEPT).",
    example: true,
  },
  backlog: {
    kind: "integer",
    default: null,
    unset: "the runtime's own, 512",
    doc: "Connections that may wait to be accepted; the kernel allows no more than net.core.somaxconn.",
    example: 4096,
    min: 1,
    max: 1_048_576,
  },
  fastopen: {
    kind: "integer",
    default: null,
    unset: "off",
    doc: "Queue of TCP Fast Open, where the kernel has it switched on for servers.",
    example: 256,
    min: 1,
    max: 1_048_576,
  },
} as const satisfies Readonly<Record<string, Option>>;
