/**
 * `/openapi.json`: what this server answers over HTTP, as OpenAPI 3.1, made of its own configuration and of
 * the table of refusals, so it names the paths that there are here and the refusals that can come. Built when
 * it is first asked for.
 *
 * Subscribers of streams and WebSockets are described as far as OpenAPI has words for them; what goes on
 * behind the first byte is docs/protocol.md.
 */
import type { Config, LocationConfig, Role } from "../config/model.ts";
import { Refusals } from "../http/errors.ts";

type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };
type Operation = { readonly [key: string]: Json };

/** The document for this configuration. */
export function openApi(config: Config, version: string): Json {
  const paths: Record<string, Json> = {};
  for (const location of config.locations) {
    const path = pathOf(location);
    const operations = path === null ? null : operationsOf(location);
    // The first location that a path fits answers it.
    if (path !== null && operations !== null) paths[path] ??= withParameters(path, operations);
  }
  if (config.builtInPaths) Object.assign(paths, BUILT_IN);
  return {
    openapi: "3.1.0",
    info: {
      title: "sluice",
      version,
      description: "Publish over HTTP, receive by WebSocket, Server-Sent Events, stream, long poll or poll.",
      license: { name: "MIT", identifier: "MIT" },
    },
    paths,
    components: { schemas: SCHEMAS, responses: refusals() },
  };
}

/**
 * `= /pub` and `/pub` as they are, `~ ^/ev/(.*)$` as `/ev/{channels}`; null: a pattern that is more than
 * that.
 */
function pathOf({ match }: LocationConfig): string | null {
  const exact = /^(?:= |\^~ )?(\/[\w./-]*)$/.exec(match)?.[1];
  if (exact !== undefined) return exact;
  const prefix = /^~\*? \^(\/[\w/-]*\/)\(\.[*+]\)\$$/.exec(match)?.[1];
  return prefix === undefined ? null : `${prefix}{channels}`;
}

function withParameters(path: string, operations: Operation): Operation {
  if (!path.includes("{channels}")) return operations;
  const description = "Names joined by `/`; `.b5` behind one asks for its last five stored messages.";
  const channels = { name: "channels", in: "path", required: true, schema: { type: "string" }, description };
  return { ...operations, parameters: [channels] };
}

const ref = (kind: "schemas" | "responses", name: string): Json => ({ $ref: `#/components/${kind}/${name}` });

const refused = (...statuses: readonly number[]): Record<string, Json> =>
  Object.fromEntries(statuses.map((status) => [String(status), ref("responses", `Refused${status}`)]));

const answered = (description: string, type: string, schema: Json): Json => ({
  description,
  content: { [type]: { schema } },
});

const text = (description: string, type = "text/plain"): Json =>
  answered(description, type, { type: "string" });

const CHANNEL = {
  name: "id",
  in: "query",
  schema: { type: "string" },
  description: "Names of channels, joined by `/`, where the location takes them from this argument.",
};

const PUBLISH: Operation = {
  summary: "Publish a message to channels",
  parameters: [
    CHANNEL,
    { name: "Event-Id", in: "header", schema: { type: "string" } },
    { name: "Event-Type", in: "header", schema: { type: "string" } },
    { name: "Idempotency-Key", in: "header", schema: { type: "string" } },
    { name: "traceparent", in: "header", schema: { type: "string" } },
  ],
  requestBody: {
    required: true,
    content: {
      "*/*": { schema: { type: "string", contentMediaType: "application/octet-stream" } },
      "application/x-ndjson": {
        schema: { type: "string", description: "Many messages, one a line (docs/publishing.md)." },
      },
    },
  },
  responses: {
    "200": answered("It is published", "application/json", ref("schemas", "Channel")),
    ...refused(400, 401, 403, 409, 413, 429, 500, 503),
  },
};

const STATISTICS: Operation = {
  summary: "What is known of channels, or of the whole server without a name",
  parameters: [CHANNEL],
  responses: {
    "200": answered("As JSON, YAML, XML or text, by Accept", "application/json", ref("schemas", "Channel")),
    ...refused(400, 403, 503),
  },
};

function operationsOf({ role }: LocationConfig): Operation | null {
  switch (role.kind) {
    case "publisher":
      return {
        get: STATISTICS,
        post: PUBLISH,
        put: PUBLISH,
        ...(role.admin
          ? {
              delete: {
                summary: "Delete channels, and tell their subscribers",
                parameters: [CHANNEL],
                responses: { "200": { description: "Deleted" }, ...refused(400, 401, 403, 503) },
              },
            }
          : {}),
      };
    case "subscriber":
      return { get: subscribe(role) };
    case "statistics":
      return { get: STATISTICS };
    case "presence":
      return {
        get: {
          summary: "Who is there",
          parameters: [CHANNEL],
          responses: {
            "200": answered(
              "Members, their number, and the position of the events that follow",
              "application/json",
              ref("schemas", "Presence"),
            ),
            ...refused(400, 401, 403, 503),
          },
        },
      };
    case "revoke":
      return {
        post: {
          summary: "Take back what was granted",
          requestBody: {
            required: true,
            content: { "application/json": { schema: ref("schemas", "Revocation") } },
          },
          responses: {
            "204": { description: "Taken back, on all workers and nodes" },
            ...refused(400, 401, 403, 503),
          },
        },
      };
    default:
      return null;
  }
}

const SUBSCRIBED: Readonly<Record<string, readonly [summary: string, type: string]>> = {
  streaming: ["An endless answer, a piece a message", "text/plain"],
  eventsource: ["Server-Sent Events; resumes by Last-Event-ID", "text/event-stream"],
  "long-polling": ["Waits for the next message; 304 when none came in time", "text/plain"],
  polling: ["What is new, or 304", "text/plain"],
  websocket: ["A WebSocket (RFC 6455); subprotocols sluice.json.v1 and sluice.msgpack.v1", "text/plain"],
};

function subscribe(role: Extract<Role, { kind: "subscriber" }>): Operation {
  const [summary, type] = SUBSCRIBED[role.mode] ?? ["", "text/plain"];
  const isSocket = role.mode === "websocket";
  const polls = role.mode.endsWith("polling") ? { "304": { description: "Nothing new" } } : {};
  return {
    summary,
    parameters: [
      {
        name: "eventid",
        in: "query",
        schema: { type: "string" },
        description: "The position to go on from, where the location takes it from here.",
      },
    ],
    responses: {
      ...(isSocket
        ? { "101": { description: "The connection is a WebSocket" } }
        : { "200": text(summary, type) }),
      ...polls,
      ...refused(400, 401, 403, 429, 503),
    },
  };
}

const BUILT_IN: Readonly<Record<string, Json>> = {
  "/health/live": { get: { summary: "Whether the worker runs", responses: { "200": text("It does") } } },
  "/health/ready": {
    get: {
      summary: "Whether a load balancer should send clients here",
      responses: { "200": text("It should"), "503": text("It should not") },
    },
  },
  "/metrics": { get: { summary: "Metrics for Prometheus", responses: { "200": text("Of all workers") } } },
  "/openapi.json": {
    get: {
      summary: "This document",
      responses: { "200": answered("OpenAPI 3.1", "application/json", { type: "object" }) },
    },
  },
};

const count = { type: "integer", minimum: 0 };

const SCHEMAS: Json = {
  Channel: {
    type: "object",
    required: ["channel", "published_messages", "stored_messages", "subscribers"],
    properties: {
      channel: { type: "string" },
      published_messages: count,
      stored_messages: count,
      subscribers: count,
    },
  },
  Presence: {
    type: "object",
    required: ["channel", "count"],
    properties: {
      channel: { type: "string" },
      count,
      position: { type: "string" },
      members: {
        type: "array",
        items: {
          type: "object",
          properties: { sub: { type: "string" }, info: {}, since: count, connections: count },
        },
      },
    },
  },
  Revocation: {
    type: "object",
    required: ["ttl"],
    properties: {
      sub: { type: "string" },
      jti: { type: "string" },
      issued_before: count,
      ttl: { type: "integer", minimum: 1 },
    },
  },
};

/** One answer a status, with the sentences that can stand in it. */
function refusals(): Json {
  const byStatus = new Map<number, string[]>();
  for (const { status, explain, when } of Object.values(Refusals)) {
    if (status < 400) continue;
    byStatus.set(status, [...(byStatus.get(status) ?? []), `- ${explain ?? "(no sentence)"} — ${when}`]);
  }
  const headers = {
    "X-Nginx-PushStream-Explain": { schema: { type: "string" }, description: "Why" },
    "Retry-After": { schema: { type: "integer" }, description: "Seconds, where it may pass" },
  };
  for (const status of [409, 413])
    if (!byStatus.has(status)) byStatus.set(status, ["- the body is larger than max_body_size"]);
  return Object.fromEntries(
    [...byStatus].map(([status, sentences]) => [
      `Refused${status}`,
      { description: sentences.join("\n"), headers },
    ]),
  );
}
