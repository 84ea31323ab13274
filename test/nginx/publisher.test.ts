/**
 * Publisher locations as an nginx.conf declares them (push-stream spec 0.7, 2, 1.7), over raw sockets on the
 * compiled binary. Each server runs once with an address that Bun serves itself and once with one that has a
 * stream without header template, whose requests take another road.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import {
  channelInfo,
  expectAntiCache,
  expectGroup,
  expectHeaderOnly,
  expectJson,
} from "../binary/answer-checks.ts";
import { ask, type RawAnswer, RawConnection, type RawRequest } from "../binary/raw-client.ts";
import type { RunningServer } from "../binary/running-server.ts";
import { startNginx } from "./nginx-server.ts";

const ADMIN = "GET, POST, PUT, DELETE";
const NORMAL = "GET, POST, PUT";
const NO_ID = "No channel id provided.";
const FORBIDDEN = "Channel id not authorized for this method.";
const TOO_LARGE = "Channel id is too large.";
const EMPTY = "Empty post requests are not allowed.";
const EVENTS = "Only internal routines can change events channel.";

const LOCATIONS = `
  location /normal { push_stream_publisher; push_stream_channels_path $arg_id;
    push_stream_store_messages on; }
  location /named  { push_stream_publisher Normal; push_stream_channels_path $arg_id; }
  location /shout  { push_stream_publisher ADMIN; push_stream_channels_path $arg_id;
    push_stream_store_messages ON; }
  location /quiet  { push_stream_publisher admin; push_stream_channels_path $arg_id;
    push_stream_channel_info_on_publish off; }
  location /small  { push_stream_publisher admin; push_stream_channels_path $arg_id;
    client_max_body_size 100; }
  location /free   { push_stream_publisher; push_stream_channels_path $arg_id; client_max_body_size 0; }
  location /tiny-buffer {
    push_stream_publisher; push_stream_channels_path $arg_id; push_stream_store_messages on;
    client_max_body_size 5m; client_body_buffer_size 1k;
  }
  location /cors { push_stream_publisher admin; push_stream_channels_path $arg_id;
    push_stream_allowed_origins $http_origin; client_max_body_size 10; }
  location ~ ^/sub/(.*)$ { push_stream_subscriber; push_stream_channels_path $1; }
  location ~ ^/ev/(.*)$ { push_stream_subscriber eventsource; push_stream_channels_path $1;
    push_stream_message_template ~text~; }
`;

const HTTP = `
  push_stream_max_channel_id_length 20;
  push_stream_events_channel_id events;
  client_max_body_size 9k;
  client_body_temp_path temp;
`;

const ways: readonly (readonly [string, number, string])[] = [
  ["native listener, 1 worker", 1, "sluice_listener native; push_stream_header_template H;"],
  ["wire listener, 2 workers", 2, ""],
];

describe.each(ways)("%s", (_, workers, header) => {
  let server: RunningServer;
  beforeAll(async () => {
    server = await startNginx({
      workers,
      http: HTTP + header,
      server: "client_max_body_size 20k;",
      locations: LOCATIONS,
    });
  });
  afterAll(async () => {
    expect(server.log).not.toMatch(/a request failed|panic|uncaught/i);
    await server.stop();
  });
  const on = (path: string, request: RawRequest = {}): Promise<RawAnswer> => ask(server.port, path, request);
  const post = (path: string, body: string | Uint8Array = "hello", headers = {}): Promise<RawAnswer> =>
    on(path, { method: "POST", body, headers });

  describe("methods (2.2)", () => {
    test.each([
      ["/normal?id=m", NORMAL],
      ["/named?id=m", NORMAL],
      ["/pub?id=m", ADMIN],
      ["/shout?id=m", ADMIN],
      ["/pub", ADMIN],
    ])("%s", async (path, allow) => {
      for (const method of ["HEAD", "PATCH", "TRACE", "PROPFIND", ...(allow === NORMAL ? ["DELETE"] : [])]) {
        const answer = await on(path, { method });
        expectAntiCache(answer);
        expectHeaderOnly(answer, { status: 405, allow });
        expect(answer.statusLine).toMatch(/^HTTP\/1\.1 405 (Not|Method Not) Allowed$/);
      }
      const options = await on(path, { method: "OPTIONS" });
      expectAntiCache(options);
      expectHeaderOnly(options, { status: 200 });
    });

    test("HEAD has no body and keeps its connection", async () => {
      const connection = await RawConnection.open(server.port);
      for (const path of ["/pub?id=m", "/normal", "/sub/m", "/channels-stats"]) {
        connection.request(path, { method: "HEAD" });
        expect((await connection.answer("HEAD")).status).toBe(405);
      }
      connection.close();
    });

    test("POST and PUT are the same, to admin and normal", async () => {
      let published = 0;
      for (const path of ["/pub", "/normal", "/shout"]) {
        for (const method of ["POST", "PUT"]) {
          published++;
          const answer = await on(`${path}?id=put`, { method, body: "x" });
          expectJson(answer, channelInfo("put", published, published));
        }
      }
    });
  });

  describe("refusals (0.7, 2.1)", () => {
    const LONG = "x".repeat(21);
    test.each([
      ["", 400, NO_ID, ["GET", "POST", "PUT", "DELETE"]],
      ["?id=", 400, NO_ID, ["GET", "POST", "PUT", "DELETE"]],
      ["?idx=a", 400, NO_ID, ["GET", "POST", "PUT", "DELETE"]],
      ["?id=ALL", 403, FORBIDDEN, ["GET", "POST", "PUT", "DELETE"]],
      ["?id=a*", 403, FORBIDDEN, ["GET", "POST", "PUT", "DELETE"]],
      ["?id=%2a", 403, FORBIDDEN, ["GET", "POST", "PUT", "DELETE"]],
      ["?id=ok/ALL.b3", 403, FORBIDDEN, ["GET", "POST", "PUT", "DELETE"]],
      [`?id=${LONG}`, 400, TOO_LARGE, ["GET", "POST", "PUT", "DELETE"]],
      [`?id=${LONG}/ALL`, 400, TOO_LARGE, ["GET", "POST", "PUT", "DELETE"]],
      [`?id=ALL/${LONG}`, 403, FORBIDDEN, ["GET", "POST", "PUT", "DELETE"]],
      ["?id=events", 403, EVENTS, ["POST", "PUT", "DELETE"]],
      ["?id=ok/events.b2", 403, EVENTS, ["POST", "PUT", "DELETE"]],
    ] as const)("%s: %p %s", async (query, status, explain, methods) => {
      const connection = await RawConnection.open(server.port);
      for (const method of methods) {
        connection.request(`/pub${query}`, { method, body: "x" });
        const answer = await connection.answer();
        expectAntiCache(answer);
        expectHeaderOnly(answer, { status, explain });
        expect(answer.statusLine).toBe(`HTTP/1.1 ${status} ${status === 400 ? "Bad Request" : "Forbidden"}`);
      }
      expect(connection.ended).toBeFalse();
      connection.close();
    });

    test("the events channel may be read", async () => {
      const answer = await on("/pub?id=events");
      expect([answer.status, answer.body.toString()]).toEqual([200, expect.stringContaining('"events"')]);
    });

    test("an id as long as the limit, with backtrack, is none too many", async () => {
      const id = "y".repeat(20);
      expectJson(await post(`/pub?id=${id}.b300`), channelInfo(id, 1, 1));
      expect((await on(`/sub/${LONG}`)).fields.get("x-nginx-pushstream-explain")).toBe(TOO_LARGE);
      expect((await on(`/channels-stats?id=${LONG}`)).fields.get("x-nginx-pushstream-explain")).toBe(
        TOO_LARGE,
      );
    });

    test("what stands before the refused id is made, what stands behind it is not", async () => {
      await post("/pub?id=w1/ALL/w2");
      await post(`/pub?id=w3/${LONG}/w4`);
      await post("/pub?id=w5/events/w6");
      await post("/pub?id=w7", "");
      for (const [id, status] of Object.entries({
        w1: 200,
        w2: 404,
        w3: 200,
        w4: 404,
        w5: 200,
        w6: 404,
        w7: 200,
      }))
        expect([id, (await on(`/pub?id=${id}`)).status]).toEqual([id, status]);
      expectJson(await on("/pub?id=w1"), channelInfo("w1", 0, 0));
    });

    test.each(["POST", "PUT"])("%s of nothing", async (method) => {
      for (const request of [{ method }, { method, body: "" }]) {
        const answer = await on("/pub?id=nothing", request);
        expectAntiCache(answer);
        expectHeaderOnly(answer, { status: 400, explain: EMPTY });
      }
      const connection = await RawConnection.open(server.port);
      connection.send(
        `${method} /pub?id=nothing HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      );
      expectHeaderOnly(await connection.answer(), { status: 400, explain: EMPTY });
      connection.close();
    });
  });

  describe("answers (2.3, 2.6)", () => {
    test("info off: header only, for POST and PUT; GET and DELETE answer as ever", async () => {
      for (const method of ["POST", "PUT"]) {
        const answer = await on("/quiet?id=q", { method, body: "x" });
        expectAntiCache(answer);
        expectHeaderOnly(answer, { status: 200 });
      }
      expectHeaderOnly(await post("/quiet?id=q", ""), { status: 400, explain: EMPTY });
      expectJson(await on("/quiet?id=q"), channelInfo("q", 2, 0));
      expectHeaderOnly(await on("/quiet?id=q", { method: "DELETE" }), {
        status: 200,
        explain: "Channel deleted.",
      });
    });

    test("several channels: a group in request order; one that exists: single; none: 404", async () => {
      expectGroupOf(await post("/pub?id=g2/g1"), [channelInfo("g2", 1, 1), channelInfo("g1", 1, 1)]);
      expectGroupOf(await on("/pub?id=g1/none/g2"), [channelInfo("g1", 1, 1), channelInfo("g2", 1, 1)]);
      expectJson(await on("/normal?id=none/g1"), channelInfo("g1", 1, 1));
      expectHeaderOnly(await on("/normal?id=none/other"), { status: 404 });
      expectGroupOf(await post("/pub?id=g3/g3"), [channelInfo("g3", 2, 2), channelInfo("g3", 2, 2)]);
    });

    test.each([
      ["text/plain", "text/plain", "channel: fmt\r\n"],
      ["text/html,application/xhtml+xml,application/xml;q=0.9", "application/xml", "<?xml"],
      ["application/x-json", "text/x-json", '{"channel"'],
      ["application/yaml", "application/yaml", "  channel: fmt\r\n"],
      ["text/x-yaml", "text/x-yaml", "  channel: fmt\r\n"],
      ["*/*", "application/json", '{"channel"'],
      ["text/html", "application/json", '{"channel"'],
    ])("Accept: %s", async (accept, type, start) => {
      for (const method of ["POST", "GET"]) {
        const request = method === "POST" ? { method, body: "x" } : { method };
        const answer = await on("/pub?id=fmt", { ...request, headers: { Accept: accept } });
        expect([answer.status, answer.fields.get("content-type")]).toEqual([200, type]);
        expect(answer.body.toString()).toStartWith(start);
        expect(answer.fields.has("x-nginx-pushstream-tag")).toBeFalse();
      }
    });

    test("DELETE of twenty at once, known and unknown", async () => {
      const ids = Array.from({ length: 20 }, (_, i) => `del${i}`);
      await post(`/pub?id=${ids.filter((_, i) => i % 2 === 0).join("/")}`);
      const path = `/pub?id=${ids.join("/")}`;
      expectHeaderOnly(await on(path, { method: "DELETE" }), { status: 200, explain: "Channel deleted." });
      expectHeaderOnly(await on(path, { method: "DELETE" }), { status: 404 });
      for (const id of ids) expect((await on(`/pub?id=${id}`)).status).toBe(404);
      // Ids start again.
      expectJson(await post("/pub?id=del0"), channelInfo("del0", 1, 1));
    });
  });

  describe("bodies (2.4)", () => {
    const every = Uint8Array.from({ length: 768 }, (_, i) => i & 0xff);
    test("any byte, by length and in chunks, reaches a stream as it is", async () => {
      const stream = await RawConnection.open(server.port);
      stream.request("/sub/bytes");
      await stream.head();
      const prefix = header === "" ? "" : "H";
      expect(await stream.chunkedText(prefix.length)).toBe(prefix);
      expect((await post("/pub?id=bytes", every)).status).toBe(200);
      expect(Buffer.compare(await stream.chunked(768), Buffer.from(every))).toBe(0);
      const publisher = await RawConnection.open(server.port);
      publisher.send("PUT /pub?id=bytes HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
      for (let at = 0; at < 768; at += 256) {
        publisher.send("100\r\n");
        publisher.send(every.subarray(at, at + 256));
        publisher.send("\r\n");
      }
      publisher.send("0\r\n\r\n");
      expectJson(await publisher.answer(), channelInfo("bytes", 2, 2, 1));
      expect(Buffer.compare(await stream.chunked(768), Buffer.from(every))).toBe(0);
      publisher.close();
      stream.close();
    });

    test("4 MiB beyond the buffer: stored whole, and no file is left", async () => {
      const large = new Uint8Array(4 << 20).map((_, i) => (i * 31) & 0xff);
      expectJson(await post("/tiny-buffer?id=large", large), channelInfo("large", 1, 1));
      const left = readdirSync(server.folder, { recursive: true }).map(String);
      // The folder itself is made, as nginx makes it.
      expect(left.filter((name) => name.startsWith("temp"))).toEqual(["temp"]);
      const reader = await RawConnection.open(server.port);
      reader.request("/sub/large.b1");
      await reader.head();
      await reader.chunked(header === "" ? 0 : 1);
      expect(Buffer.compare(await reader.chunked(large.length), Buffer.from(large))).toBe(0);
      reader.close();
      await on("/pub?id=large", { method: "DELETE" });
    });

    test.each([
      ["Event-Id", "Event-Type", "id: one\nevent: two\n"],
      ["event-id", "EVENT-TYPE", "id: one\nevent: two\n"],
      ["Event-Ids", "Event-Typ", ""],
      ["Event-I", "Event-Types", ""],
    ])("%s, %s", async (idName, typeName, lines) => {
      const id = `names-${idName}`.slice(0, 20);
      await post(`/pub?id=${id}`, "text", { [idName]: "one", [typeName]: "two" });
      const stream = await RawConnection.open(server.port);
      stream.request(`/ev/${id}.b1`);
      await stream.head();
      const start = header === "" ? ": \n" : ": H\n";
      const expected = `${start}${lines}data: text\n\n`;
      expect(await stream.chunkedText(expected.length)).toBe(expected);
      stream.close();
    });
  });

  test.each([
    ["", "id: \nevent: \n"],
    ["caf\xc3\xa9", "id: caf\xc3\xa9\nevent: caf\xc3\xa9\n"],
    ["a: b, c;\td", "id: a: b, c;\td\nevent: a: b, c;\td\n"],
    ["~text~", "id: ~text~\nevent: ~text~\n"],
  ])("names are bytes, and may be empty: %j", async (name, lines) => {
    const publisher = await RawConnection.open(server.port);
    publisher.send(
      `POST /pub?id=bytenames HTTP/1.1\r\nHost: x\r\nEvent-Id: ${name}\r\nEvent-Type: ${name}\r\n` +
        "Content-Length: 1\r\n\r\nx",
    );
    expect((await publisher.answer()).status).toBe(200);
    publisher.request("/ev/bytenames.b1");
    await publisher.head();
    const expected = `${header === "" ? ": \n" : ": H\n"}${lines}data: x\n\n`;
    expect(await publisher.chunkedText(expected.length)).toBe(expected);
    publisher.close();
  });

  test("a name given twice: the first counts; Bun's own server hands over both, joined", async () => {
    const publisher = await RawConnection.open(server.port);
    publisher.send(
      "POST /pub?id=twice HTTP/1.1\r\nHost: x\r\nEvent-Type: a\r\nevent-type: b\r\n" +
        "Content-Length: 1\r\n\r\nx",
    );
    expect((await publisher.answer()).status).toBe(200);
    publisher.request("/ev/twice.b1");
    await publisher.head();
    const expected = header === "" ? ": \nevent: a\n" : ": H\nevent: a, b\n";
    expect(await publisher.chunkedText(expected.length)).toBe(expected);
    publisher.close();
  });

  describe("client_max_body_size", () => {
    test.each([
      ["/small", 100],
      ["/pub", 20 << 10],
      ["/quiet", 20 << 10],
    ])("%s takes %p bytes and no more", async (path, limit) => {
      expect((await post(`${path}?id=fits`, "x".repeat(limit))).status).toBe(200);
      for (const id of ["over", "", "ALL"]) {
        const connection = await RawConnection.open(server.port);
        connection.request(`${path}?id=${id}`, { method: "POST", body: "x".repeat(limit + 1) });
        await expectPage(connection, 413, "Request Entity Too Large");
      }
      expect((await on("/pub?id=over")).status).toBe(404);
    });

    test("in chunks", async () => {
      const connection = await RawConnection.open(server.port);
      connection.send("POST /small?id=chunks HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
      connection.send(`65\r\n${"x".repeat(101)}\r\n0\r\n\r\n`);
      await expectPage(connection, 413, "Request Entity Too Large");
    });

    test("0 takes anything", async () => {
      expect((await post("/free?id=free", "x".repeat(3 << 20))).status).toBe(200);
    });

    test("an answer with CORS lines", async () => {
      const answer = await post("/cors?id=c", "x".repeat(11), { Origin: "http://o" });
      expect([answer.status, answer.fields.get("access-control-allow-origin")]).toBeOneOf([
        [413, "http://o"],
        [413, undefined],
      ]);
    });
  });

  test("CORS on every answer, only when the value is not empty (4.11)", async () => {
    const requests: readonly (readonly [string, RawRequest])[] = [
      ["/cors?id=c", { method: "POST", body: "x" }],
      ["/cors", { method: "OPTIONS" }],
      ["/cors", {}],
      ["/cors?id=ALL", { method: "POST", body: "x" }],
      ["/cors?id=c", { method: "HEAD" }],
      ["/cors?id=none", { method: "DELETE" }],
    ];
    for (const origin of ["http://here, *", ""]) {
      for (const [path, request] of requests) {
        const headers: Record<string, string> = origin === "" ? {} : { Origin: origin };
        const { fields } = await on(path, { ...request, headers });
        const lines = ["origin", "methods", "headers"].map((name) =>
          fields.get(`access-control-allow-${name}`),
        );
        expect(lines).toEqual(
          origin === ""
            ? [undefined, undefined, undefined]
            : [origin, ADMIN, "If-Modified-Since,If-None-Match,Etag,Event-Id,Event-Type,Last-Event-Id"],
        );
      }
    }
  });

  describe("connections", () => {
    test.each([
      ["POST", "/pub", 400],
      ["POST", "/pub?id=ALL", 403],
      ["POST", "/pub?id=events", 403],
      ["DELETE", "/pub?id=none", 404],
      ["DELETE", "/normal?id=none", 405],
      ["PATCH", "/pub?id=a", 405],
      ["GET", "/pub?id=none", 404],
      ["OPTIONS", "/pub", 200],
      ["POST", "/sub/a", 405],
      ["POST", "/channels-stats", 405],
      ["POST", "/nowhere", 404],
    ])("%s %s with a body stays in step", async (method, path, status) => {
      const body = `GET /evil HTTP/1.1\r\n\r\n${"x".repeat(15_000)}`;
      for (const [field, bytes] of [
        [`Content-Length: ${body.length}`, body],
        ["Transfer-Encoding: chunked", `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`],
      ]) {
        const connection = await RawConnection.open(server.port);
        connection.send(`${method} ${path} HTTP/1.1\r\nHost: x\r\n${field}\r\n\r\n${bytes}`);
        connection.request("/pub?id=after", { method: "POST", body: "hello" });
        expect((await connection.answer()).status).toBe(status);
        expect((await connection.answer()).body.toString()).toContain('"channel": "after"');
        connection.close();
      }
    });

    test("five hundred requests on one", async () => {
      const connection = await RawConnection.open(server.port);
      for (let i = 1; i <= 500; i++) {
        connection.request("/pub?id=keep", { method: "POST", body: "x" });
        expectJson(await connection.answer(), channelInfo("keep", i, i));
      }
      connection.close();
    });

    // Bun's server ends every HTTP/1.0 connection after one answer, also when asked to keep it.
    test("HTTP/1.0: answered as 1.1, and closed unless it is to be kept", async () => {
      for (const [i, more] of ["", "Connection: close\r\n", "Connection: keep-alive\r\n"].entries()) {
        const connection = await RawConnection.open(server.port);
        connection.send(`POST /pub?id=old HTTP/1.0\r\n${more}Content-Length: 5\r\n\r\nhello`);
        const answer = await connection.answer();
        expectJson(answer, channelInfo("old", i + 1, i + 1));
        const isKept = more.includes("keep");
        if (!isKept) expect(answer.fields.get("connection")).toBe("close");
        if (isKept && header === "") {
          expect(answer.fields.get("connection")).toBe("keep-alive");
          connection.send("GET /pub?id=none HTTP/1.0\r\n\r\n");
          await connection.answer();
        }
        await connection.untilEnd();
      }
      for (const path of ["/pub", "/pub?id=ALL", "/pub?id=none", "/sub/ALL"]) {
        const connection = await RawConnection.open(server.port);
        connection.send(`GET ${path} HTTP/1.0\r\n\r\n`);
        const { statusLine, fields } = await connection.answer();
        expect(statusLine).toStartWith("HTTP/1.1 4");
        expect([fields.get("content-length"), fields.has("transfer-encoding")]).toEqual(["0", false]);
        await connection.untilEnd();
      }
    });

    test("Connection says what becomes of it; Server and Date are there", async () => {
      for (const path of ["/pub?id=c1", "/pub", "/normal?id=c1", "/nowhere", "/sub/ALL", "/channels-stats"]) {
        for (const headers of [{}, { Connection: "Keep-Alive" }]) {
          const { fields } = await post(path, "x", headers);
          expect([path, fields.has("server"), fields.has("date")]).toEqual([path, true, true]);
          expect(fields.get("connection")).toBe(header === "" ? "keep-alive" : undefined);
        }
        const connection = await RawConnection.open(server.port);
        connection.request(path, { method: "POST", body: "x", headers: { Connection: "close" } });
        const { fields } = await connection.answer();
        expect([fields.has("server"), fields.has("date"), fields.get("connection")]).toEqual([
          true,
          true,
          "close",
        ]);
        await connection.untilEnd();
      }
    });

    test("Expect: 100-continue", async () => {
      const connection = await RawConnection.open(server.port);
      connection.send(
        "POST /pub?id=exp HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n",
      );
      expect((await connection.head()).status).toBe(100);
      connection.send("hello");
      expectJson(await connection.answer(), channelInfo("exp", 1, 1));
      connection.close();
    });
  });
});

/** The head and the items; the zone holds channels of other tests as well. */
function expectGroupOf(answer: RawAnswer, items: readonly string[]): void {
  expectGroup(answer, items);
}

/** An error of nginx's core: its page, and the end of the connection (spec 0.7). */
async function expectPage(connection: RawConnection, status: number, phrase: string): Promise<void> {
  const answer = await connection.answer();
  // Bun's own server has a phrase of its own.
  expect(answer.statusLine).toBeOneOf([`HTTP/1.1 ${status} ${phrase}`, "HTTP/1.1 413 Payload Too Large"]);
  expect([answer.fields.get("content-type"), answer.fields.get("connection")]).toEqual([
    "text/html",
    "close",
  ]);
  expect(answer.body.toString()).toContain(`<center><h1>${status} ${phrase}</h1></center>`);
  expect((await connection.untilEnd()).length).toBe(0);
}
