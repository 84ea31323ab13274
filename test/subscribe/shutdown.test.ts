/**
 * What every transport receives when the server is told to stop: push-stream spec 8.2. One server, stopped
 * once; the tests look at what came.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { expectAntiCache } from "../binary/answer-checks.ts";
import { type RawAnswer, RawConnection, standing } from "../binary/raw-client.ts";
import { RawWebSocket } from "../binary/raw-web-socket.ts";
import { layout, type RunningServer, startServer } from "../binary/running-server.ts";

const AROUND = 'header_template = "HEADER"\nfooter_template = "BYE"';
/** Minutes: nothing of it must hold the end up. */
const PATIENT = 'ping_message_interval = "5m"\nsubscriber_connection_ttl = "10m"';
const config = layout('shutdown_timeout = "9s"', {
  sub: `${AROUND}\n${PATIENT}`,
  ev: `${AROUND}\n${PATIENT}\nevent_ids = "auto"`,
  lp: `${AROUND}\nlongpolling_connection_ttl = "10m"`,
  ws: `${AROUND}\n${PATIENT}`,
});

const SEVERAL = 5;
let server: RunningServer;
const bodies = { stream: [] as string[], events: [] as string[], polls: [] as RawAnswer[] };
const sockets = { template: [] as string[], json: [] as string[] };
let exitCode = -1;
let tookMs = 0;

beforeAll(async () => {
  server = await startServer({ toml: config });
  const open = async (path: string): Promise<RawConnection> => {
    const connection = await RawConnection.open(server.port);
    connection.request(path);
    return connection;
  };
  const all: Promise<unknown>[] = [];
  const rest = async (connection: RawConnection): Promise<string> => {
    await connection.head();
    const body = (await connection.restOfChunks()).toString();
    expect((await connection.untilEnd()).length).toBe(0);
    return body;
  };
  for (let count = 0; count < SEVERAL; count++) {
    all.push(rest(await open("/sub/a/b")).then((body) => bodies.stream.push(body)));
    all.push(rest(await open("/ev/a")).then((body) => bodies.events.push(body)));
    const poll = await open("/lp/b/a");
    all.push(
      poll
        .answer()
        .then((answer) => bodies.polls.push(answer))
        .then(() => poll.untilEnd()),
    );
    const socket = await RawWebSocket.open(server.port, "/ws/a");
    all.push(socket.connection.untilEnd().then((bytes) => sockets.template.push(bytes.toString("hex"))));
    const json = await RawWebSocket.open(server.port, "/ws/a", {
      "Sec-WebSocket-Protocol": "sluice.json.v1",
    });
    await json.text();
    all.push(json.connection.untilEnd().then((bytes) => sockets.json.push(bytes.toString("hex"))));
  }
  const idle = await RawConnection.open(server.port);
  idle.request("/channels-stats");
  await idle.answer();
  all.push(idle.untilEnd());
  await standing(server.port, "a", 5 * SEVERAL);
  const startedMs = performance.now();
  server.process.kill("SIGTERM");
  exitCode = await server.process.exited;
  tookMs = performance.now() - startedMs;
  await Promise.all(all);
}, 30_000);
afterAll(() => {
  rmSync(server.folder, { recursive: true, force: true });
});

const times = <T>(value: T): T[] => Array.from({ length: SEVERAL }, () => value);

describe("SIGTERM", () => {
  test("streaming: footer, end of body, end of the connection", () => {
    expect(bodies.stream).toEqual(times("HEADERBYE"));
  });

  test("eventsource: when to come back, and the footer as a comment", () => {
    expect(bodies.events.length).toBe(SEVERAL);
    for (const body of bodies.events)
      expect(body).toMatch(/^: HEADER\nretry: \d+\nid: [0-9a-z]+-\d+\nretry: \d+\n: BYE\n$/);
  });

  test("waiting long polls: their timeout answer", () => {
    expect(bodies.polls.length).toBe(SEVERAL);
    for (const answer of bodies.polls) {
      expect(answer.statusLine).toBe("HTTP/1.1 304 Not Modified");
      expectAntiCache(answer);
      expect(answer.fields.get("etag")).toBe('W/"0"');
      expect(answer.fields.has("last-modified")).toBeTrue();
    }
  });

  test("WebSocket: header and footer frame, close 1001", () => {
    expect(sockets.template).toEqual(
      times(`8106${Buffer.from("HEADER").toString("hex")}8103${Buffer.from("BYE").toString("hex")}880203e9`),
    );
  });

  test("WebSocket with a sluice protocol: close 1001", () => {
    expect(sockets.json).toEqual(times("880203e9"));
  });

  test("the process ends in order, long before its limit", () => {
    expect(exitCode).toBe(0);
    expect(tookMs).toBeLessThan(9000);
    expect(server.log).not.toContain("error");
  });
});
