/**
 * docs/handlers.md and docs/handlers-reference.md, which are one configuration: their examples, as they stand
 * there, compile against the published types and do what the text says.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ask, RawConnection } from "../binary/raw-client.ts";
import { Opcode, RawWebSocket } from "../binary/raw-web-socket.ts";
import { type RunningServer, until } from "../binary/running-server.ts";
import { folderWith, removeFolders, startHandlers } from "./handler-server.ts";

setDefaultTimeout(60_000);
afterAll(removeFolders);

const root = join(import.meta.dir, "../..");
const manual = ["handlers.md", "handlers-reference.md"]
  .map((name) => readFileSync(join(root, "docs", name), "utf8"))
  .join("\n");
const recipes = readdirSync(join(root, "docs/recipes/handlers"));
const blocks = (language: string): string[] =>
  Array.from(
    manual.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, "gms")),
    ([, text = ""]) => text,
  );
const files = Object.fromEntries(
  blocks("ts").map((text) => [/^\/\/ (\S+)\n/.exec(text)?.[1] ?? "unnamed.ts", text]),
);
/** The address is the test's. */
const toml = blocks("toml")
  .join("\n")
  .replace(/^listen = .*\n/m, "");

let server: RunningServer;
beforeAll(async () => {
  server = await startHandlers({ workers: 2, listener: "native" }, { files, toml });
});
afterAll(async () => {
  await server.stop();
});

test("every example has a name and a location", () => {
  expect(Object.keys(files)).toEqual([
    "lines.ts",
    "echo.ts",
    "limit.ts",
    "clean.ts",
    "model.ts",
    "upload.ts",
    "first.ts",
    "both.ts",
    "hello.ts",
    "follow.ts",
    "visits.ts",
    "members.ts",
    "chat.ts",
  ]);
  for (const name of Object.keys(files)) expect(toml).toContain(`"${name}"`);
});

test("they compile in strict mode, with nothing but the published types and Bun's", () => {
  const folder = folderWith({
    ...files,
    ...Object.fromEntries(
      recipes.map((name) => [
        `recipe-${name}`,
        readFileSync(join(root, "docs/recipes/handlers", name), "utf8"),
      ]),
    ),
    "sluice.d.ts": readFileSync(join(root, "src/handlers/sluice.d.ts"), "utf8"),
  });
  const compilerOptions = {
    strict: true,
    noUncheckedIndexedAccess: true,
    exactOptionalPropertyTypes: true,
    noPropertyAccessFromIndexSignature: true,
    noEmit: true,
    target: "ESNext",
    module: "Preserve",
    lib: ["ESNext"],
    types: [join(root, "node_modules/bun-types")],
    skipLibCheck: true,
  };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["*.ts"] }));
  const run = Bun.spawnSync([join(root, "node_modules/.bin/tsc"), "-p", folder]);
  expect(run.stdout.toString()).toBe("");
  expect(run.exitCode).toBe(0);
  rmSync(folder, { recursive: true });
});

test("lines come one by one", async () => {
  const connection = await RawConnection.open(server.port);
  connection.request("/lines?n=2");
  await connection.head();
  expect(await connection.chunkedText(12)).toBe("line 1 of 2\n");
  expect(connection.unread).toBe(0);
  expect(await connection.chunkedText(12)).toBe("line 2 of 2\n");
  expect((await connection.restOfChunks()).length).toBe(0);
  connection.close();
});

test("the echo echoes, up to its limit", async () => {
  const socket = await RawWebSocket.open(server.port, "/echo");
  socket.sendFrame(Opcode.TEXT, "hello");
  expect(await socket.text()).toBe("hello");
  socket.sendFrame(Opcode.BINARY, new Uint8Array(65_535));
  expect((await socket.frame()).payload.length).toBe(65_535);
  socket.sendFrame(Opcode.BINARY, new Uint8Array(65_536));
  expect((await socket.frame()).payload.readUInt16BE()).toBe(1009);
  await until("its line", () => server.log.includes("closed after 2 messages: 1009"));
});

test("the echo pings a client that is silent for five seconds", async () => {
  const socket = await RawWebSocket.open(server.port, "/echo");
  expect((await socket.frame()).opcode).toBe(Opcode.PING);
  socket.close();
});

test("hello", async () => {
  const get = await ask(server.port, "/hello/Anna");
  expect(get.body.toString()).toBe("Hello, Anna!\n");
  const post = await ask(server.port, "/hello/Anna", { method: "POST", body: "back" });
  expect([post.status, post.fields.get("x-from"), post.body.toString()]).toEqual([201, "hello.ts", "back"]);
});

test("follow", async () => {
  // Of its own: every minute an example publishes to news.
  await server.publish("followed", "one");
  const connection = await RawConnection.open(server.port);
  connection.request("/follow/followed");
  await connection.head();
  expect(await connection.chunkedText(16)).toBe("1 stored\n1: one\n");
  await server.publish("followed", "two");
  expect(await connection.chunkedText(7)).toBe("2: two\n");
  connection.close();
});

test("members", async () => {
  expect((await ask(server.port, "/events/all/anna-1")).status).toBe(401);
  const connection = await RawConnection.open(server.port);
  connection.request("/events/all/anna-1/bob-1?token=secret-of-anna");
  expect((await connection.head()).status).toBe(200);
  await until("three subscriptions", async () =>
    (
      await Promise.all(["all", "anna-1", "inbox-anna"].map((name) => server.request(`/pub?id=${name}`)))
    ).every(({ text }) => text.includes('"subscribers": 1')),
  );
  expect((await server.request("/pub?id=bob-1")).status).toBe(404);
  connection.close();
});

test("chat", async () => {
  const socket = await RawWebSocket.open(server.port, "/chat/room");
  socket.sendFrame(Opcode.TEXT, "damn it");
  expect(await socket.text()).toBe("d*** it");
  socket.sendFrame(Opcode.TEXT, "x".repeat(501));
  const { payload } = await socket.frame();
  expect([payload.readUInt16BE(), payload.subarray(2).toString().includes("at most 500 bytes")]).toEqual([
    1008,
    true,
  ]);
  await until("the other hook", () => server.log.includes("somebody left room"));
});

test("limit: thirty a minute, over both workers", async () => {
  const minute = (): number => Math.floor(Date.now() / 60_000);
  const controller = new AbortController();
  const init = { headers: { "X-Api-Key": "one" }, signal: controller.signal };
  const began = minute();
  let refused = 0;
  for (let count = 0; count < 75; count++)
    void fetch(`${server.url}/news/limited`, init).then(
      ({ status }) => {
        if (status === 429) refused++;
      },
      () => null,
    );
  // At the turn of the minute it begins anew.
  await until("the others to be refused", () => refused >= 45 || minute() !== began);
  if (minute() === began) expect(refused).toBe(45);
  controller.abort();
});

test("visits and cleaned", async () => {
  expect((await ask(server.port, "/visits/home")).body.toString()).toBe("1\n");
  expect((await ask(server.port, "/visits/home")).body.toString()).toBe("2\n");
  expect((await ask(server.port, "/cleaned")).body.toString()).toMatch(/^[01]\n$/);
});

test("model: POST begins, GET comes back, DELETE calls off", async () => {
  const first = await server.request("/answers/a1b2c3d4", { method: "POST", body: "Why?" });
  expect(first.text).toContain("data:  do\n");
  expect(first.text).toEndWith("event: end\ndata: done\n\n:\n\n");
  expect((await server.request("/answers/a1b2c3d4")).text).toContain("data: You\n");
  expect((await server.request("/answers/never-begun")).status).toBe(404);
  expect((await server.request("/answers/a1b2c3d4", { method: "DELETE" })).status).toBe(404);
});

test("upload, first and both", async () => {
  expect((await server.request("/upload?name=x", { method: "POST", body: "12345" })).text).toBe("5 bytes\n");
  const first = server.request("/first");
  const connection = await RawConnection.open(server.port);
  connection.request("/both");
  await connection.head();
  await until("two readers", async () =>
    (await server.request("/pub?id=news")).text.includes('"subscribers": 2'),
  );
  await server.publish("news", "hello");
  expect((await first).text).toBe("hello\n");
  await until("it among the times", async () => (await connection.chunkedText(1)) === "h");
  connection.close();
});
