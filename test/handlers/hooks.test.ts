/**
 * onSubscribe, onUnsubscribe and onPublish, on every transport; what throws or hangs in them. Raw bytes of
 * the compiled binary.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { ask, RawConnection } from "../binary/raw-client.ts";
import { Opcode, RawWebSocket } from "../binary/raw-web-socket.ts";
import { type RunningServer, until } from "../binary/running-server.ts";
import { forSettings, startHandlers, workerPids } from "./handler-server.ts";

setDefaultTimeout(60_000);

const FILES: Record<string, string> = {
  "presence.ts": `
    import type { Hooks, SubscribeEvent, UnsubscribeEvent } from "sluice";
    let tell: ((text: string) => void) | null = null;
    const line = ({ transport, channels, remoteAddress }: SubscribeEvent) =>
      transport + " " + channels.join(",") + " " + remoteAddress;
    export const onSubscribe: Hooks["onSubscribe"] = (event, context) => {
      tell = (text) => void context.publish("log", text);
      const came = "came " + line(event) + " " + context.query.get("who");
      context.publish("presence-" + event.channels[0], came);
    };
    export const onUnsubscribe = (event: UnsubscribeEvent) => {
      const good = event.durationMs >= 0 && event.durationMs < 60_000;
      tell?.("went " + line(event) + " " + good);
    };`,
  "mean.ts": `
    export const onSubscribe = (event) => { throw new Error("thrown in onSubscribe"); };
    export const onUnsubscribe = async () => { throw new Error("rejected in onUnsubscribe"); };`,
  "filter.ts": `
    import type { Hooks } from "sluice";
    export const onPublish: Hooks["onPublish"] = async (message, { headers, sleep }) => {
      const { text, channels } = message;
      if (text.startsWith("slow")) await sleep(Number(text.slice(4, 7)));
      if (text.startsWith("up ")) return { data: text.toUpperCase() };
      const data = new Uint8Array([1, 2]);
      if (text.startsWith("bytes ")) return { data, eventId: "id-" + channels.join("+"), eventType: "kind" };
      if (text.startsWith("no ")) return { status: 422, explain: "not with me" };
      if (text === "empty") return { data: "" };
      if (text === "throw") throw new Error("thrown in onPublish");
      if (text === "hang") return await new Promise<undefined>(() => {});
      if (text === "nonsense") return 7 as never;
      if (text === "bad status") return { status: 200 };
      if (text === "exit") process.exit(0);
    };`,
  "sync-filter.ts": `
    export const onPublish = ({ text }) =>
      text === "no" ? { status: 403 } : text === "up" ? { data: "UP" } : undefined;`,
};

const location = (match: string, role: string, hooks: string): string =>
  `[[location]]\nmatch = "${match}"\n${role}\nhooks = "${hooks}"\nhandler_timeout = "400ms"\n`;
const SUBSCRIBERS = [
  ["ev", 'subscriber = "eventsource"'],
  ["sub", 'subscriber = "streaming"\nheader_template = "hello"'],
  ["lp", 'subscriber = "long-polling"'],
  ["poll", 'subscriber = "polling"'],
  ["ws", 'subscriber = "websocket"'],
] as const;
const subscribers = (prefix: string, hooks: string): string =>
  SUBSCRIBERS.map(([name, role]) =>
    location(`~ ^/${prefix}${name}/(.*)$`, `${role}\nchannels_path = "$1"`, hooks),
  ).join("");

const TOML = `
${subscribers("", "presence.ts")}
${subscribers("mean-", "mean.ts")}
${location("= /pub", 'publisher = "admin"\nchannels_path = "$arg_id"\nstore_messages = true', "filter.ts")}
${location(
  "= /sync-pub",
  'publisher = "admin"\nchannels_path = "$arg_id"\nstore_messages = true',
  "sync-filter.ts",
)}
${location(
  "~ ^/chat/(.*)$",
  'subscriber = "websocket"\nchannels_path = "$1"\n' +
    "websocket_allow_publish = true\nstore_messages = true",
  "filter.ts",
)}
${location(
  "~ ^/sync-chat/(.*)$",
  'subscriber = "websocket"\nchannels_path = "$1"\n' +
    "websocket_allow_publish = true\nstore_messages = true",
  "sync-filter.ts",
)}
[[location]]
match = "= /plain-pub"
publisher = "admin"
channels_path = "$arg_id"
store_messages = true
[[location]]
match = "~ ^/read/(.*)$"
subscriber = "polling"
channels_path = "$1.b50"
message_template = "~text~;"
`;

forSettings("hooks", (setting) => {
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

  const read = async (channel: string): Promise<string> =>
    (await ask(server.port, `/read/${channel}`)).body.toString();
  const publish = (channel: string, body: string, path = "/pub") =>
    ask(server.port, `${path}?id=${channel}`, { method: "POST", body });

  test.each([
    ["ev", "eventsource"],
    ["sub", "streaming"],
    ["lp", "long-polling"],
    ["poll", "long-polling"],
  ])("/%s: comings and goings of clients", async (name, transport) => {
    const channel = `c-${name}`;
    const connection = await RawConnection.open(server.port);
    const headers = name === "poll" ? { "X-Nginx-PushStream-Mode": "long-polling" } : {};
    connection.request(`/${name}/${channel}/other?who=me`, { headers });
    await until("the hook", async () => (await read(`presence-${channel}`)) !== "");
    expect(await read(`presence-${channel}`)).toBe(`came ${transport} ${channel},other 127.0.0.1 me;`);
    connection.close();
    await until("the other hook", async () =>
      (await read("log")).includes(`went ${transport} ${channel},other 127.0.0.1 true;`),
    );
    expect((await read("log")).split(channel).length).toBe(2);
  });

  test("of WebSockets", async () => {
    const socket = await RawWebSocket.open(server.port, "/ws/c-ws?who=me");
    await until("the hook", async () => (await read("presence-c-ws")) !== "");
    expect(await read("presence-c-ws")).toBe("came websocket c-ws 127.0.0.1 me;");
    socket.close();
    await until("the other hook", async () =>
      (await read("log")).includes("went websocket c-ws 127.0.0.1 true;"),
    );
  });

  test("of a long poll that is answered, and of a channel that is deleted", async () => {
    const connection = await RawConnection.open(server.port);
    connection.request("/lp/answered");
    await until("the hook", async () => (await read("presence-answered")) !== "");
    await publish("answered", "message", "/plain-pub");
    expect((await connection.answer()).body.toString()).toBe("message");
    await until("the other hook", async () => (await read("log")).includes("went long-polling answered "));
    connection.request("/ev/deleted");
    await until("the hook", async () => (await read("presence-deleted")) !== "");
    await ask(server.port, "/plain-pub?id=deleted", { method: "DELETE" });
    await until("the other hook", async () => (await read("log")).includes("went eventsource deleted "));
    connection.close();
  });

  test("a poll that is answered at once is no coming", async () => {
    await publish("polled", "m", "/plain-pub");
    await ask(server.port, "/poll/polled.b1");
    await ask(server.port, "/lp/polled.b1");
    expect(await read("presence-polled")).toBe("");
  });

  test.each(["ev", "sub", "lp", "ws"])("/mean-%s: hooks that throw cost nothing", async (name) => {
    const channel = `mean-${name}`;
    const connection = await RawConnection.open(server.port);
    const socket = name === "ws" ? await RawWebSocket.open(server.port, `/mean-ws/${channel}`) : null;
    if (socket === null) connection.request(`/mean-${name}/${channel}`);
    await until("it stands", async () => {
      const { body } = await ask(server.port, `/plain-pub?id=${channel}`);
      return body.toString().includes('"subscribers": 1');
    });
    await publish(channel, "through", "/plain-pub");
    if (socket !== null) expect(await socket.text()).toBe("through");
    else if (name === "lp") expect((await connection.answer()).body.toString()).toBe("through");
    else await until("the message", () => connection.peek().includes("through"));
    connection.close();
    socket?.close();
    expect(server.log).toContain("onSubscribe failed: Error: thrown in onSubscribe");
    await until("the other line", () =>
      server.log.includes("onUnsubscribe failed: Error: rejected in onUnsubscribe"),
    );
  });

  test("onPublish lets messages pass and changes them", async () => {
    expect((await publish("a1", "as it is")).status).toBe(200);
    expect((await publish("a1", "up and away")).status).toBe(200);
    expect(await read("a1")).toBe("as it is;UP AND AWAY;");
    await publish("a2/a3", "bytes please");
    expect(await read("a2")).toBe("\x01\x02;");
    const events = await RawConnection.open(server.port);
    events.request("/ev/a2.b1");
    await until("the event", () => events.peek().includes("\x01\x02"));
    expect(events.peek()).toContain("id: id-a2+a3");
    expect(events.peek()).toContain("event: kind");
    events.close();
  });

  test.each([
    ["no thanks", 422, "not with me"],
    ["empty", 400, "Empty post requests are not allowed."],
    ["throw", 500, "The hook failed (id "],
    ["hang", 500, "The hook failed (id "],
    ["nonsense", 500, "The hook failed (id "],
    ["bad status", 500, "The hook failed (id "],
    ["exit", 500, "The hook failed (id "],
  ])("onPublish, %s: %d, and nothing is published", async (text, status, explain) => {
    const channel = `n-${text.replaceAll(" ", "-")}`;
    const answer = await publish(channel, text);
    expect(answer.status).toBe(status);
    const told = answer.fields.get("x-nginx-pushstream-explain") ?? "";
    expect(told).toStartWith(explain);
    expect(await read(channel)).toBe("");
    const id = /id (\w+)\)/.exec(told)?.[1];
    if (id !== undefined) await until("its line in the log", () => server.log.includes(`id=${id}`));
  });

  test("one that answers at once", async () => {
    expect((await publish("s1", "no", "/sync-pub")).status).toBe(403);
    await publish("s1", "up", "/sync-pub");
    await publish("s1", "as it is", "/sync-pub");
    expect(await read("s1")).toBe("UP;as it is;");
  });

  test.each(["chat", "sync-chat"])("/%s: messages of a WebSocket client stay in order", async (name) => {
    const channel = `o-${name}`;
    const socket = await RawWebSocket.open(server.port, `/${name}/${channel}`);
    const texts = ["slow090 one", "two", "slow030 three", "up four", "five"];
    for (const text of texts) socket.sendFrame(Opcode.TEXT, text);
    const came: string[] = [];
    while (came.length < texts.length) came.push(await socket.text());
    expect(came).toEqual(
      name === "chat" ? ["slow090 one", "two", "slow030 three", "UP FOUR", "five"] : texts,
    );
    socket.close();
  });

  test("a WebSocket client whose message is refused is closed with the reason", async () => {
    const socket = await RawWebSocket.open(server.port, "/chat/refused");
    socket.sendFrame(Opcode.TEXT, "no way");
    const { payload } = await socket.frame();
    expect(payload.readUInt16BE()).toBe(1008);
    expect(payload.subarray(2).toString()).toContain("not with me");
    const failing = await RawWebSocket.open(server.port, "/chat/refused");
    failing.sendFrame(Opcode.TEXT, "throw");
    expect((await failing.frame()).payload.readUInt16BE()).toBe(1011);
    expect(await read("refused")).toBe("");
  });

  test("a message whose client leaves, or sends nonsense, while it is judged is published", async () => {
    const leaving = await RawWebSocket.open(server.port, "/chat/leaving");
    leaving.sendFrame(Opcode.TEXT, "slow050 sent");
    leaving.sendFrame(Opcode.CLOSE);
    await leaving.connection.untilEnd();
    await until("it is there", async () => (await read("leaving")).includes("sent"));
    const wrong = await RawWebSocket.open(server.port, "/chat/wrong");
    wrong.sendFrame(Opcode.TEXT, "slow050 sent");
    wrong.sendFrame(0xb);
    await wrong.connection.untilEnd();
    await until("it is there", async () => (await read("wrong")).includes("sent"));
  });

  test("messages behind one that is refused are not published", async () => {
    const socket = await RawWebSocket.open(server.port, "/chat/behind");
    socket.sendFrame(Opcode.TEXT, "slow050 first");
    socket.sendFrame(Opcode.TEXT, "no way");
    socket.sendFrame(Opcode.TEXT, "last");
    await socket.connection.untilEnd();
    await until("the first", async () => (await read("behind")).includes("first"));
    expect(await read("behind")).not.toContain("last");
  });
});
