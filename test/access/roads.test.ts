/**
 * One decision on every road: whoever is let into a channel by the address of a request is let in by a line
 * of a batch and by a frame, and who is not is refused with the same code. Every source of grants, over the
 * compiled binary, on both listeners. `public` opens a channel for what a location is for: a publish frame
 * goes through a subscriber's, so it needs a grant.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { hashOfKey, newKey, printKeyLine } from "../../src/access/key-text.ts";
import { ask } from "../binary/raw-client.ts";
import { Opcode, RawWebSocket } from "../binary/raw-web-socket.ts";
import type { RunningServer } from "../binary/running-server.ts";
import { ALL_SETTINGS, removeFolders, startHandlers } from "../handlers/handler-server.ts";
import { startBackend } from "./asked-backend.ts";
import { SECRET, withSecret } from "./issuing.ts";

const backend = startBackend();
backend.answer = () => Response.json({ sub: "alice", publish: ["own"], subscribe: ["own"] });
afterAll(() => {
  backend.stop();
  removeFolders();
});

const { key, id } = newKey();
const KEYS = printKeyLine({ name: "alice", id, hash: hashOfKey(key), publish: ["own"], subscribe: ["own"] });

const locations = (path: string, sources: string): string => `
[[location]]
match = "= /${path}/pub"
publisher = "admin"
channels_path = "$arg_id"
batch = true
public = ["news-*"]
${sources}
[[location]]
match = "~ ^/${path}/poll/(.*)$"
subscriber = "polling"
channels_path = "$1"
public = ["news-*"]
${sources}
[[location]]
match = "~ ^/${path}/ws/(.*)$"
subscriber = "websocket"
channels_path = "$1"
websocket_allow_subscribe = true
websocket_allow_publish = true
public = ["news-*", "door"]
${sources}
[[location]]
match = "~ ^/${path}/presence/(.*)$"
presence_list = true
channels_path = "$1"
public = ["news-*"]
${sources}
[[location]]
match = "= /${path}/stats"
statistics = true
channels_path = "$arg_id"
public = ["news-*"]
${sources}
`;

const TOML = `
[[issuer]]
name = "app"
algorithms = ["HS256"]
key = "env:HUB_KEY"
${locations("said", 'token_issuers = ["app"]\npublisher_keys_file = "keys"')}
${locations("asked", `auth_request = "${backend.url}"`)}
${locations("optional", 'token_issuers = ["app"]\nrequire = "optional"')}
`;

type Fields = Readonly<Record<string, string>>;
interface Source {
  readonly path: string;
  readonly fields: () => Promise<Fields> | Fields;
  /** What a channel that is neither granted nor open is refused with. */
  readonly refused: 401 | 403;
}

const token = async (): Promise<Fields> => ({
  Authorization: `Bearer ${await withSecret({ channels: { publish: ["own"], subscribe: ["own"] } })}`,
});
const SOURCES: Readonly<Record<string, Source>> = {
  "a key": { path: "said", fields: () => ({ "X-API-Key": key }), refused: 403 },
  "a token": { path: "said", fields: token, refused: 403 },
  "the backend": { path: "asked", fields: () => ({}), refused: 403 },
  nobody: { path: "said", fields: () => ({}), refused: 401 },
  "nobody, where grants are optional": { path: "optional", fields: () => ({}), refused: 401 },
};

type Road = (port: number, path: string, fields: Fields, channel: string) => Promise<number>;

const status = async (answer: ReturnType<typeof ask>): Promise<number> => (await answer).status;

/** What the frame is answered with. A backend is asked only where not all of it is open to everybody. */
const framed =
  (frame: (channel: string) => object, standing: (channel: string) => string): Road =>
  async (port, path, fields, channel) => {
    const headers = { ...fields, "Sec-WebSocket-Protocol": "sluice.json.v1" };
    const channels = path === "asked" ? `own/${standing(channel)}` : standing(channel);
    const socket = await RawWebSocket.open(port, `/${path}/ws/${channels}?sluice_positions`, headers);
    expect(await socket.text()).toContain('"hello"');
    socket.sendFrame(Opcode.TEXT, JSON.stringify({ ...frame(channel), ref: 1 }));
    for (;;) {
      const answer = JSON.parse(await socket.text()) as Record<string, unknown>;
      if (answer["kind"] === "message") continue;
      socket.close();
      return answer["kind"] === "refused" ? Number(answer["status"]) : 200;
    }
  };

const batch =
  (others: (channel: string) => readonly string[]): Road =>
  (port, path, fields, channel) => {
    const body = [...others(channel), channel].map((each) => JSON.stringify({ channel: each, data: "x" }));
    const headers = { ...fields, "Content-Type": "application/x-ndjson" };
    return status(ask(port, `/${path}/pub`, { method: "POST", headers, body: body.join("\n") }));
  };

const ROADS: Readonly<Record<string, Road>> = {
  "publish by address": (port, path, headers, channel) =>
    status(ask(port, `/${path}/pub?id=${channel}`, { method: "POST", headers, body: "x" })),
  "a line of a batch": batch(() => []),
  "a line behind one that is open": batch(() => ["news-first"]),
  "subscribe by address": (port, path, headers, channel) =>
    status(ask(port, `/${path}/poll/${channel}`, { headers })),
  "a subscribe frame": framed(
    (channel) => ({ kind: "subscribe", channels: [channel] }),
    () => "door",
  ),
  "the list of who is there": (port, path, headers, channel) =>
    status(ask(port, `/${path}/presence/${channel}`, { headers })),
  statistics: (port, path, headers, channel) =>
    status(ask(port, `/${path}/stats?id=${channel}`, { headers })),
};

const isIn = (code: number): boolean => code === 200 || code === 304;

describe.each(ALL_SETTINGS.filter(({ workers }) => workers === 1))("roads, $listener listener", (setting) => {
  let server: RunningServer;
  beforeAll(async () => {
    process.env["HUB_KEY"] = SECRET;
    server = await startHandlers(setting, { files: { keys: `${KEYS}\n` }, toml: TOML });
    for (const channel of ["own", "news-a"]) {
      const made = await ask(server.port, `/said/pub?id=${channel}`, {
        method: "POST",
        body: "made",
        headers: await token(),
      });
      expect(made.status).toBe(200);
    }
  });
  afterAll(() => server.stop());

  test.each(Object.keys(SOURCES))("%s: every road lets in and refuses as all others do", async (name) => {
    const { path, fields, refused } = SOURCES[name] as Source;
    const brought = await fields();
    const isSomebody = refused === 403;
    for (const [road, take] of Object.entries(ROADS)) {
      const codes = [];
      for (const channel of ["own", "news-a", "other"])
        codes.push(await take(server.port, path, brought, channel));
      const outcomes = codes.map((code) => (isIn(code) ? "in" : code));
      expect([road, outcomes]).toEqual([road, [isSomebody ? "in" : refused, "in", refused]]);
    }
  });

  test.each(Object.keys(SOURCES))(
    "%s: what is open to readers is not open to publish frames",
    async (name) => {
      const { path, fields, refused } = SOURCES[name] as Source;
      const take = framed(
        (channel) => ({ kind: "publish", channel, data: "x" }),
        (channel) => channel,
      );
      expect(await take(server.port, path, await fields(), "news-a")).toBe(refused);
      if (refused === 403) expect(await take(server.port, path, await fields(), "own")).toBe(200);
    },
  );

  test("everything is listed to nobody where grants are optional", async () => {
    for (const id of ["ALL", "news-*"])
      expect([id, (await ask(server.port, `/optional/stats?id=${id}`)).status]).toEqual([id, 401]);
    expect((await ask(server.port, "/optional/stats")).status).toBe(401);
  });
});
