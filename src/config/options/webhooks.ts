/**
 * Rows of the option table about `[[webhook]]`, who is told of what happens, and `[webhooks]`, what they
 * share; the manual is docs/webhooks.md. Part of ../options.ts.
 */
import { patternsIssues } from "../checks/access-checks.ts";
import { hookEventIssues, hookSecretIssues, hookUrlIssues } from "../checks/webhook-checks.ts";
import type { Option } from "../kinds.ts";

export const WEBHOOK_OPTIONS = {
  "webhooks.backlog": {
    kind: "size",
    default: "8MiB",
    doc:
      "Of the store, what events may take that a webhook has not been told of yet. Beyond it the oldest " +
      "go, and the webhook is told of a gap.",
    example: "64MiB",
    min: "64KiB",
    max: "1GiB",
  },
  "webhooks.vacated_after": {
    kind: "milliseconds",
    default: "5s",
    doc:
      "How long nobody must have been in a channel before it is told to be vacated: a page that is " +
      "loaded anew is no such thing.",
    example: "30s",
    max: "1h",
  },

  "webhook[].name": {
    kind: "string",
    required: true,
    default: null,
    doc:
      "What logs, metrics and `sluice webhook` call it. It is by its name that its place in the events " +
      "is kept: under another one it begins with what happens from then on.",
    example: "backend",
  },
  "webhook[].url": {
    kind: "string",
    required: true,
    default: null,
    doc: "Where events are sent to: POST, JSON. Only 2xx is a success; redirects are not followed.",
    example: "https://example.com/sluice-events",
    check: hookUrlIssues,
  },
  "webhook[].events": {
    kind: "strings",
    required: true,
    default: null,
    doc:
      "What it is told of: occupied and vacated (a channel has its first subscriber, and none any " +
      "more), joined and left (members, where a location has presence), published, deleted.",
    example: ["occupied", "vacated"],
    check: hookEventIssues,
  },
  "webhook[].channels": {
    kind: "strings",
    default: ["*"],
    doc: "Of which channels: exact names, `prefix*`, `*`.",
    example: ["chat-*"],
    check: patternsIssues,
  },
  "webhook[].secret": {
    kind: "string",
    required: true,
    default: null,
    doc:
      "What its requests are signed with, at least 16 bytes: `env:NAME`, a variable of the environment; " +
      "`file:/path`; or the secret itself, which everybody can read who reads this file.",
    example: "file:/etc/sluice/webhook-secret",
    check: hookSecretIssues,
  },
  "webhook[].batch": {
    kind: "milliseconds",
    default: "250ms",
    doc: "How long an event waits for others that are sent with it.",
    example: "1s",
    max: "1m",
  },
  "webhook[].batch_events": {
    kind: "integer",
    default: 100,
    doc: "Events of one request, at most.",
    example: 500,
    min: 1,
    max: 1000,
  },
  "webhook[].batch_size": {
    kind: "size",
    default: "256KiB",
    doc: "Bytes of one request, at most; an event that is larger is sent alone.",
    example: "1MiB",
    min: "1KiB",
    max: "16MiB",
  },
  "webhook[].timeout": {
    kind: "milliseconds",
    default: "10s",
    doc: "How long a request may take, its answer included.",
    example: "2s",
    min: "10ms",
    max: "1m",
  },
} as const satisfies Readonly<Record<string, Option>>;
