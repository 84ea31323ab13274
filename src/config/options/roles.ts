/**
 * Rows of the option table about what a `[[location]]` is: its match and the one role that answers there.
 * Part of ../options.ts.
 */
import { pathIssues } from "../checks/checks.ts";
import type { Option } from "../kinds.ts";
import { LONGEST_TIMER } from "./longest.ts";

export const ROLE_OPTIONS = {
  "location[].match": {
    kind: "string",
    required: true,
    default: null,
    doc:
      'Which paths, as in nginx: "= /exact", "/prefix", "^~ /prefix", "~ regex" or "~* regex" (without ' +
      'case), or "@name", where only try_files and error_page lead. Locations may stand inside a ' +
      "location, as [[location.location]]; they inherit nothing.",
    example: "= /pub",
  },
  "location[].internal": {
    kind: "flag",
    default: false,
    doc:
      "Keeps clients out (404): only what was rewritten, or sent on by try_files or error_page, " +
      "comes here.",
    example: true,
  },
  "location[].publisher": {
    kind: "enum",
    values: ["normal", "admin"],
    default: null,
    unset: "not a publisher",
    doc: "Makes it a publisher: normal serves GET, POST and PUT, admin DELETE as well.",
    example: "admin",
  },
  "location[].batch": {
    kind: "flag",
    default: true,
    doc:
      "For publishers: whether a request that names no channel may bring many messages, each with " +
      "channels of its own (application/x-ndjson, application/x-msgpack). Never where `module_fields` is on.",
    example: false,
  },
  "location[].subscriber": {
    kind: "enum",
    values: ["streaming", "polling", "long-polling", "eventsource", "websocket"],
    default: null,
    unset: "not a subscriber",
    doc: "Makes it a subscriber of this mode: streaming, polling, long-polling, eventsource or websocket.",
    example: "eventsource",
  },
  "location[].statistics": {
    kind: "flag",
    default: false,
    doc: "Makes it a statistics endpoint.",
    example: true,
  },
  "location[].stub_status": {
    kind: "flag",
    default: false,
    doc: "Makes it a page with counts of connections and requests, as nginx's stub_status.",
    example: true,
  },
  "location[].console": {
    kind: "flag",
    default: false,
    doc:
      "Makes it the console for operators: what runs, plots, channels, warnings, a box to publish. The " +
      "match has to end with a slash. Whoever may ask here sees every message and may publish anywhere: " +
      "an address that others reach needs access rules, a password or grants.",
    example: true,
  },
  "location[].page": {
    kind: "flag",
    default: false,
    doc: "Makes it the built-in page for trying things out.",
    example: true,
  },
  "location[].pushstream_client": {
    kind: "flag",
    default: false,
    doc: "Makes it the browser client, PushStream, as one script.",
    example: true,
  },
  "location[].sluice_client": {
    kind: "flag",
    default: false,
    doc:
      "Makes it the client for browsers: sluice.js and sluice.shared.js, their source maps and types, " +
      "whatever path they are asked for by.",
    example: true,
  },
  "location[].examples": {
    kind: "flag",
    default: false,
    doc: "Makes it the example pages; the paths they use are those of the embedded default.",
    example: true,
  },
  "location[].handler": {
    kind: "string",
    default: null,
    unset: "no handler",
    doc: "Makes it a handler: a TypeScript file that answers, in the folder of this file or below it.",
    example: "handlers/hello.ts",
    check: pathIssues,
  },
  "location[].handler_timeout": {
    kind: "milliseconds",
    default: "30s",
    doc:
      "How long a handler's answer may take to begin, and a guard or hook to speak; then it is " +
      "answered 500.",
    example: "5s",
    min: "10ms",
    max: LONGEST_TIMER,
  },
  "location[].body": {
    kind: "enum",
    values: ["whole", "stream"],
    default: "whole",
    doc:
      "How a handler gets the body of a request: whole, before it is called, or stream, as it comes, " +
      "with `max_body_size` held to on the way.",
    example: "stream",
  },
  "location[].answer_linger": {
    kind: "milliseconds",
    default: "30s",
    doc: "How long an answer of `context.answer` is still made when nobody watches it.",
    example: "5m",
    max: LONGEST_TIMER,
  },
  "location[].answer_max_size": {
    kind: "size",
    default: "1MiB",
    doc:
      "Bytes of one answer of `context.answer`; a larger one ends with an error. All of it is kept in " +
      "the store.",
    example: "4MiB",
    min: 1,
    max: "256MiB",
  },
  "location[].authorize": {
    kind: "string",
    default: null,
    unset: "open to all",
    doc:
      "TypeScript file whose `authorize` lets requests in, refuses them, or gives them other channels. " +
      "For publishers, subscribers, files and handlers.",
    example: "handlers/members.ts",
    check: pathIssues,
  },
  "location[].revoke": {
    kind: "flag",
    default: false,
    doc:
      "Makes it a location that takes back what was granted: POST with `sub` or `jti`, and `ttl`. Needs " +
      "somebody to guard it.",
    example: true,
  },
  "location[].hooks": {
    kind: "string",
    default: null,
    unset: "no hooks",
    doc:
      "TypeScript file with `onSubscribe`, `onUnsubscribe` and `onPublish`. For publishers and " +
      "subscribers.",
    example: "handlers/presence.ts",
    check: pathIssues,
  },
  "location[].fallback": {
    kind: "string",
    default: null,
    unset: "404",
    doc: "File below the folder that stands for paths without one, as an application of one page wants it.",
    example: "/index.html",
    check: pathIssues,
  },
  "location[].empty": {
    kind: "flag",
    default: false,
    doc: "Makes it a location that is only its steps; what they do not answer is 404.",
    example: true,
  },
} as const satisfies Readonly<Record<string, Option>>;
