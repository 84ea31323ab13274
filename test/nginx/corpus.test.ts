/**
 * Every configuration of the corpus, as it is but for ports and absolute paths: the compiled binary serves
 * it, and `sluice convert` makes a TOML of it that serves the same. The same requests go to both, one after
 * the other, and all answers are compared, those of connections that are held until the server stops
 * included.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ask, type RawAnswer, RawConnection, type RawRequest } from "../binary/raw-client.ts";
import { RawWebSocket } from "../binary/raw-web-socket.ts";
import { binary, freePort, RunningServer, until } from "../binary/running-server.ts";

setDefaultTimeout(60_000);

const CORPUS = join(import.meta.dir, "../config/nginx/corpus");

interface Asked extends RawRequest {
  /** As it stands in the file. */
  readonly port: number;
  readonly path: string;
  /** What must be true of both answers, so that two wrong ones are not just equal. */
  readonly status: number;
}

interface Script {
  /** Requests whose answers last until the server stops; `ws` before the path makes it a WebSocket. */
  readonly held?: readonly (readonly [
    port: number,
    path: string,
    headers?: Readonly<Record<string, string>>,
  ])[];
  readonly asked: readonly Asked[];
}

const GET = (port: number, path: string, status = 200, headers: Record<string, string> = {}): Asked => ({
  port,
  path,
  status,
  headers,
});
const POST = (
  port: number,
  path: string,
  body = "text",
  status = 200,
  headers: Record<string, string> = {},
): Asked => ({ port, path, status, headers, body, method: "POST" });
const DELETE = (port: number, path: string, status = 200): Asked => ({
  port,
  path,
  status,
  method: "DELETE",
});

const PUSH = { Host: "push.example.org" };

const SCRIPTS: Readonly<Record<string, Script>> = {
  "seed.conf": {
    held: [
      [9080, "/sub/a"],
      [9080, "/x/sub/a/b"],
    ],
    asked: [
      POST(9080, "/pub?id=a"),
      POST(9080, "/pub?id=b", "two words"),
      GET(9080, "/pub?id=a"),
      GET(9080, "/pub?id=none", 404),
      GET(9080, "/channels-stats?id=a"),
      GET(9080, "/channels-stats?id=ALL"),
      GET(9080, "/channels-stats", 200, { Accept: "text/plain" }),
      GET(9080, "/sub/", 400),
      GET(9080, "/metrics", 404),
      GET(9080, "/", 404),
      POST(9080, "/pub", "x", 400),
      DELETE(9080, "/pub?id=a"),
    ],
  },
  "bitrix24.conf": {
    held: [
      [8893, "/bitrix/sub?CHANNEL_ID=a/none.b1"],
      [8893, "ws/bitrix/subws/?CHANNEL_ID=a.b9"],
    ],
    asked: [
      POST(8895, "/bitrix/pub/?CHANNEL_ID=a", '{"n":1}'),
      GET(8893, "/bitrix/sub/?CHANNEL_ID=a.b5", 200, { Origin: "http://portal" }),
      GET(8893, "/bitrix/sub/?CHANNEL_ID=nobody", 403),
      GET(8893, "/bitrix/sub/?CHANNEL_ID=a&callback=x", 400),
      GET(8893, `/bitrix/sub/?CHANNEL_ID=${"x".repeat(33)}`, 400),
      GET(8893, "/other", 403),
      GET(8895, "/bitrix/stat?CHANNEL_ID=a"),
      POST(8895, "/bitrix/pub/?CHANNEL_ID=b", "x".repeat(2_000_000)),
      DELETE(8895, "/bitrix/pub/?CHANNEL_ID=a"),
    ],
  },
  "chat-iframe.conf": {
    held: [
      [8081, "/sub/room"],
      [8081, "/sub/room/other.b2", { "User-Agent": "test 1" }],
    ],
    asked: [
      GET(8081, "/"),
      POST(8081, "/pub?id=room", "hello"),
      POST(8081, "/pub?id=other", "x".repeat(40_000), 413),
      GET(8081, "/channels-stats?id=room"),
      GET(8081, "/elsewhere", 404),
      DELETE(8081, "/pub?id=room"),
    ],
  },
  "conditions.conf": {
    held: [
      [9081, "/ev/test_a/x.b2"],
      [9081, "/ev/test_a?qs=on&eventid=e1"],
    ],
    asked: [
      POST(9081, "/pub?id=a&test=1", "stored", 200, { "Event-Id": "e1" }),
      POST(9081, "/pub?id=a", "not stored"),
      POST(9081, "/pub?id=a", "x", 403, { "X-Stop": "No Way" }),
      GET(9081, "/pub?id=a"),
      GET(9081, "/old", 301),
      GET(9081, "/text/x"),
      GET(9081, "/off", 404),
      { port: 9081, path: "/pub?id=a", method: "TRACE", status: 405 },
    ],
  },
  "debian.conf": {
    held: [[8086, "/sub/a", PUSH]],
    asked: [
      GET(8086, "/"),
      GET(8086, "/assets/site.css"),
      GET(8086, "/none", 404),
      POST(8086, "/pub?id=a", "text", 200, PUSH),
      POST(8086, "/pub?id=a", "text", 405),
      GET(8086, "/channels-stats?id=a", 200, PUSH),
      GET(8086, "/channels-stats", 200, { ...PUSH, Accept: "application/xml" }),
    ],
  },
  "included.conf": {
    held: [[8085, "/sub/a"]],
    asked: [
      POST(8085, "/pub?id=a", "first"),
      POST(8085, "/admin/pub/a", "second"),
      GET(8085, "/pub?id=a"),
      GET(8085, "/none", 404),
    ],
  },
  "long-polling.conf": {
    held: [
      [8082, "/lp/a/b.b5"],
      [8082, "/ev/none"],
    ],
    asked: [
      POST(8082, "/pub?id=a&keep=1", "kept"),
      POST(8082, "/pub?id=a", "not kept"),
      POST(8082, "/pub?id=room_x1&keep=1", "in a room"),
      GET(8082, "/lp/a.b1", 200, { Origin: "http://o" }),
      GET(8082, "/lp/a.b1?callback=cb"),
      GET(8082, "/POLL/x1", 200, { "If-Modified-Since": "Thu, 01 Jan 1970 00:00:00 GMT" }),
      GET(8082, "/POLL/x1.b1", 404),
      GET(8082, "/POLL/X1", 304),
      GET(8082, "/lp/broad_a/broad_b/broad_c/broad_d", 403),
      DELETE(8082, "/pub?id=a", 405),
    ],
  },
  "several-servers.conf": {
    held: [],
    asked: [
      GET(8084, "/x?y", 301, { Host: "www.example.org" }),
      GET(8084, "/x?y=1", 200, { Host: "status.example.org" }),
      GET(8084, "/teapot", 418, { Host: "status.example.org" }),
      GET(8084, "/old.html", 302, { Host: "status.example.org" }),
    ],
  },
  "websocket-events.conf": {
    held: [
      [8083, "ws/ws/a"],
      [8083, "/dashboard", { Cookie: "role=admin" }],
    ],
    asked: [
      POST(8083, "/publish?channel=a", "text", 401),
      POST(8083, "/publish?channel=a", "text", 200, { Authorization: `Basic ${btoa("editor:secret")}` }),
      GET(8083, "/dashboard", 403),
      GET(8083, "/stats?id=a"),
      GET(8083, "/stats?id=___events___"),
    ],
  },
};

let folder: string;
/** By port of the files. */
const ports = new Map<number, number>();

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "sluice-corpus-"));
  cpSync(CORPUS, folder, { recursive: true });
  writeFileSync(join(folder, "htdocs/assets/plain.txt"), "plain");
  for (const name of readdirSync(folder, { recursive: true }).map(String)) {
    if (!/\.conf$|sites-enabled\//.test(name)) continue;
    const path = join(folder, name);
    const text = readFileSync(path, "utf8")
      // Nobody of that name is here.
      .replace("user bitrix;", "")
      .replaceAll(/(listen\s+(?:[\d.]+|\[::1\]):)(\d+)/g, (_, before: string, port: string) => {
        const known = ports.get(Number(port)) ?? freePort();
        ports.set(Number(port), known);
        return `${before}${known}`;
      })
      .replaceAll(/\/(?:run|var\/log\/push)\//g, `${folder}/`);
    writeFileSync(path, text);
  }
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function start(file: string, port: number): Promise<RunningServer> {
  const child = Bun.spawn([binary, "serve", "--config", file], {
    env: { ...process.env, RUNTIME_DIRECTORY: folder },
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
  });
  const server = new RunningServer(port, folder, file, child);
  await until(`${file} is served`, () => {
    if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}: ${server.log}`);
    // One or the other tells that all of it serves: not every file logs so much, nor names a pid file.
    return server.log.includes(": serving ") || readdirSync(folder).some((name) => name.endsWith(".pid"));
  });
  return server;
}

/** What everybody got, with what differs from one second to the next made the same. */
const STANDS_WITHIN_MS = 500;

async function play(file: string, { held = [], asked }: Script): Promise<readonly string[]> {
  const first = asked[0]?.port ?? 0;
  const server = await start(file, ports.get(first) ?? 0);
  const at = (port: number): number => ports.get(port) ?? 0;
  const answers: string[] = [];
  try {
    const open = [];
    for (const [port, path, headers = {}] of held) {
      if (path.startsWith("ws/"))
        open.push((await RawWebSocket.open(at(port), path.slice(2), headers)).connection);
      else {
        const connection = await RawConnection.open(at(port));
        connection.request(path, { headers });
        open.push(connection);
        // In the order of the script, and with their heads and headers, if there are any before the first
        // message: of a poll that waits nothing tells that it stands.
        for (let waited = 0; connection.unread === 0 && waited < STANDS_WITHIN_MS; waited += 10)
          await Bun.sleep(10);
      }
    }
    for (const { port, path, status, ...request } of asked) {
      const answer = await ask(at(port), path, request);
      expect(`${request.method} ${path} ${answer.status}`).toBe(`${request.method} ${path} ${status}`);
      answers.push(`${path}: ${shown(answer)}`);
    }
    await quiet(open);
    server.process.kill("SIGTERM");
    for (const connection of open)
      answers.push(sameEachTime((await connection.untilEnd()).toString("latin1")));
    expect(await server.process.exited).toBe(0);
  } finally {
    server.process.kill("SIGKILL");
    await server.process.exited;
  }
  return answers;
}

/**
 * Until what the held connections got has not grown for a while: what other workers still bring is part of
 * the script.
 */
async function quiet(held: readonly RawConnection[]): Promise<void> {
  let before = -1;
  await until("the held connections have all of it", async () => {
    const now = held.reduce((sum, connection) => sum + connection.unread, 0);
    if (now === before) return true;
    before = now;
    await Bun.sleep(200);
    return false;
  });
}

const shown = ({ text, body }: RawAnswer): string =>
  sameEachTime(`${text}\r\n\r\n${body.toString("latin1")}`);

const sameEachTime = (text: string): string =>
  text
    .replace(/\w{3}, \d\d \w{3} (?!1970)\d{4} [\d:]{8} GMT/g, "DATE")
    .replace(/\d{4}-\d\d-\d\dT[\d:]{8}/g, "TIME")
    .replace(/W\/\d+/g, "W/TAG")
    .replace(/("tag": ?")\d+/g, "$1TAG")
    .replace(/("pid"|"uptime"|pid|uptime)(: "?)\d+/g, "$1$2N")
    .replace(/<(pid|uptime)>\d+/g, "<$1>N")
    // As many digits as those have.
    .replace(/(Content-Length: )\d+(?=[\s\S]*\b(?:uptime|pid)\b)/, "$1N")
    // Which worker a connection came to.
    .replace(/(<pid>N<\/pid>\s*<subscribers>)\d+/g, "$1N")
    // The sizes of chunks, which depend on what came together in one turn.
    .replace(/(?:^|\r\n)[0-9a-f]{1,5}\r\n/g, "")
    // At a stop, the listener to events may go before or after the one it would hear of.
    .replace(/event: client_unsubscribed\ndata: .*\n\n/g, "");

describe.each(Object.entries(SCRIPTS))("%s", (name, script) => {
  test("as it is and converted it serves the same", async () => {
    const file = join(folder, name);
    const answers = await play(file, script);
    expect(answers.length).toBe(script.asked.length + (script.held?.length ?? 0));
    const converted = Bun.spawnSync([binary, "convert", file]);
    expect(converted.stderr.toString()).toBe("");
    const toml = `${file}.toml`;
    writeFileSync(toml, converted.stdout);
    expect(await play(toml, script)).toEqual(answers);
  });
});

test("several-servers.conf: TLS by name, files, redirects and the unix socket", async () => {
  const file = join(folder, "several-servers.conf");
  const server = await start(file, ports.get(8084) ?? 0);
  const secure = (host: string, path: string, init: RequestInit = {}) =>
    fetch(`https://127.0.0.1:${ports.get(8443)}${path}`, {
      ...init,
      headers: { Host: host },
      redirect: "manual",
      tls: { rejectUnauthorized: false },
    });
  try {
    const plain = await secure("www.example.org", "/static/plain.txt");
    expect([plain.status, plain.headers.get("cache-control")]).toEqual([200, "max-age=3600"]);
    // The regex comes before the longer prefix, which has no "^~": the file is looked for below the root.
    expect((await secure("www.example.org", "/static/site.css")).status).toBe(404);
    const css = await secure("www.example.org", "/assets/site.css");
    expect([css.status, css.headers.get("content-type"), css.headers.get("x-kind")]).toEqual([
      200,
      "text/css",
      "asset",
    ]);
    expect((await secure("www.example.org", "/favicon.ico")).status).toBe(204);
    expect((await secure("www.example.org", "/private/x.css")).status).toBe(403);
    expect((await secure("www.example.org", "/moved/x")).headers.get("location")).toBe(
      "https://www.example.org:8443/static/",
    );
    const info = await secure("push7.example.org", "/pub?id=news_a", { method: "POST", body: "x" });
    expect(await info.text()).toBe(
      '{"channel": "news_a", "published_messages": 1, "stored_messages": 0, "subscribers": 0}\r\n',
    );
    expect((await secure("push.example.org", "/pub?id=a", { method: "PATCH" })).status).toBe(405);
    const unix = await fetch("http://any/pub?id=news_a", { unix: join(folder, "push.sock") });
    expect(await unix.text()).toContain('"published_messages": 1');
  } finally {
    server.process.kill("SIGTERM");
    expect(await server.process.exited).toBe(0);
  }
});

test("every file of the corpus has a script", () => {
  expect(Object.keys(SCRIPTS).sort()).toEqual(
    readdirSync(CORPUS)
      .filter((name) => name.endsWith(".conf"))
      .sort(),
  );
});
