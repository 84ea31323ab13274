/**
 * JSONP, and the body of a timed-out long poll: push-stream spec 4.3, 4.6, 4.10, 4.12 (1), (5), (6), 2.7 (4),
 * 8.2.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { expectAntiCache, expectHeaderOnly } from "../binary/answer-checks.ts";
import { ask, type RawAnswer, RawConnection, standing } from "../binary/raw-client.ts";
import { layout, type RunningServer, startServer } from "../binary/running-server.ts";

const location = (name: string, mode: string, rest: string): string => `
[[location]]
match = "~ ^/${name}/(.*)$"
subscriber = "${mode}"
channels_path = "$1"
${rest}`;
const AROUND = 'header_template = "<"\nfooter_template = ">"';
const BRIEF = 'longpolling_connection_ttl = "100ms"';
const locations =
  location(
    "brief",
    "long-polling",
    `${AROUND}\n${BRIEF}\nmessage_template = "~id~|~channel~|~tag~|~time~|~text~"`,
  ) + location("brief-ev", "eventsource", BRIEF);
const config = (timeoutWithBody: boolean): string =>
  layout(`timeout_with_body = ${timeoutWithBody}`, {
    sub: 'header_template = "H"',
    lp: AROUND,
    poll: AROUND,
  }) + locations;

const JS = "application/javascript";
let server: RunningServer;
let withBody: RunningServer;
let channels = 0;
const fresh = (): string => `j${++channels}`;

beforeAll(async () => {
  [server, withBody] = await Promise.all([
    startServer({ toml: config(false) }),
    startServer({ toml: config(true), workers: 1 }),
  ]);
});
afterAll(async () => {
  await Promise.all([server.stop(), withBody.stop()]);
});

function expectScript(answer: RawAnswer, body: string): void {
  expect(answer.status).toBe(200);
  expectAntiCache(answer);
  expect(answer.fields.get("content-type")).toBe(JS);
  expect(answer.fields.get("etag")).toMatch(/^W\/"\d+"$/);
  expect(answer.body.toString()).toBe(body);
}

const LONG = { "X-Nginx-PushStream-Mode": "long-polling" };
const SHORT = { "X-Nginx-PushStream-Mode": "polling" };

describe.each([
  ["/poll", {}],
  ["/lp", {}],
  ["/sub", SHORT],
  ["/sub", LONG],
] as const)("%s %o answered at once", (path, headers) => {
  const around = (text: string): string => (path === "/sub" ? `H${text}` : `<${text}>`);
  test("messages of all channels are joined by commas, templates stay outside", async () => {
    const [one, none, two] = [fresh(), fresh(), fresh()];
    for (const text of ["1", "2"]) await server.publish(one, text);
    await server.publish(two, "3");
    const ids = `${one}.b9/${none}.b9/${two}.b9`;
    const answer = await ask(server.port, `${path}/${ids}?callback=cb`, { headers });
    expectScript(answer, around("cb([1,2,3]);"));
    // Without a callback nothing stands between them.
    const plain = await ask(server.port, `${path}/${ids}`, { headers });
    expect(plain.body.toString()).toBe(around("123"));
    expect(plain.fields.get("content-type")).toBe("text/plain; charset=utf-8");
  });

  test.each([
    ["callback=", ""],
    ["CALLBACK=a.b[0]", "a.b[0]"],
    ["x=1&callback=%24cb", "$cb"],
  ])("?%s", async (query, name) => {
    const channel = fresh();
    await server.publish(channel, "x");
    const answer = await ask(server.port, `${path}/${channel}.b1?${query}`, {
      headers: { ...headers, Accept: "text/plain" },
    });
    expectScript(answer, around(`${name}([x]);`));
  });

  test.each(["a;b", "%3Cscript%3E", "a%0d%0ab", "a".repeat(129)])("?callback=%s: 400", async (name) => {
    const channel = fresh();
    const answer = await ask(server.port, `${path}/${channel}?callback=${name}`, { headers });
    expectHeaderOnly(answer, { status: 400 });
    expectAntiCache(answer);
    expect((await ask(server.port, `/channels-stats?id=${channel}`)).status).toBe(404);
  });
});

test("a poll that has nothing: 304, of the type the 200 would have", async () => {
  for (const query of ["callback=cb", "callback="]) {
    const answer = await ask(server.port, `/poll/${fresh()}?${query}`);
    expect(answer.status).toBe(304);
    expect(answer.fields.get("content-type")).toBe(JS);
    expect(answer.fields.get("content-length")).toBe("0");
  }
});

test("a held stream has no callback", async () => {
  const channel = fresh();
  const stream = await RawConnection.open(server.port);
  stream.request(`/sub/${channel}?callback=a;b`);
  expect((await stream.head()).fields.get("content-type")).toBe("text/plain; charset=utf-8");
  await server.publish(channel, "x");
  expect((await stream.chunked(2)).toString()).toBe("Hx");
  stream.close();
});

describe("a waiting long poll", () => {
  async function waiting(path: string): Promise<RawConnection> {
    const poll = await RawConnection.open(server.port);
    poll.request(path);
    await standing(server.port, path.split("/")[2]?.split("?")[0] ?? "");
    return poll;
  }

  test("answered live", async () => {
    const channel = fresh();
    const poll = await waiting(`/lp/${channel}?callback=cb`);
    await server.publish(channel, "hello");
    expectScript(await poll.answer(), "<cb([hello]);>");
    poll.close();
  });

  test("answered by the deletion of its channel", async () => {
    const channel = fresh();
    const poll = await waiting(`/lp/${channel}?callback=cb`);
    await ask(server.port, `/pub?id=${channel}`, { method: "DELETE" });
    const answer = await poll.answer();
    expectScript(answer, "<cb([Channel deleted]);>");
    expect(answer.fields.get("etag")).toBe('W/"0"');
    poll.close();
  });

  test("each gets its own callback", async () => {
    const channel = fresh();
    const names = ["a", "b", "", "c"];
    const polls = await Promise.all(names.map(() => RawConnection.open(server.port)));
    for (const [i, poll] of polls.entries()) poll.request(`/lp/${channel}?callback=${names[i]}`);
    await standing(server.port, channel, names.length);
    await server.publish(channel, "x");
    for (const [i, poll] of polls.entries()) {
      expectScript(await poll.answer(), `<${names[i]}([x]);>`);
      poll.close();
    }
  });
});

describe("a long poll that nothing came for (4.10)", () => {
  const near = (date: string | undefined): void => {
    expect(Math.abs(Date.parse(date ?? "") - Date.now())).toBeLessThan(5000);
  };
  const cases = [
    ["brief", "", "text/plain; charset=utf-8", "<-3||0|Thu, 01 Jan 1970 00:00:00 GMT|Timed out>"],
    ["brief", "?callback=cb", JS, "<cb([-3||0|Thu, 01 Jan 1970 00:00:00 GMT|Timed out]);>"],
    ["brief-ev", "", "text/event-stream; charset=utf-8", ": \ndata: Timed out\n\n"],
  ] as const;
  test.each(cases)("/%s%s", async (name, query, type, body) => {
    const headers = LONG;
    const path = `/${name}/${fresh()}${query}`;
    const [without, along] = await Promise.all([
      ask(server.port, path, { headers }),
      ask(withBody.port, path, { headers }),
    ]);
    expect(without.statusLine).toBe("HTTP/1.1 304 Not Modified");
    expect(without.fields.get("content-length")).toBe("0");
    expect(along.statusLine).toBe("HTTP/1.1 200 OK");
    expect(along.body.toString()).toBe(body);
    for (const answer of [without, along]) {
      expectAntiCache(answer);
      expect(answer.fields.get("content-type")).toBe(type);
      expect(answer.fields.get("etag")).toBe('W/"0"');
      near(answer.fields.get("last-modified"));
    }
  });

  test("a poll is not a long poll: 304", async () => {
    expect((await ask(withBody.port, `/poll/${fresh()}`)).status).toBe(304);
  });
});

test("shutdown answers waiting long polls with the timeout (8.2)", async () => {
  const going = await startServer({ toml: config(true), workers: 1 });
  const channel = fresh();
  const poll = await RawConnection.open(going.port);
  poll.request(`/lp/${channel}?callback=cb`);
  await standing(going.port, channel);
  const stopped = going.stop();
  const answer = await poll.answer();
  expectScript(answer, "<cb([Timed out]);>");
  expect(answer.fields.get("etag")).toBe('W/"0"');
  poll.close();
  await stopped;
});
