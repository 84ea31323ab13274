/**
 * Requests nobody should send (promise P8), on the compiled binary with two workers: each gets one answer or
 * a closed connection, publishes nothing, and leaves the same workers serving without a word in the log. What
 * well-formed requests are answered is in test/publish and test/subscribe.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { KernelSocket } from "./kernel-socket.ts";
import { clientFrame, PulledBody, PulledWebSocket } from "./pulled-client.ts";
import { layout, type RunningServer, startServer, until } from "./running-server.ts";

const MAX_BODY = 65_536;
const toml = layout(`[limits]\nmax_body_size = ${MAX_BODY}`, {
  sub: 'header_template = "\\n"\nmessage_template = "~text~\\n"',
  ev: 'event_ids = "auto"',
  ws: "websocket_allow_publish = true",
});

describe.each(["native", "wire"])("%s listener", (listener) => {
  const isNative = listener === "native";
  let server: RunningServer;
  let workers: number[] = [];
  let witness: PulledBody;
  let witnessed = 0;

  beforeAll(async () => {
    server = await startServer({ toml, args: ["--listener", listener] });
    workers = await server.workerPids();
    witness = await PulledBody.get(server.port, "/sub/witness");
  });

  /** After each test: the same processes, a subscriber that noticed nothing, nothing in the log. */
  afterEach(async () => {
    expect(await server.workerPids()).toEqual(workers);
    expect((await server.publish("witness", `${witnessed}`)).status).toBe(200);
    let seen = "";
    await until("the witness hears", () => {
      seen += witness.pull().toString();
      return seen.trim() === `${witnessed}`;
    });
    witnessed++;
    expect(server.log.trim().split("\n")).toHaveLength(1);
  });

  afterAll(async () => {
    witness.socket.close();
    expect(await server.stop()).toBe(0);
  });

  interface Outcome {
    /** Of the first answer; 0 = the connection was closed without one. */
    readonly status: number;
    readonly text: string;
    readonly ended: boolean;
  }

  const UNTIL_CLOSED = Number.POSITIVE_INFINITY;

  /**
   * Sends the text as one connection's whole conversation; the outcome is there at its end or at so many
   * whole heads.
   */
  async function converse(text: string, answers = 1): Promise<Outcome> {
    const socket = new KernelSocket(server.port);
    await socket.send(text);
    let received = "";
    await until(`an answer to ${JSON.stringify(text.slice(0, 60))}`, () => {
      received += Buffer.from(socket.read()).toString("latin1");
      return socket.ended || received.split("\r\n\r\n").length > answers;
    });
    socket.close();
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(received)?.[1] ?? 0);
    return { status, text: received, ended: socket.ended };
  }

  const HOST = "Host: x\r\n";
  const published = async (channel: string): Promise<number> => {
    const { status, text } = await server.request(`/channels-stats?id=${channel}`);
    return status === 404 ? 0 : JSON.parse(text).published_messages;
  };

  describe("what is not HTTP", () => {
    const cases: readonly [string, string, readonly number[]][] = [
      ["bytes", "\x00\x01\x02\xff\xfe garbage \x16\x03\x01\r\n\r\n", [400]],
      ["a TLS hello", `\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03${"\xaa".repeat(200)}`, [400]],
      ["the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [400, 505]],
      ["HTTP/0.9", "GET /health/live\r\n", [400, 505]],
      ["HTTP/9.9", `GET /health/live HTTP/9.9\r\n${HOST}\r\n`, [400, 505]],
      ["line feeds alone", "GET /health/live HTTP/1.1\nHost: x\n\n", isNative ? [400, 505] : [200]],
      ["a method nobody knows", `BREW /pub?id=a HTTP/1.1\r\n${HOST}\r\n`, [0, 400, 405, 501]],
      ["a method in small letters", `get /health/live HTTP/1.1\r\n${HOST}\r\n`, [0, 400, 405, 501]],
      ["a target without a slash", `GET health HTTP/1.1\r\n${HOST}\r\n`, [400]],
      ["a blank in the target", `GET /poll/a b HTTP/1.1\r\n${HOST}\r\n`, [400, 505]],
      ["a control character in the target", `GET /poll/a\x01b HTTP/1.1\r\n${HOST}\r\n`, [400, 505]],
      ["a header line without a colon", `GET /health/live HTTP/1.1\r\n${HOST}garbage\r\n\r\n`, [400]],
      ["a blank before the colon", `GET /health/live HTTP/1.1\r\n${HOST}X : a\r\n\r\n`, [400]],
      ["a folded header", `GET /health/live HTTP/1.1\r\n${HOST}X: a\r\n b\r\n\r\n`, [400]],
      ["a zero in a header", `GET /health/live HTTP/1.1\r\n${HOST}X: a\x00b\r\n\r\n`, [400]],
      ["a host that is none", "GET /health/live HTTP/1.1\r\nHost: a b/c?d\r\n\r\n", [400]],
    ];
    test.each(cases)("%s: refused", async (_name, text, statuses) => {
      const { status, ended } = await converse(text);
      expect(statuses).toContain(status);
      if (status === 0) expect(ended).toBeTrue();
    });
  });

  describe("a request head without end", () => {
    const cases: readonly [string, string, number][] = [
      ["one header of 100 kB", `GET /health/live HTTP/1.1\r\n${HOST}X: ${"a".repeat(100_000)}\r\n\r\n`, 431],
      ["5,000 headers", `GET /health/live HTTP/1.1\r\n${HOST}${"X-Y: z\r\n".repeat(5000)}\r\n`, 431],
      ["a target of 100 kB", `GET /sub/${"a".repeat(100_000)} HTTP/1.1\r\n${HOST}\r\n`, isNative ? 431 : 414],
    ];
    test.each(cases)("%s: refused", async (_name, text, status) => {
      expect(await converse(text, UNTIL_CLOSED)).toMatchObject({ status, ended: true });
    });
  });

  describe("bodies that are not what the head says", () => {
    const post = (head: string, body: string) =>
      `POST /pub?id=misframed HTTP/1.1\r\n${HOST}${head}\r\n\r\n${body}`;
    const cases: readonly [string, string, number?][] = [
      ["a negative length", post("Content-Length: -5", "abc")],
      ["a length in letters", post("Content-Length: abc", "abc")],
      ["a length beyond all numbers", post("Content-Length: 99999999999999999999999", "abc")],
      ["two lengths", post("Content-Length: 3\r\nContent-Length: 5", "abcde")],
      [
        "a length and chunks",
        post("Content-Length: 3\r\nTransfer-Encoding: chunked", "3\r\nabc\r\n0\r\n\r\n"),
      ],
      ["a chunk size in letters", post("Transfer-Encoding: chunked", "zz\r\nabc\r\n0\r\n\r\n")],
      [
        "a chunk size beyond all numbers",
        post("Transfer-Encoding: chunked", "ffffffffffffffffff\r\nabc\r\n"),
        isNative ? 400 : 413,
      ],
      ["a chunk longer than it says", post("Transfer-Encoding: chunked", "3\r\nabcdef\r\n0\r\n\r\n")],
    ];
    test.each(cases)("%s: refused, nothing is published", async (_name, text, status = 400) => {
      expect(await converse(text, UNTIL_CLOSED)).toMatchObject({ status, ended: true });
      expect(await published("misframed")).toBe(0);
    });

    test("50 MB where 64 kB are allowed: the sender reads 413, by length and in chunks", async () => {
      const huge = new Uint8Array(50 * 1024 * 1024);
      const chunked = () =>
        new ReadableStream({
          start(controller) {
            for (let i = 0; i < 50; i++) controller.enqueue(huge.subarray(0, 1024 * 1024));
            controller.close();
          },
        });
      for (const body of [huge, chunked(), huge, chunked()]) {
        const { status } = await server.request("/pub?id=huge", { method: "POST", body });
        expect(status).toBe(413);
      }
      expect(await published("huge")).toBe(0);
    });
  });

  describe("clients that vanish", () => {
    const halves: readonly [string, string][] = [
      ["in the request line", "POST /pub?id=vanished HT"],
      ["in the head", `POST /pub?id=vanished HTTP/1.1\r\n${HOST}Content-Le`],
      ["before the body", `POST /pub?id=vanished HTTP/1.1\r\n${HOST}Content-Length: 10\r\n\r\n`],
      ["in the body", `POST /pub?id=vanished HTTP/1.1\r\n${HOST}Content-Length: 10\r\n\r\nabc`],
      ["in a chunk", `POST /pub?id=vanished HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\na\r\nabc`],
      [
        "before the last chunk",
        `POST /pub?id=vanished HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n`,
      ],
    ];
    test.each(halves)("%s: nothing is published", async (_name, text) => {
      for (let i = 0; i < 20; i++) {
        const socket = new KernelSocket(server.port);
        await socket.send(text);
        if (i % 2 === 0) await Bun.sleep(1);
        if (i % 4 < 2) socket.reset();
        else socket.close();
      }
      // Whatever they set going is over when requests behind them are answered.
      for (let i = 0; i < 10; i++) expect((await server.publish("after", "x")).status).toBe(200);
      expect(await published("vanished")).toBe(0);
    });

    test("while they wait for messages: they are counted no more, and nobody trips over them", async () => {
      const held = [];
      for (let i = 0; i < 30; i++) {
        const path = [`/sub/gone`, `/ev/gone`, `/lp/gone`][i % 3];
        const socket = new KernelSocket(server.port);
        await socket.send(`GET ${path} HTTP/1.1\r\n${HOST}\r\n`);
        held.push(socket);
        if (i % 3 === 0) held.push((await PulledWebSocket.open(server.port, "/ws/gone")).socket);
      }
      await until("they stand", async () => (await server.statistics("gone")).subscribers === 40);
      held.forEach((socket, i) => {
        if (i % 2 === 0) socket.reset();
        else socket.close();
      });
      for (let i = 0; i < 20; i++) await server.publish("gone", "x".repeat(10_000));
      await until("they are gone", async () => (await server.statistics("gone")).subscribers === 0);
      expect((await server.summary()).subscribers).toBe(1);
    });
  });

  describe("paths, positions and dates that mean nothing", () => {
    const paths: readonly [string, number][] = [
      ["/poll/%zz", 400],
      ["/poll/a%", 400],
      ["/poll/a%4", 400],
      ["/poll/a%00b", 400],
      ["/../../etc/passwd", 400],
      ["/poll/../../x", 400],
      ["/poll/%2e%2e/%2e%2e/x", 400],
      ["/nothing/here", 404],
      ["/poll/", 400],
      ["/poll/a.b99999999999999999999999", 304],
    ];
    test.each(paths)("%s: %i", async (path, status) => {
      expect((await converse(`GET ${path} HTTP/1.1\r\n${HOST}\r\n`)).status).toBe(status);
    });

    test("a thousand channels in one path: 400", async () => {
      const { status } = await converse(`GET /poll/${"a/".repeat(1000)} HTTP/1.1\r\n${HOST}\r\n`);
      expect(status).toBe(400);
    });

    const headers: readonly string[] = [
      "Last-Event-ID: \xff\xfe-99999999999999999999999999,,,-1",
      `Last-Event-ID: ${"9".repeat(8000)}`,
      `Last-Event-ID: zzzzzzzzzzzz-${"1,".repeat(2000)}1`,
      "If-None-Match: W/99999999999999999999",
      'If-None-Match: """,W/,*',
      "If-Modified-Since: Thu, 99 Foo 99999 99:99:99 GMT",
      "If-Modified-Since: -1",
      `If-Modified-Since: ${"9".repeat(5000)}`,
      "If-Modified-Since: Thu, 01 Jan 1970 00:00:00 GMT\r\nIf-None-Match: -9",
    ];
    test.each(headers.map((header) => [header.split("\r\n", 1)[0]?.slice(0, 60), header]))(
      "%s: no position",
      async (_name, header) => {
        const text = (path: string) => `GET ${path} HTTP/1.1\r\n${HOST}${header}\r\n\r\n`;
        expect((await converse(text("/poll/nowhere"))).status).toBe(304);
        expect((await converse(text("/ev/nowhere"))).status).toBe(200);
        expect((await converse(text("/sub/nowhere"))).status).toBe(200);
      },
    );
  });

  test("pipelined: every request has its answer, the bad one ends the row", async () => {
    const post = (body: string) =>
      `POST /pub?id=row HTTP/1.1\r\n${HOST}Content-Length: ${body.length}\r\n\r\n${body}`;
    const good = `${post("1")}${post("22")}${post("333")}`;
    const { text, ended } = await converse(`${good}NOT HTTP AT ALL\r\n\r\n${post("4")}`, UNTIL_CLOSED);
    expect([...text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => status)).toEqual([
      "200",
      "200",
      "200",
      "400",
    ]);
    expect(ended).toBeTrue();
    expect(await published("row")).toBe(3);
  });

  describe("WebSocket frames", () => {
    const bytes = (length: number) => Buffer.alloc(length, 0x61);
    const cases: readonly [string, readonly Buffer[]][] = [
      ["not masked", [clientFrame(0x81, bytes(5), { masked: false })]],
      ["a reserved bit", [clientFrame(0xa1, bytes(5))]],
      ["one byte more than a message may have", [clientFrame(0x81, bytes(MAX_BODY + 1))]],
      ["that much in two fragments", [clientFrame(0x01, bytes(40_000)), clientFrame(0x80, bytes(40_000))]],
      ["a terabyte announced", [clientFrame(0x81, bytes(3), { claimedLength: 2 ** 40 })]],
      ["an HTTP request", [Buffer.from("GET / HTTP/1.1\r\nHost: x\r\n\r\n")]],
    ];
    test.each(cases)("%s: closed, nothing is published", async (_name, frames) => {
      const client = await PulledWebSocket.open(server.port, "/ws/frames");
      for (const frame of frames) await client.socket.send(frame);
      await until("it is closed", () => {
        client.pull();
        return client.socket.ended;
      });
      client.socket.close();
      await until(
        "it stands there no more",
        async () => (await server.statistics("frames")).subscribers === 0,
      );
      expect(await published("frames")).toBe(0);
    });

    test("half a frame, then nothing: the others go on, and what is half is never published", async () => {
      const halves = [
        clientFrame(0x81, bytes(1000)).subarray(0, 500),
        clientFrame(0x01, bytes(10)),
        Buffer.from([0x81]),
      ];
      const clients = [];
      for (const half of halves) {
        const client = await PulledWebSocket.open(server.port, "/ws/halves");
        await client.socket.send(half);
        clients.push(client);
      }
      const whole = await PulledWebSocket.open(server.port, "/ws/halves");
      await whole.socket.send(clientFrame(0x81, Buffer.from("whole")));
      await until("the whole one", () => whole.pull().some(({ payload }) => payload.toString() === "whole"));
      for (const { socket } of [...clients, whole]) socket.reset();
      await until("nobody stands", async () => (await server.statistics("halves")).subscribers === 0);
      expect(await published("halves")).toBe(1);
    });

    test("20,000 pings in a row are 20,000 pongs", async () => {
      const client = await PulledWebSocket.open(server.port, "/ws/pings");
      await client.socket.send(
        Buffer.concat(Array.from({ length: 20_000 }, () => clientFrame(0x89, bytes(1)))),
      );
      let pongs = 0;
      await until("all pongs", () => {
        pongs += client.pull().length;
        return pongs === 20_000;
      });
      client.socket.close();
    });
  });
});
