/**
 * Rows of the option table about `[[step]]` and `[[map]]`: conditions, variables and rewrites on the way to a
 * location. Part of ../options.ts.
 */
import type { Option } from "../kinds.ts";

export const STEP_OPTIONS = {
  "step[].if": {
    kind: "string",
    default: null,
    unset: "always",
    doc:
      "Condition, as between the parentheses of nginx's `if`: a variable, or one compared by =, !=, ~, " +
      "~*, !~ or !~*, or -f, -d, -e, -x or !-f … before the name of a file.",
    example: '$arg_qs = "on"',
  },
  "step[].set": {
    kind: "strings",
    default: [],
    doc: "Variables that are set, each `$name value`.",
    example: ["$id room_$arg_id"],
  },
  "step[].rewrite": {
    kind: "strings",
    default: [],
    doc:
      "Another path, each `regex replacement [flag]`: where the regex matches the path, that becomes " +
      "the replacement, and the location is looked for anew. Flags: last ends the steps, break stays in " +
      "this location, redirect (302) and permanent (301) answer.",
    example: ["^/old/(.*)$ /new/$1 last"],
  },
  "step[].return": {
    kind: "string",
    default: null,
    unset: "goes on",
    doc: "Answer: a status, a status and a text or URL, or a URL.",
    example: "403",
  },
  "step[].break": {
    kind: "flag",
    default: false,
    doc: "Ends the steps here.",
    example: true,
  },
  "map[].from": {
    kind: "complex",
    required: true,
    default: null,
    doc: "What the variable follows from.",
    example: "$http_user_agent",
  },
  "map[].to": {
    kind: "string",
    required: true,
    default: null,
    doc: "The variable.",
    example: "$is_mobile",
  },
  "map[].cases": {
    kind: "strings",
    default: [],
    doc:
      "Texts or regular expressions (`~` with case, `~*` without), each with its value behind it. Texts " +
      "come first, then the first regex that matches.",
    example: ["~*iphone|android 1"],
  },
  "map[].default": {
    kind: "string",
    default: "",
    doc: "Its value where no case fits.",
    example: "0",
  },
  "map[].hostnames": {
    kind: "flag",
    default: false,
    doc: "Texts may be names of hosts with a mask: `*.example.org`, `example.*`, `.example.org`.",
    example: true,
  },
} as const satisfies Readonly<Record<string, Option>>;
