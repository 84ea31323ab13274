/**
 * What a listener of our own and Bun's must have in common, whatever is asked of them: push-stream spec 0.5,
 * 4.4, 4.17, and the corners of HTTP in which the two could differ. Raw bytes over an nginx.conf.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { connect } from "node:net";
import { ask, RawConnection, standing } from "../binary/raw-client.ts";
import { type RunningServer, until } from "../binary/running-server.ts";
import { type Ground, onBothGrounds } from "./grounds.ts";
import { startNginx } from "./nginx-server.ts";

const location = (name: string, role: string): string =>
  `location ~ ^/${name}/(.*)$ { push_stream_subscriber ${role}; push_stream_channels_path $1; }\n`;
const conf = ({ server }: Ground): string =>
  location("poll", "polling") +
  location("lp", "long-polling") +
  location("st", "streaming") +
  location("ev", "eventsource") +
  server;

onBothGrounds("listeners", (ground) => {
  const { header } = ground;
  let server: RunningServer;
  let channels = 0;
  const fresh = (): string => `l${++channels}`;

  beforeAll(async () => {
    server = await startNginx({ workers: ground.workers, locations: conf(ground) });
  });
  afterAll(async () => {
    expect(await server.stop()).toBe(0);
  });

  const target = async (line: string, lines = "Host: x\r\n"): Promise<number> => {
    const connection = await RawConnection.open(server.port);
    connection.send(`${line}\r\n${lines}\r\n`);
    const { status } = await connection.head();
    connection.close();
    return status;
  };

  test.each([
    ["the whole address as target", "GET http://other:80/poll/h HTTP/1.1", "Host: x\r\n", 304],
    ["a whole address without path", "GET http://other HTTP/1.1", "Host: x\r\n", 404],
    ["a Host that is a path", "GET /poll/h HTTP/1.1", "Host: x/poll\r\n", 400],
    ["a Host with a space", "GET /poll/h HTTP/1.1", "Host: a b\r\n", 400],
    ["an empty Host", "GET /poll/h HTTP/1.1", "Host:\r\n", ground.early ? 400 : 304],
    ["an odd port", "GET /poll/h HTTP/1.1", "Host: x:y\r\n", ground.early ? 400 : 304],
    ["no Host, HTTP/1.0", "GET /poll/h HTTP/1.0", "", 304],
    ["no Host, HTTP/1.1", "GET /poll/h HTTP/1.1", "", 400],
    ["dots", "GET /nowhere/../poll/./h HTTP/1.1", "Host: x\r\n", 304],
    ["bytes that a URL escapes", "GET /poll/\"<>{}|^`' HTTP/1.1", "Host: x\r\n", 304],
  ])("%s", async (_what, line, lines, status) => {
    expect(await target(line, lines)).toBe(status);
  });

  test("Connection says what happens (0.5)", async () => {
    for (const [version, headers, says] of [
      // Bun tells no version, and keeps no connection of HTTP/1.0: where it serves, nothing is said of what
      // goes without saying.
      ["1.1", {}, ground.early ? "keep-alive" : undefined],
      ["1.1", { Connection: "close" }, "close"],
      ["1.0", { Connection: "close" }, "close"],
      // Bun's server keeps no connection of HTTP/1.0, and may not say that it does.
      [
        "1.0",
        { Connection: "keep-alive", ...(ground.early ? {} : { Host: "" }) },
        ground.early ? "keep-alive" : "close",
      ],
    ] as const) {
      const connection = await RawConnection.open(server.port);
      connection.request("/poll/h", { version, headers });
      const answer = await connection.answer();
      expect(answer.fields.get("connection")).toBe(says);
      if (says === "close") expect((await connection.untilEnd()).length).toBe(0);
      connection.close();
    }
  });

  test("HTTP/1.0: the answer of a poll ends with the connection", async () => {
    const id = fresh();
    await server.publish(id, "old");
    const answer = await ask(server.port, `/poll/${id}.b1`, { version: "1.0" });
    expect(answer.statusLine).toBe("HTTP/1.1 200 OK");
    expect(answer.fields.has("transfer-encoding")).toBeFalse();
    expect(answer.body.toString()).toBe(`${header}old`);
  });

  test("several requests in one write are answered in order", async () => {
    const id = fresh();
    const connection = await RawConnection.open(server.port);
    const host = "HTTP/1.1\r\nHost: x\r\n";
    connection.send(
      `POST /pub?id=${id} ${host}Content-Length: 3\r\n\r\nabcGET /poll/${id}.b1 ${host}\r\n` +
        `HEAD /lp/${id} ${host}\r\nPUT /lp/${id} ${host}Content-Length: 5\r\n\r\n` +
        `GET /GET /pub?id=${id} ${host}\r\n`,
    );
    expect((await connection.answer()).status).toBe(200);
    expect((await connection.answer()).body.toString()).toBe(`${header}abc`);
    expect((await connection.answer("HEAD")).status).toBe(405);
    expect((await connection.answer()).status).toBe(405);
    expect((await connection.answer()).body.toString()).toContain('"published_messages": 1');
    connection.close();
  });

  test.each(["lp", "st", "ev"])(
    "/%s: a client that leaves, ends its side, or breaks off, stands no more (4.17)",
    async (name) => {
      const id = fresh();
      for (const leave of ["destroy", "end", "resetAndDestroy"] as const) {
        const socket = connect(server.port, "127.0.0.1");
        socket.on("error", () => undefined);
        socket.write(`GET /${name}/${id} HTTP/1.1\r\nHost: x\r\n\r\n`);
        await standing(server.port, id);
        socket[leave]();
        await standing(server.port, id, 0);
        socket.destroy();
      }
      expect((await server.summary()).by_worker.reduce((sum, { subscribers }) => sum + subscribers, 0)).toBe(
        0,
      );
    },
  );

  test("a client that ends its side after the request gets its answer", async () => {
    const id = fresh();
    for (const [request, says] of [
      [`POST /pub?id=${id} HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc`, '"published_messages": 1'],
      [`GET /poll/${id}.b1 HTTP/1.1\r\nHost: x\r\n\r\n`, "abc"],
    ] as const) {
      const socket = connect({ port: server.port, host: "127.0.0.1", allowHalfOpen: true });
      let answer = "";
      socket.on("data", (data) => {
        answer += data;
      });
      socket.end(request);
      await until("the answer", () => answer.includes(says));
      socket.destroy();
    }
  });

  test("a slow reader gets 12 MB to the byte, stream or poll", async () => {
    const id = fresh();
    const message = Buffer.alloc(500_000, "0123456789abcdefghijklmnopqrstuvw");
    for (let i = 0; i < 12; i++) {
      message.writeUInt32BE(i);
      await server.publish(id, new Uint8Array(message));
    }
    for (const name of ["st", "poll"]) {
      const connection = await RawConnection.open(server.port);
      connection.request(`/${name}/${id}.b12`);
      await connection.head();
      await Bun.sleep(50);
      await connection.chunked(header.length);
      for (let i = 0; i < 12; i++) {
        message.writeUInt32BE(i);
        expect(message.equals(await connection.chunked(message.length))).toBeTrue();
      }
      connection.close();
    }
  });
});
