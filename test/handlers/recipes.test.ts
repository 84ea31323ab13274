/**
 * docs/recipes/handlers, as they stand there, against the real servers: redis-server, PostgreSQL, SQLite, and
 * an HTTP backend of our own that streams. The compiled binary, two workers. Where a server is not installed
 * its part is left out.
 */
import { Database } from "bun:sqlite";
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort, type RunningServer, startServer, until } from "../binary/running-server.ts";
import { EventClient } from "./event-client.ts";
import { folderWith, removeFolders } from "./handler-server.ts";

setDefaultTimeout(30_000);
afterAll(removeFolders);

const folder = join(import.meta.dir, "../../docs/recipes/handlers");
const NAMES = ["redis", "session", "relay"];
const files = Object.fromEntries(
  NAMES.map((name) => [`${name}.ts`, readFileSync(join(folder, `${name}.ts`), "utf8")]),
);
/** The location that stands in its comment. */
const tomlOf = (name: string): string =>
  [...(files[`${name}.ts`] ?? "").matchAll(/^ \* {3}(\[\[location\]\](?:\n \* {3}.+)*)/gm)]
    .map(([, text = ""]) => text.replaceAll(/^ \* {3}/gm, ""))
    .join("\n");
const start = (name: string, env: Record<string, string>): Promise<RunningServer> =>
  startServer({ folder: folderWith(files), toml: tomlOf(name), workers: 2, env });

describe.skipIf(Bun.which("redis-server") === null)("redis", () => {
  const port = freePort();
  let redis: Bun.Subprocess;
  let server: RunningServer;
  const startRedis = async (): Promise<void> => {
    redis = Bun.spawn(
      ["redis-server", "--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
      {
        stdout: "ignore",
      },
    );
    const client = new Bun.RedisClient(`redis://127.0.0.1:${port}`);
    await until("redis", () =>
      client.connect().then(
        () => true,
        () => false,
      ),
    );
    client.close();
  };
  beforeAll(async () => {
    await startRedis();
    server = await start("redis", { REDIS_URL: `redis://127.0.0.1:${port}` });
  });
  afterAll(async () => {
    await server.stop();
    redis.kill();
    await redis.exited;
  });

  const join_ = async (room: string) => {
    const texts: string[] = [];
    const socket = new WebSocket(`ws://127.0.0.1:${server.port}/redis/${room}`);
    let closed = 0;
    socket.onmessage = ({ data }) => void texts.push(String(data));
    socket.onclose = ({ code }) => {
      closed = code;
    };
    await until("ready", () => texts.includes("ready"));
    return { texts, socket, closed: () => closed };
  };

  test("what one says comes to all by way of Redis; without it sockets are told, and come back", async () => {
    const sockets = await Promise.all(Array.from({ length: 6 }, () => join_("blue")));
    const other = await join_("red");
    sockets[0]?.socket.send("hello 🎈");
    await until("it at all", () => sockets.every(({ texts }) => texts.includes("hello 🎈")));
    const client = new Bun.RedisClient(`redis://127.0.0.1:${port}`);
    expect(await client.publish("room:blue", "from elsewhere")).toBeLessThanOrEqual(2);
    await until("it at all", () => sockets.every(({ texts }) => texts.at(-1) === "from elsewhere"));
    expect(other.texts).toEqual(["ready"]);
    client.close();
    redis.kill();
    await redis.exited;
    await until("all closed", () => sockets.every(({ closed }) => closed() === 1013));
    await startRedis();
    const again = await join_("blue");
    again.socket.send("back");
    await until("it", () => again.texts.includes("back"));
    again.socket.close();
  });
});

const FAR_SEC = 4_000_000_000;
const TABLE = "CREATE TABLE sessions (id TEXT PRIMARY KEY, username TEXT NOT NULL, expires BIGINT NOT NULL)";
const ROWS = `INSERT INTO sessions VALUES ('good', 'anna', ${FAR_SEC}), ('old', 'anna', 1000)`;

async function looksUp(url: string): Promise<void> {
  const server = await start("session", { DATABASE_URL: url });
  const status = async (path: string, cookie: string): Promise<number> => {
    const controller = new AbortController();
    const response = await fetch(`${server.url}${path}`, {
      headers: { Cookie: cookie },
      signal: controller.signal,
    });
    controller.abort();
    return response.status;
  };
  const statuses = [
    await status("/mine/anna", "session=good"),
    await status("/mine/anna/all", "a=b; session=good"),
    await status("/mine/bert", "session=good"),
    await status("/mine/anna", "session=old"),
    await status("/mine/anna", "session=unknown"),
    await status("/mine/anna", `session=${encodeURIComponent("' OR '1'='1")}`),
    await status("/mine/anna", ""),
  ];
  await server.stop();
  expect(statuses).toEqual([200, 200, 403, 401, 401, 401, 401]);
}

test("a session in SQLite", async () => {
  const path = join(folderWith({}), "sessions.db");
  const database = new Database(path, { create: true });
  database.run(TABLE);
  database.run(ROWS);
  database.close();
  await looksUp(`sqlite://${path}`);
});

const postgres = [
  "/usr/lib/postgresql/15/bin",
  "/usr/lib/postgresql/16/bin",
  "/usr/lib/postgresql/17/bin",
].find((path) => existsSync(join(path, "initdb")));
const canBePostgres = Bun.spawnSync(["id", "postgres"]).exitCode === 0 && Bun.which("runuser") !== null;

test.skipIf(postgres === undefined || !canBePostgres)("a session in PostgreSQL", async () => {
  const data = mkdtempSync(join(tmpdir(), "sluice-postgres-"));
  const port = freePort();
  const asPostgres = (...command: string[]) => ["runuser", "-u", "postgres", "--", ...command];
  Bun.spawnSync(["chown", "postgres", data]);
  const made = Bun.spawnSync(asPostgres(`${postgres}/initdb`, "-D", data, "-A", "trust", "--no-sync"));
  expect(made.exitCode).toBe(0);
  const options = ["-p", String(port), "-h", "127.0.0.1", "-k", data, "-F"];
  const server = Bun.spawn(asPostgres(`${postgres}/postgres`, "-D", data, ...options), {
    stdout: "ignore",
    stderr: "ignore",
  });
  try {
    const url = `postgres://postgres@127.0.0.1:${port}/postgres`;
    await until("PostgreSQL", async () => {
      const sql = new Bun.SQL(url, { max: 1 });
      try {
        await sql.unsafe(TABLE);
        await sql.unsafe(ROWS);
        return true;
      } catch {
        return false; // not there yet
      } finally {
        await sql.close();
      }
    });
    await looksUp(url);
  } finally {
    server.kill("SIGTERM");
    await server.exited;
    rmSync(data, { recursive: true, force: true });
  }
});

test("a token stream from a backend: asked once, resumed, called off; broken is an error", async () => {
  let asked = 0;
  let ended = 0;
  const backend = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 0,
    async fetch(request) {
      asked++;
      const { messages } = (await request.json()) as { messages: { content: string }[] };
      const question = messages[0]?.content ?? "";
      if (question === "no") return new Response("no", { status: 429 });
      const encoder = new TextEncoder();
      request.signal.addEventListener("abort", () => void ended++);
      return new Response(
        (async function* () {
          for (let n = 1; n <= (question === "long" ? 1000 : 20); n++) {
            const line = `data: ${JSON.stringify({ choices: [{ delta: { content: `<${n}>` } }] })}\n\n`;
            // In two pieces, as networks have it.
            yield encoder.encode(line.slice(0, 20));
            await Bun.sleep(10);
            yield encoder.encode(line.slice(20));
          }
          if (question !== "broken") yield encoder.encode("data: [DONE]\n\n");
        })(),
      );
    },
  });
  const server = await start("relay", { MODEL_URL: `http://127.0.0.1:${backend.port}/chat` });
  const ask = async (id: string, body: string) => {
    const response = await fetch(`${server.url}/ask/${id}`, { method: "POST", body });
    return await response.text();
  };
  const whole = Array.from({ length: 20 }, (_, at) => `<${at + 1}>`).join("");
  const first = ask("question-1", "why?");
  await until("it was asked", () => asked === 1);
  const watcher = new EventClient(`${server.url}/ask/question-1`);
  await until("it is there", async () => (await watcher.once()) && watcher.events.length > 0);
  await watcher.follow();
  expect(watcher.text).toBe(whole);
  expect(await first).toEndWith("event: end\ndata: done\n\n:\n\n");
  expect(asked).toBe(1);
  expect(await ask("question-2", "broken")).toContain("event: error");
  expect(await ask("question-3", "no")).toContain("event: error");
  const long = ask("question-4", "long");
  await until("it was asked", () => asked === 4);
  await until(
    "it is there",
    async () => (await server.request("/ask/question-4", { method: "DELETE" })).status === 204,
  );
  expect(await long).toContain("the answer was called off");
  await until("the backend was let go", () => ended > 0);
  await server.stop();
  backend.stop(true);
});
