/**
 * Rows of the option table about who is there: members of channels, and the list of them. Part of
 * ../options.ts; the manual is docs/presence.md.
 */
import type { Option } from "../kinds.ts";

export const PRESENCE_OPTIONS = {
  "store.presence_members": {
    kind: "integer",
    default: 4096,
    doc:
      "Members of all channels that have room at a time, where a location has presence; their table is " +
      "memory beside the size. Who finds no room is counted and has no name in the list. Changed by a " +
      "restart.",
    example: 100_000,
    min: 1,
    max: 1_000_000,
  },
  "location[].presence": {
    kind: "enum",
    values: ["off", "members", "count"],
    default: "off",
    doc:
      "Whether subscribers here are members of their channels. members tells who comes and goes, to " +
      "those whose protocol has words for it; count tells how many there are, and no names.",
    example: "members",
  },
  "location[].presence_linger": {
    kind: "milliseconds",
    default: "10s",
    doc:
      "How long somebody may be away and still be there: a reconnect or the next poll within it is no " +
      "leave and no join. 0 is none; anything else is rounded up to seconds.",
    example: "5s",
    max: "10m",
  },
  "location[].presence_max_members": {
    kind: "integer",
    default: 1000,
    doc:
      "Members of a channel above which it tells no names any more, but how many there are, once a " +
      "second at most. The list can be read all the same.",
    example: 200,
    min: 1,
    max: 1_000_000,
  },
  "location[].presence_max_events": {
    kind: "integer",
    default: 100,
    doc:
      "Joins and leaves of a channel in one second above which it does the same, until they are fewer. " +
      "0 is any number.",
    example: 50,
    min: 0,
    max: 1_000_000,
  },
  "location[].presence_info_max": {
    kind: "size",
    default: 256,
    doc: "Bytes of JSON that `info` of a grant may have in the list; of one that is longer nothing is told.",
    example: "1KiB",
    max: "8KiB",
  },
  "location[].presence_list": {
    kind: "flag",
    default: false,
    doc:
      "Makes it a location that tells who is there: GET answers JSON with the members of the channel, " +
      "and the number of the last event that is in it.",
    example: true,
  },
} as const satisfies Readonly<Record<string, Option>>;
