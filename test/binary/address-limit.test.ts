/**
 * `max_connections_per_address`: what is held counts while it is held, what is answered does not, whatever
 * becomes of it meanwhile.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { folderWith, removeFolders } from "../handlers/handler-server.ts";
import { KernelSocket } from "./kernel-socket.ts";
import { ask, RawConnection } from "./raw-client.ts";
import { HANDSHAKE, Opcode, RawWebSocket } from "./raw-web-socket.ts";
import { layout, type RunningServer, startServer, until } from "./running-server.ts";

const MOST = 3;
const ONE = "127.0.0.2";
const OTHER = "127.0.0.3";
const LIMIT = `max_connections_per_address = "${MOST}"`;
const HANDLERS = {
  "lines.ts": `
    export default async function* ({ sleep }) {
      yield "begun\\n";
      for (;;) { await sleep(1000); yield "x\\n"; }
    }`,
  "echo.ts": "export const websocket = { message(socket, data) { socket.send(data); } };",
};
const toml =
  layout("", {
    pub: LIMIT,
    sub: `header_template = "^"\n${LIMIT}`,
    ev: `${LIMIT}\nturn_away = "retry"`,
    lp: LIMIT,
    poll: LIMIT,
    ws: LIMIT,
  }) +
  Object.keys(HANDLERS)
    .map((file) => `[[location]]\nmatch = "= /${file}"\nhandler = "${file}"\n${LIMIT}\n`)
    .join("") +
  `[[location]]\nmatch = "= /other"\npublisher = "normal"\nchannels_path = "o"\n` +
  `max_connections_per_address = "1 zone other status 429"\n`;

interface Kind {
  readonly name: string;
  hold(): Promise<{ close(): void }>;
}

describe.each(["native", "wire"])("on the %s listener", (listener) => {
  let server: RunningServer;
  const open: { close(): void }[] = [];
  beforeAll(async () => {
    server = await startServer({
      folder: folderWith(HANDLERS),
      toml,
      workers: 1,
      args: ["--listener", listener],
    });
  });
  afterEach(async () => {
    for (const one of open.splice(0)) one.close();
    await until("all have left", async () => (await answers(`/pub?id=${CHANNEL}`)) === 200);
  });
  afterAll(async () => {
    await server.stop();
    removeFolders();
  });

  const CHANNEL = "a";
  const answers = async (path: string, from = ONE): Promise<number> => {
    const isPost = path.startsWith("/pub") || path.startsWith("/other");
    return (await ask(server.port, path, isPost ? { method: "POST", body: "x" } : {}, from)).status;
  };
  const stream = (path: string) => async (): Promise<RawConnection> => {
    const connection = await RawConnection.open(server.port, ONE);
    open.push(connection);
    connection.request(path);
    expect((await connection.head()).status).toBe(200);
    return connection;
  };
  const socket = (path: string) => async (): Promise<RawWebSocket> => {
    const opened = await RawWebSocket.open(server.port, path, {}, ONE);
    open.push(opened);
    return opened;
  };
  const kinds: readonly Kind[] = [
    { name: "streams", hold: stream("/sub/a") },
    { name: "event sources", hold: stream("/ev/a") },
    {
      name: "long polls",
      async hold() {
        const { subscribers } = await server.statistics("waited");
        const connection = await RawConnection.open(server.port, ONE);
        open.push(connection);
        connection.request("/lp/waited");
        await until("it waits", async () => (await server.statistics("waited")).subscribers > subscribers);
        return connection;
      },
    },
    { name: "WebSockets", hold: socket("/ws/a") },
    { name: "streams of handlers", hold: stream("/lines.ts") },
    { name: "WebSockets of handlers", hold: socket("/echo.ts") },
  ];

  test.each(kinds)("$name count while they are held", async ({ hold }) => {
    const held = [];
    for (let i = 0; i < MOST; i++) held.push(await hold());
    const refused = await ask(server.port, "/sub/a", {}, ONE);
    expect(refused.status).toBe(503);
    expect(refused.fields.get("retry-after")).toBe("1");
    expect(refused.fields.get("x-nginx-pushstream-explain")).toBe("Too many connections of this address.");
    for (const path of ["/pub?id=a", "/poll/a", "/lp/a", "/lines.ts"]) expect(await answers(path)).toBe(503);
    expect((await ask(server.port, "/ws/a", { headers: HANDSHAKE }, ONE)).status).toBe(503);
    // An event source is told in words that it understands.
    expect((await ask(server.port, "/ev/a", {}, ONE)).body.toString()).toContain(
      ": Too many connections of this address.\nretry: ",
    );
    // Of another address, of another zone, and what nobody limits.
    expect(await answers("/pub?id=a", OTHER)).toBe(200);
    expect(await answers("/other")).toBe(200);
    expect(await answers("/channels-stats?id=a")).toBe(200);
    held[0]?.close();
    await until("there is room again", async () => (await answers("/pub?id=a")) === 200);
    await hold();
    expect(await answers("/pub?id=a")).toBe(503);
  });

  test("a thousand that are answered do not add up, whatever the answer is", async () => {
    const connection = await RawConnection.open(server.port, ONE);
    open.push(connection);
    for (let i = 0; i < 250; i++) {
      for (const path of ["/pub?id=b", "/poll/b", "/sub/ALL", "/nowhere"]) {
        connection.request(path);
        expect([200, 304, 403, 404]).toContain((await connection.answer()).status);
      }
    }
  });

  test("of many that come at once no more are let in than may stand", async () => {
    const connections = await Promise.all(
      Array.from({ length: 20 }, () => RawConnection.open(server.port, ONE)),
    );
    open.push(...connections);
    for (const connection of connections) connection.request("/sub/a");
    const statuses = await Promise.all(connections.map(async (one) => (await one.head()).status));
    expect(statuses.filter((status) => status === 200)).toHaveLength(MOST);
    expect(statuses.filter((status) => status === 503)).toHaveLength(20 - MOST);
  });

  test("clients that reset their connections in the middle of anything leave no place taken", async () => {
    const handshake = Object.entries({ Host: "x", ...HANDSHAKE }).map(
      ([name, value]) => `${name}: ${value}\r\n`,
    );
    const halves = [
      "POST /pub?id=a HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc",
      "POST /pub?id=a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
      "POST /lines.ts HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc",
      ...["/sub/a", "/ev/a", "/lp/a", "/poll/a", "/lines.ts"].map(
        (path) => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`,
      ),
      ...["/ws/a", "/echo.ts"].map((path) => `GET ${path} HTTP/1.1\r\n${handshake.join("")}\r\n`),
    ];
    for (const waitMs of [0, 5, 50]) {
      for (const half of halves) {
        // As 127.0.0.1, which is an address like another.
        const socket = new KernelSocket(server.port);
        await socket.send(half);
        await Bun.sleep(waitMs);
        socket.reset();
      }
    }
    await until("all places are free", async () => {
      const held = await Promise.all(Array.from({ length: MOST }, () => RawConnection.open(server.port)));
      for (const one of held) one.request("/sub/a");
      const statuses = await Promise.all(held.map(async (one) => (await one.head()).status));
      for (const one of held) one.close();
      return statuses.every((status) => status === 200);
    });
  });

  test("a WebSocket that is refused after its handshake leaves its place", async () => {
    for (let i = 0; i < MOST; i++) {
      const refused = await RawWebSocket.open(server.port, "/ws/ALL", {}, ONE);
      open.push(refused);
      expect((await refused.frame()).opcode).toBe(Opcode.CLOSE);
    }
    await until("its places are free", async () => (await answers("/pub?id=a")) === 200);
  });
});
