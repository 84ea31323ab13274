/**
 * docs/access.md: each recipe as it stands there, executed on the compiled binary with two workers; the
 * backends' code, too, where its language is at hand.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ask, RawConnection } from "../binary/raw-client.ts";
import { RawWebSocket } from "../binary/raw-web-socket.ts";
import { type RunningServer, until } from "../binary/running-server.ts";
import { runSluice } from "../cli/run-sluice.ts";
import { folderWith, removeFolders, startHandlers } from "../handlers/handler-server.ts";
import { startBackend } from "./asked-backend.ts";
import { keySet, newPair, nowSec, SECRET, serveKeys, signed, withSecret } from "./issuing.ts";

setDefaultTimeout(30_000);

const manual = readFileSync(join(import.meta.dir, "../../docs/access.md"), "utf8");
const blocks = (language: string): string[] =>
  Array.from(
    manual.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, "gms")),
    ([, text = ""]) => text,
  );
const tomls = new Map(blocks("toml").map((text) => [/^# (\S+)\n/.exec(text)?.[1] ?? "rest", text]));
const recipe = (name: string): string => {
  const text = tomls.get(name);
  if (text === undefined) throw new Error(`docs/access.md has no ${name}`);
  return text;
};

const running: RunningServer[] = [];
const start = async (toml: string, files: Record<string, string> = {}): Promise<RunningServer> => {
  const server = await startHandlers({ workers: 2, listener: "wire" }, { files, toml });
  running.push(server);
  return server;
};
beforeAll(() => {
  process.env["HUB_KEY"] = SECRET;
});
afterAll(async () => {
  await Promise.all(running.map((server) => server.stop()));
  removeFolders();
});

/** Status of a request whose answer may be held. */
async function status(
  server: RunningServer,
  path: string,
  headers: Record<string, string> = {},
): Promise<number> {
  const connection = await RawConnection.open(server.port);
  connection.request(path, { headers });
  const head = await connection.head();
  connection.close();
  return head.status;
}

test("a backend signs tokens, in Python and in PHP", async () => {
  const server = await start(recipe("signed.toml"));
  const folder = folderWith({ "token.py": blocks("python")[0] ?? "", "token.php": blocks("php")[0] ?? "" });
  const tokens = [await withSecret({ channels: { subscribe: ["news-*", "inbox-anna"] }, sub: "anna" })];
  for (const [language, file] of [
    ["python3", "token.py"],
    ["php", "token.php"],
  ] as const) {
    if (Bun.which(language) === null) continue;
    const { stdout, stderr, exitCode } = Bun.spawnSync([language, join(folder, file)], {
      env: { ...process.env, HUB_KEY: SECRET },
    });
    expect([language, stderr.toString(), exitCode]).toEqual([language, "", 0]);
    tokens.push(stdout.toString().trim());
  }
  expect(tokens.length).toBeGreaterThan(Bun.which("python3") === null ? 0 : 1);
  for (const token of tokens) {
    expect(await status(server, `/ev/news-1/inbox-anna?token=${token}`)).toBe(200);
    expect(await status(server, `/ev/inbox-ben?token=${token}`)).toBe(403);
    const published = await ask(server.port, "/pub?id=news-1", {
      method: "POST",
      body: "x",
      headers: { Authorization: `Bearer ${token}` },
    });
    expect(published.status).toBe(403);
    const socket = await RawWebSocket.open(server.port, "/ws/news-1", {
      "Sec-WebSocket-Protocol": `sluice.json.v1, token.${token}`,
    });
    expect(await socket.text()).toContain('"kind":"hello"');
    socket.close();
  }
  const made = await runSluice([
    "token",
    "make",
    "--config",
    server.configFile,
    "--sub",
    "anna",
    "--subscribe",
    "news-*",
    "--publish",
    "*",
  ]);
  const published = await ask(server.port, "/pub?id=news-1", {
    method: "POST",
    body: "x",
    headers: { Authorization: `Bearer ${made.out.trim()}` },
  });
  expect(published.status).toBe(200);
});

test("a cookie on one domain, and the pages of others", async () => {
  const server = await start(recipe("cookie.toml"));
  const Cookie = `push=${await withSecret({ channels: { subscribe: ["room"] } })}`;
  const connection = await RawConnection.open(server.port);
  connection.request("/ev/room", { headers: { Cookie, Origin: "https://example.com" } });
  const { status: listed, fields } = await connection.head();
  expect([
    listed,
    fields.get("access-control-allow-origin"),
    fields.get("access-control-allow-credentials"),
    fields.get("vary"),
  ]).toEqual([200, "https://example.com", "true", "Origin"]);
  connection.close();
  expect(await status(server, "/ev/room", { Cookie })).toBe(200);
  expect(await status(server, "/ev/room", { Cookie, Origin: "https://evil.example" })).toBe(403);
  expect(await status(server, "/ev/room", { Origin: "https://example.com" })).toBe(401);
});

test("the session backend is asked once a visitor and worker", async () => {
  const backend = startBackend();
  backend.answer = (headers) => {
    const user = /session=(\w+)/.exec(headers.get("cookie") ?? "")?.[1];
    if (user === undefined)
      return new Response("who?", { status: 401, headers: { "WWW-Authenticate": "Session" } });
    return Response.json({ sub: user, subscribe: [`inbox-${user}`], publish: [], info: { name: user } });
  };
  const server = await start(
    recipe("asked.toml")
      .replace(/"http:\/\/127[^"]*"/, `"${backend.url}"`)
      .replace('"30s"', '"5ms"'),
  );
  const poll = (cookie: string, channel: string, at: number) =>
    ask(server.port, `/lp/${channel}?time=${at}&tag=${at}`, { headers: { Cookie: cookie } });
  for (let at = 0; at < 30; at++) expect((await poll("session=anna", "inbox-anna", at)).status).toBe(304);
  expect(backend.asked.length).toBeLessThanOrEqual(2);
  expect((await poll("session=anna", "inbox-ben", 0)).status).toBe(403);
  const stranger = await poll("", "inbox-anna", 0);
  expect([stranger.status, stranger.fields.get("www-authenticate")]).toEqual([401, "Session"]);
  backend.stop();
});

test("everybody reads, a key publishes", async () => {
  const folder = folderWith({});
  const added = await runSluice([
    "key",
    "add",
    "backend",
    "--file",
    join(folder, "keys"),
    "--publish",
    "news-*",
  ]);
  const server = await start(recipe("keyed.toml"), { keys: readFileSync(join(folder, "keys"), "utf8") });
  const post = async (id: string, headers: Record<string, string>) =>
    (await ask(server.port, `/pub?id=${id}`, { method: "POST", body: "hello", headers })).status;
  const key = { "X-API-Key": added.out.trim() };
  expect(await status(server, "/ev/news-1")).toBe(200);
  expect(await post("news-1", {})).toBe(401);
  expect(await post("other", key)).toBe(403);
  expect(await post("news-1", key)).toBe(200);
  // What a shell does with the example.
  const curl = blocks("sh").find((text) => text.includes("pub?id=news-1")) ?? "";
  const run = Bun.spawnSync(
    ["sh", "-c", curl.replace("8080", String(server.port)).replace("curl", "curl -s")],
    { env: { ...process.env, KEY: added.out.trim() } },
  );
  expect(run.stdout.toString()).toContain('"published_messages": 2');
  writeFileSync(join(server.folder, "keys"), "");
  await until("the key is out", async () => (await post("news-1", key)) === 401);
});

test("one private channel a user, with the keys of a login service", async () => {
  const pair = await newPair("ES256");
  const keys = serveKeys(await keySet(["k", "ES256", pair]));
  const server = await start(
    recipe("private.toml").replace(/"https:\/\/login[^"]*jwks.json"/, `"${keys.url}"`),
  );
  const token = await signed(
    pair.privateKey,
    "ES256",
    { iss: "https://login.example.com", aud: "push", sub: "u-17", exp: nowSec() + 60 },
    { kid: "k" },
  );
  for (const [channel, expected] of [
    ["user-u-17", 200],
    ["news-1", 200],
    ["user-u-17/news-1", 200],
    ["user-u-18", 403],
    ["user-", 403],
    ["other", 403],
  ] as const)
    expect([channel, await status(server, `/ev/${channel}?access_token=${token}`)]).toEqual([
      channel,
      expected,
    ]);
  keys.stop();
});

test("taking back, as the page has it", async () => {
  const folder = folderWith({});
  const added = await runSluice(["key", "add", "admin", "--file", join(folder, "keys"), "--publish", "*"]);
  const server = await start(`${recipe("signed.toml")}${recipe("rest")}`, {
    keys: readFileSync(join(folder, "keys"), "utf8"),
  });
  const token = await withSecret({ sub: "anna", channels: { subscribe: ["room"] } });
  expect(await status(server, `/ev/room?token=${token}`)).toBe(200);
  const curl = blocks("sh").find((text) => text.includes("/revoke")) ?? "";
  Bun.spawnSync(["sh", "-c", curl.replace("8080", String(server.port))], {
    env: { ...process.env, KEY: added.out.trim() },
  });
  expect(await status(server, `/ev/room?token=${token}`)).toBe(401);
});
