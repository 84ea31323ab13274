/**
 * What a file says about connections, observed on them: times for heads, bodies and readers, requests a
 * connection, sizes of heads, connections of a worker, and how they end. What the native listener does not do
 * (docs/doors.md) is tried on the wire listener alone.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { startNginx } from "../nginx/nginx-server.ts";
import { KernelSocket } from "./kernel-socket.ts";
import { ask, RawConnection } from "./raw-client.ts";
import { RawWebSocket } from "./raw-web-socket.ts";
import { freePort, layout, type RunningServer, startServer, until } from "./running-server.ts";

/** Deadlines are looked at once a second, and tests wait for them. */
const TOP = `client_header_timeout = "1s"
client_body_timeout = "1s"
send_timeout = "1s"
keepalive_requests = 3
keepalive_header = "20s"
keepalive_timeout = "30s"
send_buffer = "16KiB"
drain_rate = 0`;
const LIMITS = '[limits]\nmax_header_line_size = "1KiB"\nmax_header_size = "2KiB"\nmax_connections = 40';
const SUB = 'header_template = "^"';
const PUBLISH = "POST /pub?id=a HTTP/1.1\r\nHost: x\r\n";

async function endOf(socket: KernelSocket, withinMs = 10_000): Promise<"ended" | "reset"> {
  await until(
    "the server ends it",
    () => {
      while (socket.read().length > 0) if (socket.ended) break;
      return socket.ended;
    },
    withinMs,
  );
  return socket.wasReset ? "reset" : "ended";
}

/** Sends a piece now and then, until the server has had enough. Gives how many it took. */
async function trickle(
  connection: RawConnection,
  pieces: readonly string[],
  everyMs: number,
): Promise<number> {
  for (const [count, piece] of pieces.entries()) {
    if (connection.ended) return count;
    connection.send(piece);
    await Bun.sleep(everyMs);
  }
  return pieces.length;
}

describe("the wire listener", () => {
  let server: RunningServer;
  beforeAll(async () => {
    server = await startServer({
      toml: layout(`${TOP}\n${LIMITS}`, { sub: SUB }),
      workers: 1,
      args: ["--listener", "wire"],
    });
  });
  afterAll(async () => {
    await server.stop();
  });
  const open = () => RawConnection.open(server.port);

  test("half a head is answered 408, also bit by bit; whoever says nothing is not answered", async () => {
    const [half, slow, silent] = [await open(), await open(), await open()];
    half.send("GET /poll/a HTTP/1.1\r\nHo");
    const trickled = trickle(slow, Array(100).fill("G"), 100);
    expect((await half.head()).status).toBe(408);
    expect((await slow.head()).status).toBe(408);
    expect(await trickled).toBeLessThan(60);
    expect(await silent.untilEnd()).toHaveLength(0);
  });

  test("a second request has its own time", async () => {
    const connection = await open();
    for (let i = 0; i < 2; i++) {
      await trickle(connection, ["GET /poll/a HTTP/1.1\r\n", "Host: x\r\n"], 300);
      connection.send("\r\n");
      expect((await connection.answer()).status).toBe(304);
      await Bun.sleep(700);
    }
  });

  test("a body that stands still ends its connection, a slow one not; no half is published", async () => {
    const [still, slow] = [await open(), await open()];
    still.send(`${PUBLISH}Content-Length: 10\r\n\r\nabc`);
    slow.send(`${PUBLISH}Content-Length: 10\r\n\r\n`);
    await trickle(slow, [..."0123456789"], 350);
    expect((await slow.answer()).status).toBe(200);
    // nginx says nothing; here it hears that its request was none.
    expect((await still.head()).status).toBe(400);
    await still.untilEnd();
    expect((await server.statistics("a")).published_messages).toBe(1);
  });

  test("the answer to the last of keepalive_requests says so, and the connection ends", async () => {
    const connection = await open();
    const said: (string | undefined)[] = [];
    for (let i = 0; i < 3; i++) {
      connection.request("/poll/a");
      const { fields } = await connection.answer();
      said.push(`${fields.get("connection")} ${fields.get("keep-alive")}`);
    }
    expect(said).toEqual(["keep-alive timeout=20", "keep-alive timeout=20", "close undefined"]);
    await connection.untilEnd();
  });

  test.each([
    ["414: a request line of 1 KiB", `GET /poll/${"a".repeat(1024)} HTTP/1.1\r\nHost: x\r\n\r\n`, 414],
    ["431: a field of 1 KiB", `GET /poll/a HTTP/1.1\r\nHost: x\r\nX: ${"a".repeat(1024)}\r\n\r\n`, 431],
    [
      "431: fields of 2 KiB",
      `GET /poll/a HTTP/1.1\r\nHost: x\r\n${`X: ${"a".repeat(400)}\r\n`.repeat(6)}\r\n`,
      431,
    ],
    ["a little less", `GET /poll/a HTTP/1.1\r\nHost: x\r\n${`X: ${"a".repeat(400)}\r\n`.repeat(4)}\r\n`, 304],
  ])("%s", async (_, bytes, status) => {
    const connection = await open();
    connection.send(bytes);
    expect((await connection.head()).status).toBe(status);
    connection.close();
  });

  test("max_connections counts what is open, idle or not", async () => {
    const idle = await Promise.all(Array.from({ length: 41 }, open));
    // Who is still silent is closed in time, but not yet.
    expect((await ask(server.port, "/poll/a")).status).toBe(503);
    for (const one of idle) one.close();
    await until("there is room again", async () => (await ask(server.port, "/poll/a")).status === 304);
  });
});

describe.each(["native", "wire"])("the %s listener", (listener) => {
  let server: RunningServer;
  beforeAll(async () => {
    // The native one closes a connection whose stream has ended when it was idle for so long.
    const toml = layout(TOP.replace("30s", "4s"), { sub: SUB });
    server = await startServer({ toml, workers: 1, args: ["--listener", listener] });
  });
  afterAll(async () => {
    await server.stop();
  });

  test("a stream that takes nothing for send_timeout is cut off", async () => {
    const stuck = new KernelSocket(server.port, { receiveBuffer: 4096 });
    await stuck.send("GET /sub/much HTTP/1.1\r\nHost: x\r\n\r\n");
    await until("it stands", async () => (await server.statistics("much")).subscribers === 1);
    for (let i = 0; i < 30; i++) await server.publish("much", "x".repeat(100_000));
    await until("it has left", async () => (await server.statistics("much")).subscribers === 0, 20_000);
    await endOf(stuck);
  });

  test("so is a WebSocket, and whoever takes a little now and then is not", async () => {
    const stuck = new KernelSocket(server.port, { receiveBuffer: 4096 });
    await stuck.send(
      "GET /ws/much HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: /mQoZf6pRiv8+6o72GncLQ==\r\n\r\n",
    );
    const reader = await RawWebSocket.open(server.port, "/ws/much");
    await until("both stand", async () => (await server.statistics("much")).subscribers === 2);
    for (let i = 0; i < 30; i++) await server.publish("much", "x".repeat(100_000));
    for (let i = 0; i < 30; i++) expect((await reader.frame()).payload).toHaveLength(100_000);
    await until("it has left", async () => (await server.statistics("much")).subscribers === 1, 20_000);
    await endOf(stuck);
    reader.close();
  });
});

test.each(["native", "wire"])(
  "keepalive_timeout = 0 and max_header_size on the %s listener",
  async (listener) => {
    const toml = layout('keepalive_timeout = 0\n[limits]\nmax_header_size = "2KiB"', { sub: SUB });
    const server = await startServer({ toml, workers: 1, args: ["--listener", listener] });
    try {
      const connection = await RawConnection.open(server.port);
      connection.request("/poll/a");
      expect((await connection.answer()).fields.get("connection")).toBe("close");
      await connection.untilEnd();
      const headers = Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`X-${i}`, "a".repeat(400)]));
      expect((await ask(server.port, "/poll/a", { headers })).status).toBe(431);
    } finally {
      await server.stop();
    }
  },
);

test.each([
  ["", "ended"],
  ["reset_timedout_connection = true\n", "reset"],
] as const)("%p: a connection whose time is over is %s", async (more, how) => {
  const server = await startServer({
    toml: layout(`${more}client_body_timeout = "1s"\nkeepalive_timeout = "1s"`, { sub: SUB }),
    workers: 1,
    args: ["--listener", "wire"],
  });
  try {
    const [idle, half] = [new KernelSocket(server.port), new KernelSocket(server.port)];
    await idle.send("GET /poll/a HTTP/1.1\r\nHost: x\r\n\r\n");
    await half.send(`${PUBLISH}Content-Length: 10\r\n\r\nabc`);
    // nginx resets what is timed out, and lets those that are merely idle go in peace.
    expect(await endOf(idle)).toBe("ended");
    expect(await endOf(half)).toBe(how);
  } finally {
    await server.stop();
  }
});

test("no TLS handshake, or half of one, has the time of a head; whoever makes one is served", async () => {
  const folder = join(import.meta.dir, "../listen/certificates");
  const server = await startNginx(
    (
      port,
    ) => `worker_processes 1; events {} http { push_stream_shared_memory_size 4m; client_header_timeout 2s;
      server { listen 127.0.0.1:${port} ssl; ssl_certificate ${folder}/one.pem;
        ssl_certificate_key ${folder}/one.key;
        location / { return 200 "<$scheme>"; } } }`,
  );
  try {
    const [silent, half] = [new KernelSocket(server.port), new KernelSocket(server.port)];
    await half.send("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03");
    const url = `https://127.0.0.1:${server.port}/`;
    const answer = await fetch(url, { tls: { rejectUnauthorized: false } });
    expect(await answer.text()).toBe("<https>");
    await endOf(silent);
    await endOf(half);
  } finally {
    await server.stop();
  }
});

test("servers of an nginx.conf have their own on their own addresses", async () => {
  const other = freePort();
  const several = await startNginx(
    (port, folder) => `pid ${folder}/nginx.pid; error_log ${folder}/e.log; events { }
      http { access_log off; keepalive_requests 1;
      server { listen 127.0.0.1:${port}; return 204; }
      server { listen 127.0.0.1:${other}; keepalive_requests 9; large_client_header_buffers 1 1k;
        return 204; } }`,
  );
  try {
    const long = { "X-Long": "x".repeat(1100) };
    const told = async (port: number): Promise<unknown[]> => {
      const { fields } = await ask(port, "/");
      return [fields.get("connection"), (await ask(port, "/", { headers: long })).status];
    };
    expect(await told(several.port)).toEqual(["close", 204]);
    expect(await told(other)).toEqual(["keep-alive", 431]);
  } finally {
    await several.stop();
  }
});
