/**
 * publish, channel, subscribe, sleep and log of the context, across workers. Raw bytes of the compiled
 * binary.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { ask, RawConnection } from "../binary/raw-client.ts";
import { type RunningServer, until } from "../binary/running-server.ts";
import { forSettings, handlerLocations, startHandlers, workerPids } from "./handler-server.ts";

setDefaultTimeout(60_000);

const FILES: Record<string, string> = {
  "say.ts": `
    export default async ({ publish, query, request }) => {
      try {
        const data = query.get("data") ?? new Uint8Array(await request.arrayBuffer());
        return JSON.stringify(await publish(query.get("id"), data, JSON.parse(query.get("options") ?? "{}")));
      } catch (error) { return error.name + " " + error.status + " " + error.message; }
    };`,
  "list.ts": `
    export default async ({ publish, request }) => {
      try { return JSON.stringify(await publish(JSON.parse(await request.text()))); }
      catch (error) { return error.name + " " + error.status + " " + error.message; }
    };`,
  "know.ts": `export default ({ channel, query }) => JSON.stringify(channel(query.get("id")));`,
  "listen.ts": `
    export default async function* ({ subscribe, query }) {
      const names = query.get("id").split(" ");
      const last = Number(query.get("last") ?? 0);
      const count = Number(query.get("count") ?? Infinity);
      yield "ready\\n";
      let seen = 0;
      for await (const message of subscribe(names.length === 1 ? names[0] : names, { last })) {
        const { channel, id, text, eventId, eventType, missed, data, time } = message;
        yield [channel, id, text, eventId, eventType, missed, data.length, time > 1e9].join("|") + "\\n";
        if (++seen === count) break;
      }
      yield "over\\n";
    }`,
  "slow.ts": `
    export default async function* ({ subscribe, publish }) {
      const subscription = subscribe("slow");
      for (let i = 0; i < 2000; i++) publish("slow", String(i).padEnd(1000, "x"));
      let sum = 0, missed = 0, count = 0;
      yield "begun\\n";
      for await (const message of subscription) {
        if (count % 500 === 0) await Bun.sleep(5);
        sum += Number(message.text.slice(0, 4).replaceAll("x", "")); missed += message.missed;
        if (++count + missed === 2000) break;
      }
      yield count + " " + missed + " " + sum;
    }`,
  "two-readers.ts": `
    export default async ({ subscribe }) => {
      const iterator = subscribe("nothing")[Symbol.asyncIterator]();
      void iterator.next().catch(() => undefined);
      try { await iterator.next(); } catch (error) { return error.message; }
    };`,
  "closed.ts": `
    export default async ({ subscribe }) => {
      const subscription = subscribe(["closed-1", "closed-2"]);
      subscription.close(); subscription.close();
      const texts = [];
      for await (const { text } of subscription) texts.push(text);
      return "ended " + texts.length;
    };`,
  "bad-subscribe.ts": `
    export default ({ subscribe, query }) => {
      try { subscribe(JSON.parse(query.get("id"))); return "fine"; }
      catch (error) { return error.name + " " + error.status; }
    };`,
  "forgets.ts": `export default ({ subscribe }) => { subscribe("forgotten"); return "forgot"; };`,
  "sleeps.ts": `
    export default async ({ sleep }) => {
      const start = performance.now();
      await sleep(30);
      return String(performance.now() - start >= 25);
    };`,
  "logs.ts": `export default ({ log }) => { log("a line\\nof mine", { who: "me", n: 1, what: null }); };`,
};

const TOML = `${handlerLocations(Object.keys(FILES).map((name) => name.slice(0, -3)))}
[[location]]
match = "= /pub"
publisher = "admin"
channels_path = "$arg_id"
store_messages = true
[limits]
max_channel_id_length = 50
[store]
size = "64MiB"
`;

forSettings("the context", (setting) => {
  let server: RunningServer;
  let pids: readonly number[];
  beforeAll(async () => {
    server = await startHandlers(setting, { files: FILES, toml: TOML });
    pids = workerPids(server);
  });
  afterAll(async () => {
    expect(workerPids(server)).toEqual(pids);
    await server.stop();
  });

  const text = async (path: string): Promise<string> => (await ask(server.port, path)).body.toString();
  const say = (id: string, data: string, options = "{}"): Promise<string> =>
    text(`/say?id=${id}&data=${encodeURIComponent(data)}&options=${encodeURIComponent(options)}`);
  const listen = async (query: string): Promise<RawConnection> => {
    const connection = await RawConnection.open(server.port);
    connection.request(`/listen?${query}`);
    await connection.head();
    await connection.chunked("ready\n".length);
    return connection;
  };
  const standing = (channel: string, count: number) =>
    until(`${count} in ${channel}`, async () =>
      (await text(`/know?id=${channel}`)).includes(`"subscribers":${count}`),
    );
  /** The next line of the body, without its end. */
  const lines = async (connection: RawConnection, expected: readonly string[]): Promise<void> => {
    for (const line of expected) expect(await connection.chunkedText(line.length + 1)).toBe(`${line}\n`);
  };

  test("publish takes a list: each message answers for itself, or a wrong one rejects them all", async () => {
    const list = async (...messages: readonly unknown[]) =>
      (await ask(server.port, "/list", { method: "POST", body: JSON.stringify(messages) })).body.toString();
    const [first, several, again, other] = JSON.parse(
      await list(
        { channel: "list-1", data: "a", key: "k" },
        { channel: ["list-1", "list-2"], data: "b", eventId: "i" },
        { channel: "list-1", data: "a", key: "k" },
        { channel: "list-1", data: "c", key: "k" },
      ),
    );
    expect(first).toEqual({ positions: [expect.any(String)], duplicate: false, refused: null });
    expect(several.positions).toHaveLength(2);
    expect(again).toEqual({ positions: first.positions, duplicate: true, refused: null });
    expect([other.positions, other.refused.code]).toEqual([[null], "key_reused"]);
    for (const [wrong, told] of [
      [{ channel: "list-1", data: "" }, "RefusedError 400 Empty post requests are not allowed."],
      [{ channel: [], data: "x" }, "RefusedError 400 No channel id provided."],
      [{ channel: "list-1", data: "x", key: "" }, "RefusedError 400 An idempotency key has 1 to 256 bytes."],
    ] as const)
      expect(await list({ channel: "list-1", data: "never" }, wrong)).toBe(told);
    expect(JSON.parse((await ask(server.port, "/know?id=list-1")).body.toString())).toMatchObject({
      published: 2,
    });
  });

  test("publish tells the id and the channel's state", async () => {
    expect(JSON.parse(await say("p1", "one"))).toEqual({
      channel: "p1",
      published: 1,
      stored: 1,
      subscribers: 0,
      id: 1,
    });
    expect(JSON.parse(await say("p1", "two", '{"stored":false}'))).toEqual({
      channel: "p1",
      published: 2,
      stored: 1,
      subscribers: 0,
      id: 2,
    });
    expect(JSON.parse(await text("/know?id=p1"))).toEqual({
      channel: "p1",
      published: 2,
      stored: 1,
      subscribers: 0,
    });
    expect(await text("/know?id=unknown")).toBe("null");
    expect(await text("/know?id=")).toBe("null");
  });

  test.each([
    ["", "x", "{}", "RefusedError 400 No channel id provided."],
    ["ALL", "x", "{}", "RefusedError 403 Channel id not authorized for this method."],
    ["a%2Fb", "x", "{}", "RefusedError 403 Channel id not authorized for this method."],
    ["x".repeat(51), "x", "{}", "RefusedError 400 Channel id is too large."],
    ["a", "", "{}", "RefusedError 400 Empty post requests are not allowed."],
    ["a", "x", '{"eventId":7}', "TypeError undefined an event id or type is a text"],
    [
      "a",
      "x",
      `{"eventType":"${"y".repeat(65_535)}"}`,
      "RefusedError 400 Event id or event type is too large.",
    ],
  ])("publish refuses: %#", async (id, data, options, outcome) => {
    const answer = await ask(server.port, "/say", { method: "GET" });
    expect(answer.status).toBe(200);
    expect(await say(id, data, options)).toBe(outcome);
  });

  test("a subscription gets what is published anywhere from now on", async () => {
    await say("l1", "before");
    const connection = await listen("id=l1");
    await standing("l1", 1);
    await say("l1", "grüß dich", '{"eventId":"e1","eventType":"t1"}');
    await ask(server.port, "/pub?id=l1", { method: "POST", body: "by HTTP" });
    expect((await connection.chunked(Buffer.byteLength("l1|2|grüß dich|e1|t1|0|11|true\n"))).toString()).toBe(
      "l1|2|grüß dich|e1|t1|0|11|true\n",
    );
    await lines(connection, ["l1|3|by HTTP|||0|7|true"]);
    connection.close();
    await standing("l1", 0);
  });

  test("the last ones first, each once; and the end of it when enough is taken", async () => {
    for (const data of ["a", "b", "c"]) await say("l2", data);
    const connection = await listen("id=l2&last=2&count=3");
    await lines(connection, ["l2|2|b|||0|1|true", "l2|3|c|||0|1|true"]);
    await say("l2", "d");
    await lines(connection, ["l2|4|d|||0|1|true", "over"]);
    await standing("l2", 0);
    connection.close();
  });

  test("several channels, one of which is deleted; the end with the last", async () => {
    const connection = await listen("id=m1%20m2%20m1");
    await standing("m2", 1);
    expect(await text("/know?id=m1")).toContain('"subscribers":1');
    await say("m1", "x");
    await lines(connection, ["m1|1|x|||0|1|true"]);
    await ask(server.port, "/pub?id=m1", { method: "DELETE" });
    await say("m2", "y");
    await lines(connection, ["m2|1|y|||0|1|true"]);
    await ask(server.port, "/pub?id=m2", { method: "DELETE" });
    await lines(connection, ["over"]);
    connection.close();
  });

  test("whoever takes them slowly gets them all from the store", async () => {
    const connection = await RawConnection.open(server.port);
    connection.request("/slow");
    const { body } = await connection.answer();
    expect(body.toString()).toBe(`begun\n2000 0 ${(1999 * 2000) / 2}`);
    connection.close();
  });

  test.each([
    ["/two-readers", "somebody waits for the next message of this subscription already"],
    ["/closed", "ended 0"],
    ["/bad-subscribe?id=[]", "RefusedError 400"],
    ["/bad-subscribe?id=%22a*%22", "RefusedError 403"],
    ["/bad-subscribe?id=7", "TypeError undefined"],
    ["/bad-subscribe?id=[7]", "TypeError undefined"],
    ["/sleeps", "true"],
  ])("%s", async (path, outcome) => {
    expect(await text(path)).toBe(outcome);
  });

  test("what a whole answer left open is closed", async () => {
    expect(await text("/forgets")).toBe("forgot");
    await standing("forgotten", 0);
  });

  test("log writes one line", async () => {
    expect((await ask(server.port, "/logs")).status).toBe(204);
    await until("the line", () => server.log.includes("a line of mine who=me n=1 what=null"));
  });
});
