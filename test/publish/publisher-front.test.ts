/**
 * A publisher location as such, without the server around it: every row of push-stream spec 2.3, the order of
 * 2.1, CORS (4.11), the location's own body limit (413), and connections that stay in step after a refusal.
 * Over raw sockets.
 */
import { afterAll, afterEach, describe, expect, test } from "bun:test";
import { connect } from "node:net";
import type { Config, LocationConfig } from "../../src/config/model.ts";
import { asResponse } from "../../src/http/direct-answer.ts";
import { PublisherEndpoint } from "../../src/publish/endpoint.ts";
import type { Store, StorePolicy } from "../../src/store/store.ts";
import { channelInfo, expectAntiCache, expectHeaderOnly, expectJson } from "../binary/answer-checks.ts";
import { ask, type RawAnswer, RawConnection, type RawRequest } from "../binary/raw-client.ts";
import { PLAIN, type Served, serve } from "../front/served.ts";
import { bytes, newStore, removeTempFolders } from "../store/fixture.ts";

const ADMIN = "GET, POST, PUT, DELETE";
const NORMAL = "GET, POST, PUT";

let served: Served | null = null;
let store: Store | null = null;

afterEach(() => {
  served?.stop();
  store?.close();
  served = null;
  store = null;
});
afterAll(removeTempFolders);

interface Setting {
  readonly location?: Partial<LocationConfig>;
  readonly limits?: Partial<Config["limits"]>;
  readonly policy?: Partial<StorePolicy>;
  readonly admin?: boolean;
}

/** Only what a publisher location looks at. */
const CONFIG = {
  limits: { maxChannelIdLength: 12, maxChannelsPerRequest: 10 },
  messages: { channelDeletedText: "Channel deleted", eventsChannelId: "" },
};

function start({ location = {}, limits = {}, policy = {}, admin = true }: Setting = {}): number {
  served?.stop();
  store?.close();
  const opened = newStore(policy);
  const slot = opened.workers.claimSlot(process.pid, Math.floor(Date.now() / 1000));
  const full: LocationConfig = {
    ...PLAIN,
    match: "= /pub",
    role: { kind: "publisher", admin },
    channelsPath: "$arg_id",
    storeMessages: true,
    maxBodyBytes: 1000,
    ...location,
  };
  const config = { ...CONFIG, limits: { ...CONFIG.limits, ...limits } };
  const inlet = { store: opened, slot, published: () => undefined, onDisk: null };
  const endpoint = new PublisherEndpoint(config as Config, full, admin, inlet);
  served = serve([full], async (located) => asResponse(await endpoint.handle(located)));
  store = opened;
  return served.port;
}

const has = (channel: string): boolean => (store?.find(bytes(channel)) ?? -1) >= 0;
const post = (id: string, body: string | Uint8Array = "hello"): RawRequest & { path: string } => ({
  path: `/pub?id=${id}`,
  method: "POST",
  body,
});

function expectPage({ statusLine, fields, body }: RawAnswer, status: number, title: string): void {
  expect(statusLine).toStartWith(`HTTP/1.1 ${status} `);
  expect(fields.get("content-type")).toBe("text/html");
  expect(fields.get("connection")).toBe("close");
  expect(body.toString()).toBe(
    `<html>\r\n<head><title>${title}</title></head>\r\n<body>\r\n<center><h1>${title}</h1></center>\r\n` +
      "<hr><center>sluice</center>\r\n</body>\r\n</html>\r\n",
  );
}

describe("every answer of 2.3", () => {
  test("publish ok, info on; of two channels, a group", async () => {
    const port = start();
    expectJson(await ask(port, "/pub?id=a", post("a")), channelInfo("a", 1, 1));
    const group = await ask(port, "/pub?id=a/b", post("a/b"));
    expect([group.status, group.fields.get("content-type")]).toEqual([200, "application/json"]);
    expect(group.body.toString()).toContain(channelInfo("a", 2, 2).trim());
    expect(group.body.toString()).toContain(channelInfo("b", 1, 1).trim());
    const plain = await ask(port, "/pub?id=a", { ...post("a"), headers: { Accept: "text/plain" } });
    expect(plain.fields.get("content-type")).toBe("text/plain");
  });

  test("publish ok, info off", async () => {
    const answer = await ask(start({ location: { channelInfoOnPublish: false } }), "/pub?id=a", post("a"));
    expectHeaderOnly(answer, { status: 200 });
    expectAntiCache(answer);
  });

  test("publish, empty body: the channel is made all the same", async () => {
    const port = start();
    for (const request of [{ method: "POST" }, { method: "POST", body: "" }, { method: "PUT", body: "" }]) {
      const answer = await ask(port, "/pub?id=e", request);
      expectHeaderOnly(answer, { status: 400, explain: "Empty post requests are not allowed." });
      expectAntiCache(answer);
      expect(has("e")).toBeTrue();
    }
  });

  test("publish, no memory for the message: the page, the connection ends; others keep theirs", async () => {
    const port = start({ location: { maxBodyBytes: 0 } });
    await ask(port, "/pub?id=a", post("a"));
    const connection = await RawConnection.open(port);
    connection.request("/pub?id=a", post("a", Buffer.alloc(400_000)));
    const answer = await connection.answer();
    expectPage(answer, 500, "500 Internal Server Error");
    expectAntiCache(answer);
    expect((await connection.untilEnd()).length).toBe(0);
    expectJson(await ask(port, "/pub?id=a"), channelInfo("a", 1, 1));
  });

  test("GET: one that exists, several, none", async () => {
    const port = start();
    await ask(port, "/pub?id=a", post("a"));
    expectJson(await ask(port, "/pub?id=a"), channelInfo("a", 1, 1));
    expectJson(await ask(port, "/pub?id=a/none"), channelInfo("a", 1, 1));
    const none = await ask(port, "/pub?id=none/nor");
    expectHeaderOnly(none, { status: 404 });
    expectAntiCache(none);
    expect(has("none")).toBeFalse();
  });

  test("DELETE: at least one, none, no memory for the text", async () => {
    const port = start({ location: { maxBodyBytes: 0 } });
    await ask(port, "/pub?id=a/b", post("a/b"));
    const tooMuch = await ask(port, "/pub?id=b", { method: "DELETE", body: Buffer.alloc(400_000) });
    expectHeaderOnly(tooMuch, { status: 500 });
    expect(has("b")).toBeTrue();
    for (const [path, status] of [
      ["/pub?id=a/none", 200],
      ["/pub?id=a", 404],
      ["/pub?id=b", 200],
    ] as const) {
      const answer = await ask(port, path, { method: "DELETE" });
      expectHeaderOnly(answer, { status, explain: status === 200 ? "Channel deleted." : null });
      expectAntiCache(answer);
    }
  });

  test.each([
    ["", 400, "No channel id provided."],
    ["ALL", 403, "Channel id not authorized for this method."],
    ["a*", 403, "Channel id not authorized for this method."],
    ["x".repeat(13), 400, "Channel id is too large."],
  ])("id %p", async (id, status, explain) => {
    const port = start();
    for (const method of ["GET", "POST", "PUT", "DELETE"]) {
      const answer = await ask(port, `/pub?id=${id}`, { method, body: "x" });
      expectHeaderOnly(answer, { status, explain });
      expectAntiCache(answer);
    }
  });

  test("too many channels", async () => {
    const port = start({ policy: { maxChannels: 1 } });
    await ask(port, "/pub?id=a", post("a"));
    const refused = { status: 403, explain: "Number of channels were exceeded." };
    expectHeaderOnly(await ask(port, "/pub?id=b", post("b")), refused);
    expectHeaderOnly(await ask(port, "/pub?id=b", { method: "GET" }), { status: 404 });
  });

  test("no memory for the channel: 503 without a body, the connection stays", async () => {
    const port = start();
    const connection = await RawConnection.open(port);
    let last: RawAnswer | null = null;
    // The store has records for 64.
    for (let i = 0; i < 100 && last?.status !== 503; i++) {
      connection.request(`/pub?id=c${i}`, post("x"));
      last = await connection.answer();
    }
    if (last === null) throw new Error("no answer");
    expectHeaderOnly(last, { status: 503, explain: "No room for another channel." });
    connection.request("/pub?id=c0");
    expect((await connection.answer()).status).toBe(200);
    connection.close();
  });
});

describe("the order of 2.1", () => {
  test("channels are made while the list is walked, up to the one that is refused", async () => {
    const port = start();
    for (const [id, made, not] of [
      ["a/ALL/b", "a", "b"],
      ["c/x*/d", "c", "d"],
      [`e/${"x".repeat(13)}/f`, "e", "f"],
    ] as const) {
      expect((await ask(port, `/pub?id=${id}`, post(id))).status).toBeOneOf([400, 403]);
      expect([has(made), has(not)]).toEqual([true, false]);
    }
  });

  test.each([
    ["OPTIONS", true, 200],
    ["OPTIONS", false, 200],
    ["HEAD", true, 405],
    ["PATCH", true, 405],
    ["DELETE", false, 405],
    ["HEAD", false, 405],
  ] as const)("%s, admin %p: before the id is looked at", async (method, admin, status) => {
    const port = start({ admin });
    for (const path of ["/pub", "/pub?id=ALL"]) {
      const allow = status === 200 ? null : admin ? ADMIN : NORMAL;
      const answer = await ask(port, path, { method });
      expectHeaderOnly(answer, { status, allow });
      expectAntiCache(answer);
    }
  });
});

describe("bodies larger than the location takes", () => {
  test.each(["POST", "PUT", "DELETE", "GET", "OPTIONS", "PATCH"])(
    "%s: refused by the declared length, before the body is sent; nothing is made",
    async (method) => {
      const port = start();
      for (const id of ["big", "", "ALL"]) {
        const connection = await RawConnection.open(port);
        connection.send(`${method} /pub?id=${id} HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n`);
        expectPage(await connection.answer(), 413, "413 Request Entity Too Large");
        expect((await connection.untilEnd()).length).toBe(0);
      }
      expect(has("big")).toBeFalse();
    },
  );

  test("also a channel that is known already", async () => {
    const port = start();
    expect((await ask(port, "/pub?id=k", post("k"))).status).toBe(200);
    expect((await ask(port, "/pub?id=k", post("k", Buffer.alloc(1001)))).status).toBe(413);
    expectJson(await ask(port, "/pub?id=k"), channelInfo("k", 1, 1));
  });

  test.each(["POST", "DELETE"])("%s in chunks: found out when it was read", async (method) => {
    const port = start();
    await ask(port, "/pub?id=c", post("c"));
    const connection = await RawConnection.open(port);
    connection.send(`${method} /pub?id=c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n`);
    connection.send(`3e9\r\n${"x".repeat(1001)}\r\n0\r\n\r\n`);
    expectPage(await connection.answer(), 413, "413 Request Entity Too Large");
    expectJson(await ask(port, "/pub?id=c"), channelInfo("c", 1, 1));
  });

  test("in chunks without end: refused long before the sender is done, and nothing is kept", async () => {
    const port = start();
    const connection = await RawConnection.open(port);
    connection.send("POST /pub?id=c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    connection.send(`10000\r\n${"x".repeat(0x10000)}\r\n`);
    expectPage(await connection.answer(), 413, "413 Request Entity Too Large");
    connection.close();
  });

  test("exactly as large is taken in chunks, too", async () => {
    const port = start();
    const connection = await RawConnection.open(port);
    connection.send("POST /pub?id=c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (const size of [1, 499, 500]) {
      connection.send(`${size.toString(16)}\r\n${"x".repeat(size)}\r\n`);
      await Bun.sleep(2);
    }
    connection.send("0\r\n\r\n");
    expectJson(await connection.answer(), channelInfo("c", 1, 1));
    connection.close();
  });

  test("exactly as large is taken; 0 takes everything", async () => {
    expect((await ask(start(), "/pub?id=a", post("a", Buffer.alloc(1000)))).status).toBe(200);
    const free = start({ location: { maxBodyBytes: 0 } });
    expect((await ask(free, "/pub?id=a", post("a", Buffer.alloc(50_000)))).status).toBe(200);
  });
});

describe("CORS (4.11)", () => {
  const cors = ({ fields }: RawAnswer): readonly (string | null)[] =>
    ["origin", "methods", "headers"].map((name) => fields.get(`access-control-allow-${name}`) ?? null);
  const HEADERS =
    "If-Modified-Since,If-None-Match,Etag,Event-Id,Event-Type,Last-Event-Id,Authorization,Content-Type," +
    "Idempotency-Key,Traceparent,X-Nginx-PushStream-Mode";
  const requests: readonly (readonly [string, RawRequest, number])[] = [
    ["/pub", { method: "OPTIONS" }, 200],
    ["/pub?id=a", { method: "POST", body: "x" }, 200],
    ["/pub?id=a", { method: "POST" }, 400],
    ["/pub", { method: "POST", body: "x" }, 400],
    ["/pub?id=ALL", { method: "POST", body: "x" }, 403],
    ["/pub?id=none", {}, 404],
    ["/pub?id=a", {}, 200],
    ["/pub?id=a", { method: "HEAD" }, 405],
    ["/pub?id=a", { method: "POST", body: "x".repeat(1001) }, 413],
    ["/pub?id=a", { method: "POST", body: "x".repeat(999) }, 200],
  ];

  test.each([true, false])("on every answer, admin %p", async (admin) => {
    const port = start({ admin, location: { allowedOrigins: "custom.domain.com, other" } });
    for (const [path, request, status] of requests) {
      const answer = await ask(port, path, request);
      expect(answer.status).toBe(status);
      expect(cors(answer)).toEqual(["custom.domain.com, other", admin ? ADMIN : NORMAL, HEADERS]);
      for (const name of ["vary", "access-control-allow-credentials", "access-control-max-age"])
        expect(answer.fields.has(name)).toBeFalse();
    }
  });

  test("deletions, and answers without information", async () => {
    const port = start({ location: { allowedOrigins: "*", channelInfoOnPublish: false } });
    for (const [method, status] of [
      ["POST", 200],
      ["DELETE", 200],
      ["DELETE", 404],
    ] as const) {
      const answer = await ask(port, "/pub?id=a", { method, body: "x" });
      expect([answer.status, ...cors(answer)]).toEqual([status, "*", ADMIN, HEADERS]);
    }
  });

  test("evaluated for each request; nothing of one shows in another", async () => {
    const port = start({ location: { allowedOrigins: "$http_origin" } });
    for (const origin of ["http://a", "http://b", null, "http://a", null]) {
      const headers = origin === null ? {} : { Origin: origin };
      for (const [path, request] of requests) {
        const expected = origin === null ? [null, null, null] : [origin, ADMIN, HEADERS];
        expect(cors(await ask(port, path, { ...request, headers }))).toEqual(expected);
      }
    }
  });

  test("two at once do not get each other's", async () => {
    const port = start({ location: { allowedOrigins: "$arg_o" } });
    const first = await RawConnection.open(port);
    first.send("POST /pub?id=a&o=one HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhe");
    const second = await ask(port, "/pub?id=a&o=two", post("a"));
    first.send("llo");
    expect(cors(await first.answer())[0]).toBe("one");
    expect(cors(second)[0]).toBe("two");
    first.close();
  });

  test.each([null, ""])("not when it is %p", async (allowedOrigins) => {
    const answer = await ask(start({ location: { allowedOrigins } }), "/pub", { method: "OPTIONS" });
    expect(cors(answer)).toEqual([null, null, null]);
  });
});

describe("a refusal leaves its connection in step", () => {
  const body = `GET /evil HTTP/1.1\r\n\r\n${"x".repeat(300_000)}`;
  const chunked = `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
  const cases: readonly (readonly [string, string, number])[] = [
    ["POST", "/pub", 400],
    ["POST", "/pub?id=ALL", 403],
    ["DELETE", "/pub?id=none", 404],
    ["GET", "/pub?id=none", 404],
    ["PATCH", "/pub?id=a", 405],
    ["OPTIONS", "/pub", 200],
  ];
  test.each(cases)("%s %s: %p", async (method, path, status) => {
    const port = start({ location: { maxBodyBytes: 0 } });
    for (const [field, bytesOfBody] of [
      [`Content-Length: ${body.length}`, body],
      ["Transfer-Encoding: chunked", chunked],
    ] as const) {
      const connection = await RawConnection.open(port);
      connection.send(`${method} ${path} HTTP/1.1\r\nHost: x\r\n${field}\r\n\r\n`);
      // In pieces, the first long before the last.
      for (let at = 0; at < bytesOfBody.length; at += 100_000) {
        connection.send(bytesOfBody.slice(at, at + 100_000));
        await Bun.sleep(2);
      }
      connection.request("/pub?id=after", post("after"));
      expect((await connection.answer()).status).toBe(status);
      const next = await connection.answer();
      expect(next.body.toString()).toContain('"channel": "after"');
      expect(connection.ended).toBeFalse();
      connection.close();
    }
  });
});

test("a client that leaves in the middle of a body publishes nothing", async () => {
  const port = start();
  await new Promise<void>((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.write("POST /pub?id=gone HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\nhalf", () => {
        socket.destroy();
        resolve();
      });
    });
  });
  expectJson(await ask(port, "/pub?id=other", post("other")), channelInfo("other", 1, 1));
  expect((await ask(port, "/pub?id=gone")).body.toString()).not.toContain('"published_messages": 1');
});
