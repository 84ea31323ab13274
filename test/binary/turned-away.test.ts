/**
 * A browser gives an event source that was answered with an error up for good (HTML 9.2.3). Refusals that may
 * pass are told by a stream that says when to come again, and ends; whoever reads statuses gets 503 or 403
 * with Retry-After. Both doors.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type RawAnswer, RawConnection, standing } from "./raw-client.ts";
import { layout, type RunningServer, startServer, until } from "./running-server.ts";

const MAX_CONNECTIONS = 5;
const PER_ADDRESS = 12;

const config = (header: string): string =>
  layout(
    `[limits]\nmax_connections = ${MAX_CONNECTIONS}\nmax_subscribers_per_channel = 2\n` +
      "max_number_of_channels = 4\n" +
      `max_channels_created_per_address = ${PER_ADDRESS}`,
    {
      sub: `header_template = ${JSON.stringify(header)}`,
      ev: 'event_ids = "auto"\nallowed_origins = "https://a.example"',
    },
  ) +
  ('[[location]]\nmatch = "~ ^/status/(.*)$"\nsubscriber = "eventsource"\n' +
    'channels_path = "$1"\nevent_ids = "auto"\n') +
  'turn_away = "status"\n';

async function get(
  server: RunningServer,
  path: string,
  headers: Record<string, string> = {},
): Promise<RawAnswer> {
  const connection = await RawConnection.open(server.port);
  connection.request(path, { headers });
  try {
    return await connection.answer();
  } finally {
    connection.close();
  }
}

/** The same refusal on an event source, on one that wants statuses, and on another transport. */
async function expectTurnedAway(
  server: RunningServer,
  channels: string,
  status: number,
  explain: string,
  leastMs: number,
): Promise<void> {
  const source = await get(server, `/ev/${channels}`);
  expect(source.statusLine).toBe("HTTP/1.1 200 OK");
  expect(source.fields.get("content-type")).toBe("text/event-stream; charset=utf-8");
  expect(source.fields.get("access-control-allow-origin")).toBe("https://a.example");
  const retryMs = Number(new RegExp(`^: \n: ${explain}\nretry: (\\d+)\n$`).exec(source.body.toString())?.[1]);
  expect(retryMs).toBeGreaterThanOrEqual(leastMs);
  for (const path of ["status", "sub", "lp"]) {
    const answer = await get(server, `/${path}/${channels}`);
    expect([path, answer.status, answer.fields.get("x-nginx-pushstream-explain")]).toEqual([
      path,
      status,
      explain,
    ]);
    expect(Number(answer.fields.get("retry-after"))).toBeGreaterThan(0);
  }
  const polled = await get(server, `/ev/${channels}`, { "X-Nginx-PushStream-Mode": "long-polling" });
  expect(polled.status).toBe(status);
}

describe.each([
  ["native", "\n"],
  ["wire", ""],
])("%s: an event source that is refused for now is told when to come again", (_door, header) => {
  let server: RunningServer;
  const held: RawConnection[] = [];
  const hold = async (path: string): Promise<void> => {
    const connection = await RawConnection.open(server.port);
    connection.request(path);
    await connection.head();
    held.push(connection);
  };
  beforeAll(async () => {
    server = await startServer({ toml: config(header), workers: 1 });
    await hold("/ev/a");
    await hold("/ev/a");
    await standing(server.port, "a", 2);
  });
  afterAll(async () => {
    for (const connection of held) connection.close();
    await server.stop();
  });

  test("too many subscribers of a channel", () =>
    expectTurnedAway(server, "a", 403, "Subscribers limit per channel has been exceeded.", 11_000));

  test("too many channels", async () => {
    await hold("/ev/b/c/d");
    await expectTurnedAway(server, "e", 403, "Number of channels were exceeded.", 11_000);
  });

  test("too many new channels of an address", async () => {
    await server.request("/pub?id=d", { method: "DELETE" });
    for (let made = 0; made <= PER_ADDRESS; made++) {
      if ((await server.publish(`short${made}`, "x")).status === 403) break;
      await server.request(`/pub?id=short${made}`, { method: "DELETE" });
    }
    await expectTurnedAway(server, "e", 403, "Too many channels were created from this address.", 61_000);
  });

  test("what does not pass is a status: there is nothing to come again for", async () => {
    expect((await get(server, `/ev/${"x/".repeat(101)}`)).status).toBe(400);
  });

  test("too many connections", async () => {
    await hold("/ev/b");
    await hold("/ev/c");
    await until("it is full", async () => (await get(server, "/sub/a")).status === 503);
    await expectTurnedAway(server, "a", 503, "Too many connections on this worker.", 2000);
    expect((await get(server, "/ev/a")).fields.get("connection")).toBe("close");
    held.pop()?.close();
  });
});
