/**
 * The codes of src/http/errors.ts that have to do with grants, provoked on the compiled binary, on both
 * listeners: status, explanation as a header or in a close frame, Retry-After, WWW-Authenticate. Those of the
 * rest are in test/binary/refusals.test.ts.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { hashOfKey, newKey, printKeyLine } from "../../src/access/key-text.ts";
import { CloseCode } from "../../src/http/close-codes.ts";
import { Refusals } from "../../src/http/errors.ts";
import type { Refusal } from "../../src/http/refusal.ts";
import { closeReason } from "../../src/wire/close-reason.ts";
import { ask, type RawAnswer, RawConnection } from "../binary/raw-client.ts";
import { Opcode, RawWebSocket } from "../binary/raw-web-socket.ts";
import { type RunningServer, startServer, until } from "../binary/running-server.ts";
import { folderWith, removeFolders } from "../handlers/handler-server.ts";
import type { AccessCode } from "./access-codes.ts";
import { startBackend } from "./asked-backend.ts";
import { nowSec, SECRET, withSecret } from "./issuing.ts";

const backend = startBackend();
const { key, id } = newKey();
const line = (publish: string): string =>
  `${printKeyLine({ name: "backend", id, hash: hashOfKey(key), publish: [publish], subscribe: ["*"] })}\n`;

const ISSUERS = `
[[issuer]]
name = "app"
algorithms = ["HS256"]
key = "env:HUB_KEY"
[[issuer]]
name = "gone"
issuer = "https://gone.example"
algorithms = ["ES256"]
jwks = "http://127.0.0.1:1/jwks.json"
`;

const both = (path: string, more: string): string => `
[[location]]
match = "~ ^/${path}/(.*)$"
subscriber = "polling"
channels_path = "$1"
${more}
[[location]]
match = "~ ^/${path}-ws/(.*)$"
subscriber = "websocket"
channels_path = "$1"
${more}
`;

const config = (sub: string): string => `
${ISSUERS}
${both("token", 'token_issuers = ["app", "gone"]\ntoken = ["header", "query:token"]')}
${both("key", 'publisher_keys_file = "keys"')}
${both("asked", `auth_request = "${backend.url}"\nauth_cache = 0`)}
${both("rated", 'rate = "1/h"')}
[[location]]
match = "= /revoke"
revoke = true
publisher_keys_file = "keys"
[[location]]
match = "~ ^/sub/(.*)$"
subscriber = "streaming"
channels_path = "$1"
${sub}
`;

let server: RunningServer;
const open: { close(): void }[] = [];
const bearer = (token: string) => ({ Authorization: `Bearer ${token}` });
const get = (path: string, headers: Record<string, string> = {}) => ask(server.port, path, { headers });
const revoke = (form: string) =>
  ask(server.port, "/revoke", { method: "POST", body: form, headers: { "X-API-Key": key } });

interface Provocation {
  readonly first?: () => unknown;
  readonly request: () => Promise<RawAnswer>;
  readonly socket?: string;
  readonly headers?: () => Promise<Record<string, string>> | Record<string, string>;
  readonly challenge?: string;
}

const answering = (answer: () => Response) => (): void => {
  backend.answer = answer;
};

const PROVOCATIONS: Readonly<Record<AccessCode, Provocation>> = {
  noToken: { request: () => get("/token/a"), socket: "/token-ws/a", challenge: 'Bearer realm="sluice"' },
  invalidToken: {
    request: () => get("/token/a", bearer("x")),
    socket: "/token-ws/a",
    headers: () => bearer("x"),
    challenge: 'error="invalid_token"',
  },
  tokenExpired: {
    request: async () => get("/token/a", bearer(await withSecret({ exp: nowSec() - 600 }))),
    socket: "/token-ws/a",
    headers: async () => bearer(await withSecret({ exp: nowSec() - 600 })),
    challenge: 'error="invalid_token"',
  },
  tokenRevoked: {
    first: () => revoke("sub=alice&ttl=600"),
    request: async () => get("/token/a", bearer(await withSecret({ channel: "a" }))),
    socket: "/token-ws/a",
    headers: async () => bearer(await withSecret({ channel: "a" })),
    challenge: 'error="invalid_token"',
  },
  ambiguousToken: {
    request: () => get("/token/a?token=x&token=y"),
    socket: "/token-ws/a?token=x&token=y",
    challenge: 'error="invalid_request"',
  },
  invalidKey: {
    request: () => get("/key/a", { "X-API-Key": newKey().key }),
    socket: "/key-ws/a",
    headers: () => bearer(newKey().key),
    challenge: 'error="invalid_token"',
  },
  notGranted: {
    request: async () => get("/token/a", bearer(await withSecret({ channel: "b", sub: "bob" }))),
    socket: "/token-ws/a",
    headers: async () => bearer(await withSecret({ channel: "b", sub: "bob" })),
    challenge: 'error="insufficient_scope"',
  },
  noIssuerKeys: {
    request: () => get("/token/a", bearer(lost)),
    socket: "/token-ws/a",
    headers: () => bearer(lost),
  },
  backendUnauthorized: {
    first: answering(
      () => new Response(null, { status: 401, headers: { "WWW-Authenticate": 'Session realm="x"' } }),
    ),
    request: () => get("/asked/a"),
    socket: "/asked-ws/a",
    challenge: 'Session realm="x"',
  },
  backendForbidden: {
    first: answering(() => new Response(null, { status: 403 })),
    request: () => get("/asked/a"),
    socket: "/asked-ws/a",
  },
  backendFailed: {
    first: answering(() => new Response(null, { status: 302, headers: { Location: "/elsewhere" } })),
    request: () => get("/asked/a"),
    socket: "/asked-ws/a",
  },
  tooManyRequests: {
    first: async () => {
      await get("/rated/a");
      const socket = await RawWebSocket.open(server.port, "/rated-ws/a");
      open.push(socket);
    },
    request: () => get("/rated/a"),
    socket: "/rated-ws/a",
  },
  accessBusy: {
    // As many questions as a worker asks at a time, and none of them is answered.
    first: async () => {
      const before = backend.asked.length;
      backend.answer = () => new Promise<Response>(() => undefined);
      for (let asked = 0; asked < 512; asked++) {
        const connection = await RawConnection.open(server.port);
        open.push(connection);
        connection.request(`/asked/c${asked}`);
      }
      // What is not on a connection of the worker's yet waits in its queue: it is asked all the same.
      await until("questions", () => backend.asked.length > before);
      await until("all of them", async () => (await get("/asked/one-more")).status === 503);
    },
    request: () => get("/asked/one-more"),
  },
  noRoomForRevocation: {
    first: async () => {
      for (let count = 0; count < 300; count++)
        if ((await revoke(`sub=s${count}&ttl=600`)).status !== 204) return;
    },
    request: () => revoke("sub=onemore&ttl=600"),
  },
};

/** Signed by nobody; it does not come to that. */
const lost = [{ alg: "ES256", kid: "1" }, { iss: "https://gone.example" }]
  .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
  .concat("AAAA")
  .join(".");

afterAll(() => {
  backend.stop();
  removeFolders();
});

describe.each([
  ["native listener", 'header_template = "^"'],
  ["listener of early heads", ""],
])("%s", (_listener, sub) => {
  beforeAll(async () => {
    process.env["HUB_KEY"] = SECRET;
    const folder = folderWith({ keys: line("*") });
    server = await startServer({ folder, toml: config(sub), workers: 1 });
  });
  afterAll(async () => {
    await server.stop();
  });

  for (const [name, { first, request, socket, headers, challenge }] of Object.entries(PROVOCATIONS)) {
    const refusal: Refusal = Refusals[name as AccessCode];
    test(`${refusal.code}: ${refusal.status}, "${refusal.explain}"`, async () => {
      await first?.();
      try {
        const { status, fields, body } = await request();
        const explain = fields.get("x-nginx-pushstream-explain") ?? null;
        expect({ status, explain }).toEqual({ status: refusal.status, explain: refusal.explain });
        expect(fields.has("retry-after")).toBe(refusal.status === 503 || refusal.retryAfterSec !== undefined);
        expect(fields.get("www-authenticate") ?? "").toContain(challenge ?? "");
        expect(body.toString()).toBe("");
        if (socket !== undefined)
          expect(await refusedSocket(socket, (await headers?.()) ?? {})).toEqual(closedFor(refusal));
      } finally {
        for (const one of open.splice(0)) one.close();
      }
    });
  }
});

const closedFor = (refusal: Refusal) => ({
  code:
    refusal.status === 503 || refusal.status === 429
      ? CloseCode.TRY_AGAIN
      : refusal.status === 502
        ? CloseCode.INTERNAL
        : CloseCode.POLICY,
  reason: closeReason(refusal),
});

async function refusedSocket(
  path: string,
  headers: Record<string, string>,
): Promise<{ code: number; reason: string }> {
  const socket = await RawWebSocket.open(server.port, path, headers);
  open.push(socket);
  const { opcode, payload } = await socket.frame();
  if (opcode !== Opcode.CLOSE) throw new Error(`no close frame, but opcode ${opcode}`);
  return { code: payload.readUInt16BE(), reason: payload.toString("utf8", 2) };
}

test("a key taken out of the file is good for a second more, one that is put in soon is", async () => {
  const folder = folderWith({ keys: line("a") });
  const running = await startServer({
    folder,
    toml: both("key", 'publisher_keys_file = "keys"'),
    workers: 1,
  });
  const status = async () => (await ask(running.port, "/key/a", { headers: { "X-API-Key": key } })).status;
  try {
    expect(await status()).toBe(304);
    writeFileSync(join(folder, "keys"), "# nobody\n");
    await until("the key is out", async () => (await status()) === 401);
    writeFileSync(join(folder, "keys"), `broken line\n${line("a")}`);
    await until("the key is in", async () => (await status()) === 304);
    await until("the log says so", () => running.log.includes("this line is left out"));
    expect(running.log).not.toContain(key);
  } finally {
    await running.stop();
  }
});
