/**
 * Who is let in and what they are told: push-stream spec 0.6, 0.7, 3.7, 4.1 to 4.3 for every subscriber mode
 * but WebSocket's own checks.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { expectAntiCache, expectHeaderOnly, expectNoAntiCache } from "../binary/answer-checks.ts";
import { ask, RawConnection, standing } from "../binary/raw-client.ts";
import { layout, type RunningServer, startServer } from "../binary/running-server.ts";

const HEADER = 'header_template = "HEADER"';
const location = (name: string, mode: string, rest: string): string => `
[[location]]
match = "~ ^/${name}/(.*)$"
subscriber = "${mode}"
channels_path = "$1"
${rest}`;
const config =
  layout("[limits]\nmax_channel_id_length = 12", {
    sub: HEADER,
    ev: 'header_template = "HEADER"',
    lp: 'default_type = "text/plain"',
  }) +
  location("known", "streaming", "authorized_channels_only = true") +
  location("known-lp", "long-polling", "authorized_channels_only = true") +
  location("typed", "streaming", `default_type = "custom content type"\n${HEADER}`) +
  location("typed-poll", "polling", 'default_type = "custom content type"') +
  '\n[[location]]\nmatch = "= /live"\npublisher = "normal"\nchannels_path = "$arg_id"\n';

let server: RunningServer;
let channels = 0;
const fresh = (): string => `a${++channels}`;

beforeAll(async () => {
  server = await startServer({ toml: config });
});
afterAll(async () => {
  await server.stop();
});

const PATHS = ["/sub", "/ev", "/lp", "/poll"];

describe.each(PATHS)("%s", (path) => {
  test("OPTIONS: 200, header-only, without the anti-cache lines", async () => {
    const answer = await ask(server.port, `${path}/ALL`, { method: "OPTIONS" });
    expectHeaderOnly(answer, { status: 200 });
    expectNoAntiCache(answer);
  });

  test.each(["HEAD", "POST", "PUT", "DELETE", "PATCH"])(
    "%s: 405, the connection serves on",
    async (method) => {
      const connection = await RawConnection.open(server.port);
      const body = method === "POST" || method === "PUT" ? { body: "GET / HTTP/1.1\r\n\r\n" } : {};
      connection.request(`${path}/ALL`, { method, ...body });
      const answer = await connection.answer(method);
      expectHeaderOnly(answer, { status: 405, allow: "GET" });
      expectAntiCache(answer);
      connection.request(`${path}/ALL`);
      expect((await connection.answer()).status).toBe(403);
      connection.close();
    },
  );

  const long = "x".repeat(13);
  const NO_ID = { status: 400, explain: "No channel id provided." };
  const FORBIDDEN = { status: 403, explain: "Channel id not authorized for this method." };
  const TOO_LARGE = { status: 400, explain: "Channel id is too large." };
  test.each([
    ["", NO_ID],
    ["ALL", FORBIDDEN],
    ["n1/ALL.b3", FORBIDDEN],
    ["n1/n2*", FORBIDDEN],
    [long, TOO_LARGE],
    [`n1/${long}.b1`, TOO_LARGE],
    [`${long}/ALL`, TOO_LARGE],
    [`ALL/${long}`, FORBIDDEN],
  ])("GET %s is refused and makes no channel", async (id, refused) => {
    const connection = await RawConnection.open(server.port);
    for (let again = 0; again < 2; again++) {
      connection.request(`${path}/${id}`);
      const answer = await connection.answer();
      expectHeaderOnly(answer, refused);
      expectAntiCache(answer);
    }
    connection.request("/channels-stats?id=n1");
    expect((await connection.answer()).status).toBe(404);
    connection.close();
  });
});

describe("authorized_channels_only (3.7)", () => {
  const REFUSED = { status: 403, explain: "Subscriber could not create channels." };
  test.each(["/known", "/known-lp"])("%s: only channels with a stored message", async (path) => {
    const [missing, unstored, stored] = [fresh(), fresh(), fresh()];
    await ask(server.port, `/live?id=${unstored}`, { method: "POST", body: "x" });
    await server.publish(stored, "x");
    for (const id of [missing, unstored, `${stored}/${missing}`, `${stored}/${unstored}`])
      expectHeaderOnly(await ask(server.port, `${path}/${id}`), REFUSED);
    expect((await ask(server.port, `/channels-stats?id=${missing}`)).status).toBe(404);
    const connection = await RawConnection.open(server.port);
    connection.request(`${path}/${stored}.b1`);
    expect((await connection.head()).status).toBe(200);
    connection.close();
  });
});

describe("modes and content types (4.2, 4.3)", () => {
  const EVENTS = "text/event-stream; charset=utf-8";
  type Kind = "held" | "polling" | "waiting";
  const cases: readonly (readonly [string, string | null, Kind, string])[] = [
    ["/sub", null, "held", "text/plain; charset=utf-8"],
    ["/sub", "polling", "polling", "text/plain; charset=utf-8"],
    ["/sub", "long-polling", "waiting", "text/plain; charset=utf-8"],
    ["/sub", "LONG-Polling", "waiting", "text/plain; charset=utf-8"],
    ["/sub", "poll", "held", "text/plain; charset=utf-8"],
    ["/sub", "eventsource", "held", "text/plain; charset=utf-8"],
    ["/ev", null, "held", EVENTS],
    ["/ev", "polling", "polling", "text/plain; charset=utf-8"],
    ["/ev", "long-polling", "waiting", EVENTS],
    ["/poll", null, "polling", "text/plain; charset=utf-8"],
    ["/poll", "long-polling", "waiting", "text/plain; charset=utf-8"],
    ["/poll", "streaming", "polling", "text/plain; charset=utf-8"],
    ["/lp", null, "waiting", "text/plain"],
    ["/lp", "polling", "waiting", "text/plain"],
    ["/lp", "long-polling", "waiting", "text/plain"],
    ["/typed", null, "held", "custom content type"],
    ["/typed", "polling", "polling", "custom content type"],
    ["/typed-poll", null, "polling", "custom content type"],
  ];
  test.each(cases)("%s with mode %s is %s", async (path, mode, kind, type) => {
    const channel = fresh();
    const headers: Record<string, string> = mode === null ? {} : { "X-Nginx-PushStream-Mode": mode };
    const connection = await RawConnection.open(server.port);
    connection.request(`${path}/${channel}`, { headers });
    const text = path === "/ev" ? "data: hello\n\n" : "hello";
    if (kind === "polling") {
      const none = await connection.answer();
      expect(none.status).toBe(304);
      expect(none.fields.get("content-type")).toBe(type);
      await server.publish(channel, "hello");
      connection.request(`${path}/${channel}.b1`, { headers });
    } else {
      await standing(server.port, channel);
      await server.publish(channel, "hello");
    }
    const head = await connection.head();
    expect(head.status).toBe(200);
    expect(head.fields.get("content-type")).toBe(type);
    expectAntiCache(head);
    expect(head.fields.has("last-modified")).toBe(kind !== "held");
    expect(head.fields.has("etag")).toBe(kind !== "held");
    if (kind === "held") expect(head.fields.get("transfer-encoding")).toBe("chunked");
    else {
      // Formatting stays that of the location: header template, and data: lines on an eventsource one.
      const headerText = path === "/ev" ? ": HEADER\n" : path === "/sub" || path === "/typed" ? "HEADER" : "";
      expect((await connection.body(head)).toString()).toBe(headerText + text);
    }
    connection.close();
  });

  test("a stored message on an eventsource location polled at once has the streaming type", async () => {
    const channel = fresh();
    await server.publish(channel, "hello");
    const headers = { "X-Nginx-PushStream-Mode": "long-polling" };
    const answer = await ask(server.port, `/ev/${channel}.b1`, { headers });
    expect(answer.fields.get("content-type")).toBe("text/plain; charset=utf-8");
    expect(answer.body.toString()).toBe(": HEADER\ndata: hello\n\n");
  });
});
