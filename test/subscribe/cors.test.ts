/** CORS headers of subscribers: push-stream spec 4.11; and the Server header of 0.5. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { expectAntiCache, expectHeaderOnly, expectNoAntiCache } from "../binary/answer-checks.ts";
import { ask, RawConnection, type RawHead, standing } from "../binary/raw-client.ts";
import { HANDSHAKE, RawWebSocket } from "../binary/raw-web-socket.ts";
import { layout, type RunningServer, startServer } from "../binary/running-server.ts";

const FIXED = 'header_template = "H"\nallowed_origins = "http://custom.example"';
const FROM_ARGUMENT = 'allowed_origins = "$arg_origin"';
const config = layout("", {
  sub: FIXED,
  ev: FIXED,
  lp: `${FIXED}\nlongpolling_connection_ttl = "100ms"`,
  poll: FROM_ARGUMENT,
  ws: FIXED,
});

let server: RunningServer;
let channels = 0;
const fresh = (): string => `c${++channels}`;

beforeAll(async () => {
  server = await startServer({ toml: config });
});
afterAll(async () => {
  await server.stop();
});

function expectCors({ fields }: RawHead, origin: string): void {
  expect(fields.get("access-control-allow-origin")).toBe(origin);
  expect(fields.get("access-control-allow-methods")).toBe("GET");
  for (const name of ["Authorization", "Content-Type", "Last-Event-Id", "If-None-Match", "If-Modified-Since"])
    expect(fields.get("access-control-allow-headers")?.split(",")).toContain(name);
  for (const name of ["Etag", "Last-Modified", "Sluice-Gap"])
    expect(fields.get("access-control-expose-headers")?.split(",")).toContain(name);
  for (const name of ["vary", "access-control-allow-credentials"]) expect(fields.has(name)).toBeFalse();
  expect(fields.get("server")).toBe("sluice");
}

function expectNoCors({ fields }: RawHead): void {
  for (const name of fields.keys()) expect(name).not.toStartWith("access-control-");
}

describe.each(["/sub", "/ev", "/lp"])("%s", (path) => {
  test("on errors, OPTIONS and refusals", async () => {
    for (const request of [
      { method: "OPTIONS", status: 200 },
      { method: "POST", status: 405 },
      { method: "HEAD", status: 405 },
      { id: "", status: 400 },
      { id: "ALL", status: 403 },
    ]) {
      const { method = "GET", id = "a", status } = request;
      const answer = await ask(server.port, `${path}/${id}`, { method });
      expect(answer.status).toBe(status);
      expectCors(answer, "http://custom.example");
      if (method === "OPTIONS") {
        expectHeaderOnly(answer, { status: 200 });
        expectNoAntiCache(answer);
      } else expectAntiCache(answer);
    }
  });

  test("on what is asked for", async () => {
    const channel = fresh();
    await server.publish(channel, "x");
    for (const id of [`${channel}.b1`, channel]) {
      const connection = await RawConnection.open(server.port);
      connection.request(`${path}/${id}`);
      const head = await connection.head();
      expect(head.status).toBe(path === "/lp" && id === channel ? 304 : 200);
      expectCors(head, "http://custom.example");
      connection.close();
    }
  });
});

describe("the value is evaluated for each request", () => {
  const from = (origin: string) => ask(server.port, `/poll/${fresh()}?origin=${origin}`);

  test("decoded once, verbatim", async () => {
    expectCors(await from("http%3a%2f%2fa.example"), "http://a.example");
    expectCors(await from("http://b.example"), "http://b.example");
    expectCors(await from("*"), "*");
    expectCors(await from("caf%e9"), "caf\xe9");
    expectCors(await from("%2541"), "%41");
  });

  test.each(["", "a%0d%0aX-Evil:%20y", "a%0aX-Evil:%20y", "a%00b", "a%7fb", "a%09b"])(
    "%j: none of the three",
    async (origin) => {
      const answer = await from(origin);
      expect(answer.status).toBe(304);
      expectNoCors(answer);
      expect(answer.fields.has("x-evil")).toBeFalse();
    },
  );

  test("one origin's headers are not another's", async () => {
    await Promise.all(
      Array.from({ length: 20 }, async (_, i) => expectCors(await from(`o${i % 3}`), `o${i % 3}`)),
    );
  });
});

test("a WebSocket location never sends them", async () => {
  const socket = await RawWebSocket.open(server.port, `/ws/${fresh()}`);
  expectNoCors(socket.head);
  expectAntiCache(socket.head);
  expect(socket.head.fields.has("server")).toBeFalse();
  socket.close();
  for (const method of ["OPTIONS", "POST"]) {
    const answer = await ask(server.port, "/ws/a", { method, headers: HANDSHAKE });
    expectHeaderOnly(answer, { status: 405, allow: "GET" });
    expectNoCors(answer);
    expect(answer.fields.get("server")).toBe("sluice");
  }
});

test("without the option there are none", async () => {
  const plain = await startServer({ toml: layout("", { sub: 'header_template = "H"' }), workers: 1 });
  const connection = await RawConnection.open(plain.port);
  connection.request("/sub/a");
  expectNoCors(await connection.head());
  await standing(plain.port, "a");
  connection.close();
  await plain.stop();
});
