/**
 * `authorize`: who is let in where, and that nobody is when it throws, hangs or talks nonsense. Raw bytes of
 * the compiled binary.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ask, RawConnection } from "../binary/raw-client.ts";
import { Opcode, RawWebSocket } from "../binary/raw-web-socket.ts";
import { type RunningServer, until } from "../binary/running-server.ts";
import { errorId, forSettings, removeFolders, startHandlers, workerPids } from "./handler-server.ts";

setDefaultTimeout(60_000);
afterAll(removeFolders);

const FILES: Record<string, string> = {
  // What it says is asked for in the request, so that one file serves all cases.
  "guard.ts": `
    import type { Authorize } from "sluice";
    export const authorize: Authorize = async (context) => {
      const { headers, channels, role, sleep, query, params, channel, publish, method, request } = context;
      const wish = headers.get("x-wish") ?? query.get("wish") ?? "";
      if (query.has("slowly")) await sleep(20);
      if (wish === "yes") return true;
      if (wish === "no") return false;
      if (wish === "full") return { status: 503, explain: "full today" };
      if (wish.startsWith("user ")) return { user: wish.slice(5) };
      if (wish === "user-and-channels") return { user: "\u00e4nna", channels: "inbox" };
      if (wish === "no-user") return { user: "" };
      if (wish === "long-user") return { user: "u".repeat(257) };
      if (wish === "number-user") return { user: 7 as never };
      if (wish === "read") return (await request.text()) === "";
      if (wish === "status") return 451;
      if (wish === "explain") return { status: 403, explain: "not you,\\r\\nX-Forged: 1 " + role };
      if (wish === "narrow") return { channels: channels.filter((name) => name !== "secret") };
      if (wish === "rewrite") return { channels: ["tenant-" + channels.join("+"), "common.b1"] };
      if (wish === "none") return { channels: [] };
      if (wish === "slash") return { channels: ["a/b"] };
      if (wish === "bad-status") return { status: 200 };
      if (wish === "throw") throw new Error("thrown in authorize");
      if (wish === "hang") return await new Promise<boolean>(() => {});
      if (wish === "exit") process.exit(0);
      if (wish === "text") return "yes" as never;
      if (wish === "tell") {
        const known = JSON.stringify(params) + " " + channel("absent");
        publish("told", role + " " + method + " " + channels.join(",") + " " + known);
        return true;
      }
      return undefined as never;
    };`,
  "sync.ts": `export const authorize = ({ headers }) => headers.get("x-wish") === "yes";`,
  "by-query.ts": `
    export const authorize = ({ query }) => query.get("id") === "mine" && query.getAll("id").length > 0;`,
  "told.ts": `
    import type { Hooks } from "sluice";
    export const onSubscribe: Hooks["onSubscribe"] = ({ user }, context) => {
      context.publish("users", "came " + user + " " + context.user);
    };
    export const onUnsubscribe: Hooks["onUnsubscribe"] = ({ user, channels }, context) => {
      const { publish, path, user: same, signal } = context;
      publish("users", ["went", user, same, channels, path, signal.aborted].join(" "));
    };
    export const onPublish: Hooks["onPublish"] = ({ text }, { user }) => ({ data: user + ": " + text });`,
  "guarded.ts": `
    import type { Handler, WebSocketHandler } from "sluice";
    const hello: Handler = async ({ user, request }) => user + " said " + (await request.text());
    export default hello;
    export const websocket: WebSocketHandler = {
      protocols: ["chat.v1"],
      open(socket, { user }) { socket.send("hello " + user); },
    };`,
  "sleepy.ts": `export const onUnsubscribe = async (event, { sleep }) => { await sleep(1); };`,
  "broken.ts": `throw new Error("no guard today"); export const authorize = () => true;`,
  "public/index.html": "<p>members</p>",
};

const location = (match: string, role: string, guard = "guard.ts"): string =>
  `[[location]]\nmatch = "${match}"\n${role}\nauthorize = "${guard}"\nhandler_timeout = "400ms"\n`;

const TOML = `
${location("= /pub", 'publisher = "admin"\nchannels_path = "$arg_id"\nstore_messages = true')}
${location(
  "= /sync-pub",
  'publisher = "normal"\nchannels_path = "$arg_id"\nstore_messages = true',
  "sync.ts",
)}
${location(
  "= /query-pub",
  'publisher = "admin"\nchannels_path = "$arg_id"\nstore_messages = true',
  "by-query.ts",
)}
${location("= /broken-pub", 'publisher = "normal"\nchannels_path = "$arg_id"', "broken.ts")}
${location(
  "~ ^/poll/(.*)$",
  'subscriber = "polling"\nchannels_path = "$1"\nmessage_template = "~channel~=~text~;"',
)}
${location("~ ^/ev/(?<id>.*)$", 'subscriber = "eventsource"\nchannels_path = "$id"')}
${location(
  "~ ^/ws/(.*)$",
  'subscriber = "websocket"\nchannels_path = "$1"\nmessage_template = "~channel~=~text~"',
)}
${location("~ ^/sub/(.*)$", 'subscriber = "streaming"\nchannels_path = "$1"\nheader_template = "hi"')}
${location("/files/", 'root = "ROOT"')}
${location(
  "~ ^/user-ws/(.*)$",
  'subscriber = "websocket"\nchannels_path = "$1"\nwebsocket_allow_publish = true\n' +
    'store_messages = true\nhooks = "told.ts"\naccess_log = ["ACCESS_LOG users"]',
)}
${location(
  "~ ^/user-ev/(.*)$",
  'subscriber = "eventsource"\nchannels_path = "$1"\nhooks = "told.ts"\n' +
    'access_log = ["ACCESS_LOG users"]',
)}
${location(
  "= /user-pub",
  'publisher = "admin"\nchannels_path = "$arg_id"\nstore_messages = true\nhooks = "told.ts"\n' +
    'access_log = ["ACCESS_LOG users"]',
)}
${location("= /guarded", 'handler = "guarded.ts"')}
${location("~ ^/sleepy/(.*)$", 'subscriber = "eventsource"\nchannels_path = "$1"\nhooks = "sleepy.ts"')}
[[location]]
match = "= /open-pub"
publisher = "admin"
channels_path = "$arg_id"
store_messages = true
[[location]]
match = "~ ^/open-poll/(.*)$"
subscriber = "polling"
channels_path = "$1"
message_template = "~channel~=~text~;"
`;

const LOG_FORMAT = 'log_format = ["users $sluice_user $request $status"]\n';

const wish = (word: string) => ({ headers: { "X-Wish": word } });

forSettings("guards", (setting) => {
  let server: RunningServer;
  let pids: readonly number[];
  let accessLog: string;
  beforeAll(async () => {
    const { folderWith } = await import("./handler-server.ts");
    const root = folderWith({ "files/page.html": "<p>members</p>" });
    accessLog = join(root, "access.log");
    const toml = LOG_FORMAT + TOML.replace("ROOT", root).replaceAll("ACCESS_LOG", accessLog);
    server = await startHandlers(setting, { files: FILES, toml });
    pids = workerPids(server);
  });
  afterAll(async () => {
    expect(workerPids(server)).toEqual(pids);
    await server.stop();
  });

  const poll = async (channels: string): Promise<string> =>
    (await ask(server.port, `/open-poll/${channels}`)).body.toString();

  /** As a page sees it. */
  const endOf = (path: string, protocols: readonly string[]) =>
    new Promise<{ code: number; reason: string; frames: number; protocol: string }>((resolve) => {
      const socket = new WebSocket(`ws://127.0.0.1:${server.port}${path}`, [...protocols]);
      let frames = 0;
      socket.onmessage = () => frames++;
      socket.onclose = ({ code, reason }) => resolve({ code, reason, frames, protocol: socket.protocol });
    });

  test.each([
    ["yes", 200, undefined],
    ["no", 403, undefined],
    ["status", 451, undefined],
    ["explain", 403, "not you,X-Forged: 1 publisher"],
  ])("publisher, %s: %d", async (word, status, explain) => {
    const answer = await ask(server.port, `/pub?id=p-${word}`, { method: "POST", body: "m", ...wish(word) });
    expect(answer.status).toBe(status);
    expect(answer.fields.get("x-nginx-pushstream-explain")).toBe(explain as string);
    expect(answer.fields.has("x-forged")).toBe(false);
    expect(await poll(`p-${word}.b1`)).toBe(status === 200 ? `p-${word}=m;` : "");
  });

  test("a guard that judges the query judges the channel that is published to", async () => {
    for (const query of [
      "ID=theirs&id=mine",
      "%69d=mine&id=theirs",
      "id=theirs&id=mine",
      "iD=theirs&%49d=mine",
    ]) {
      const answer = await ask(server.port, `/query-pub?${query}`, { method: "POST", body: "m" });
      expect([query, answer.status]).toEqual([query, 403]);
    }
    expect(await poll("theirs.b1")).toBe("");
    const own = await ask(server.port, "/query-pub?Id=mine&id=theirs", { method: "POST", body: "m" });
    expect([own.status, await poll("mine.b1"), await poll("theirs.b1")]).toEqual([200, "mine=m;", ""]);
  });

  test.each(["/pub?id=a&slowly", "/poll/a?slowly", "/ev/a?slowly", "/sub/a?slowly", "/ws/a?slowly"])(
    "%s: 403 after a while",
    async (path) => {
      const answer = await ask(server.port, path, wish("no"));
      expect(answer.status).toBe(403);
    },
  );

  test.each([
    "throw",
    "exit",
    "text",
    "none",
    "slash",
    "bad-status",
    "nothing",
    "no-user",
    "long-user",
    "number-user",
  ])("%s: 500 with an id that is in the log, and nobody is in", async (word) => {
    const answer = await ask(server.port, `/pub?id=q-${word}`, {
      method: "POST",
      body: "m",
      ...wish(word),
    });
    expect(answer.status).toBe(500);
    const id = errorId(answer.fields);
    await until("its line in the log", () => server.log.includes(id));
    expect(server.log.split("\n").find((line) => line.includes(id))).toContain("authorize failed: ");
    expect(await poll(`q-${word}.b1`)).toBe("");
  });

  test.each(["/pub?id=h", "/poll/h", "/ws/h", "/files/page.html"])(
    "%s: a guard that hangs is 500",
    async (path) => {
      const answer = await ask(server.port, path, wish("hang"));
      expect(answer.status).toBe(500);
      const id = errorId(answer.fields);
      await until("its line in the log", () => server.log.includes(id));
      expect(server.log).toContain("authorize failed: TooLate: no answer within 400 ms");
    },
  );

  test("a guard that did not load lets nobody in", async () => {
    const answer = await ask(server.port, "/broken-pub?id=b", { method: "POST", body: "m" });
    expect(answer.status).toBe(500);
    expect(server.log).toContain(errorId(answer.fields));
  });

  test("one that answers at once", async () => {
    expect(
      (await ask(server.port, "/sync-pub?id=s", { method: "POST", body: "m", ...wish("yes") })).status,
    ).toBe(200);
    expect((await ask(server.port, "/sync-pub?id=s", { method: "POST", body: "m" })).status).toBe(403);
  });

  test("one that reads the request's body takes nothing away from the publisher", async () => {
    const answer = await ask(server.port, "/pub?id=kept", { method: "POST", body: "kept", ...wish("read") });
    expect(answer.status).toBe(200);
    expect(await poll("kept.b1")).toBe("kept=kept;");
  });

  test("channels are narrowed and rewritten, for publishers", async () => {
    await ask(server.port, "/pub?id=open/secret", { method: "POST", body: "narrow", ...wish("narrow") });
    expect(await poll("open.b1")).toBe("open=narrow;");
    expect(await poll("secret.b1")).toBe("");
    const answer = await ask(server.port, "/pub?id=x/y", { method: "POST", body: "w", ...wish("rewrite") });
    expect(answer.body.toString()).toContain('"channel": "tenant-x+y"');
    expect(await poll("tenant-x+y.b1")).toBe("tenant-x+y=w;");
  });

  test("channels are narrowed and rewritten, for subscribers; old messages stay asked for", async () => {
    for (const [channel, text] of [
      ["r1", "one"],
      ["r1", "two"],
      ["secret", "hidden"],
      ["tenant-z", "own"],
      ["common", "c1"],
      ["common", "c2"],
    ])
      await ask(server.port, `/open-pub?id=${channel}`, { method: "POST", body: text ?? "" });
    const narrowed = await ask(server.port, "/poll/r1.b2/secret.b2", wish("narrow"));
    expect(narrowed.body.toString()).toBe("r1=one;r1=two;");
    const rewritten = await ask(server.port, "/poll/z.b5", wish("rewrite"));
    expect(rewritten.body.toString()).toBe("common=c2;");
  });

  test("a WebSocket is let in, to what was granted", async () => {
    const socket = await RawWebSocket.open(server.port, "/ws/w1/secret?slowly", { "X-Wish": "narrow" });
    await until("it stands", async () =>
      (await ask(server.port, "/open-pub?id=w1")).body.toString().includes('"subscribers": 1'),
    );
    await ask(server.port, "/open-pub?id=secret", { method: "POST", body: "not for it" });
    await ask(server.port, "/open-pub?id=w1", { method: "POST", body: "for it" });
    const { opcode, payload } = await socket.frame();
    expect([opcode, payload.toString()]).toEqual([Opcode.TEXT, "w1=for it"]);
    socket.close();
  });

  // A browser is told nothing of a handshake that fails: its page saw 1006 and no reason.
  test.each([
    ["no", 1008, '{"http_status": 403, "explain":""}'],
    ["status", 1008, '{"http_status": 451, "explain":""}'],
    ["explain", 1008, '{"http_status": 403, "explain":"not you,X-Forged: 1 subscriber"}'],
    ["full", 1013, '{"http_status": 503, "explain":"full today"}'],
    ["throw", 1011, '{"http_status": 500, "explain":"The guard failed (id '],
    ["hang", 1011, '{"http_status": 500, "explain":"The guard failed (id '],
  ])("a page hears why its WebSocket was refused: %s, %d", async (word, code, reason) => {
    const offers = [
      ["", []],
      ["&slowly", ["foreign", "sluice.json.v1"]],
      ["", ["sluice.msgpack.v1"]],
    ] as const;
    const ends = offers.map(([query, protocols]) => endOf(`/ws/refused?wish=${word}${query}`, protocols));
    for (const [place, told] of (await Promise.all(ends)).entries()) {
      expect([told.code, told.frames, told.protocol]).toEqual([code, 0, offers[place]?.[1].at(-1) ?? ""]);
      expect(told.reason).toStartWith(reason);
    }
    expect((await ask(server.port, "/open-pub?id=refused")).status).toBe(404);
  });

  test("a guard that is asked by a request without an upgrade refuses it with a status", async () => {
    const answer = await ask(server.port, "/ws/w1", wish("explain"));
    expect([answer.status, answer.fields.get("x-nginx-pushstream-explain")]).toEqual([
      403,
      "not you,X-Forged: 1 subscriber",
    ]);
  });

  test("who the guard says it is, is known to hooks and to the access log", async () => {
    const socket = await RawWebSocket.open(server.port, "/user-ws/u1?wish=user-and-channels&slowly");
    socket.sendFrame(Opcode.TEXT, "hello");
    expect(await socket.text()).toBe("\u00e4nna: hello");
    socket.close();
    const stream = await RawConnection.open(server.port);
    stream.request("/user-ev/u2", wish("user bob"));
    await stream.head();
    stream.close();
    const post = { method: "POST", body: "m" };
    await ask(server.port, "/user-pub?id=u3", { ...post, ...wish("user carol") });
    await ask(server.port, "/user-pub?id=u4", { ...post, ...wish("yes") });
    expect([await poll("u3.b1"), await poll("u4.b1")]).toEqual(["u3=carol: m;", "u4=null: m;"]);
    const told = async () => (await poll("users.b9")).split(";").sort();
    await until("both have left", async () => (await told()).length === 5);
    expect(await told()).toEqual(
      [
        "",
        "users=came \u00e4nna \u00e4nna",
        "users=came bob bob",
        "users=went \u00e4nna \u00e4nna inbox /user-ws/u1 true",
        "users=went bob bob u2 /user-ev/u2 true",
      ].sort(),
    );
    const lines = () => readFileSync(accessLog, "utf8");
    await until("the log", () => lines().includes("/user-pub?id=u4"));
    for (const line of [
      "\\xC3\\xA4nna GET /user-ws/u1?wish=user-and-channels&slowly HTTP/1.1 200",
      "bob GET /user-ev/u2 HTTP/1.1 200",
      "carol POST /user-pub?id=u3 HTTP/1.1 200",
      "- POST /user-pub?id=u4 HTTP/1.1 200",
    ])
      expect(lines()).toContain(`${line}\n`);
  });

  test("a handler has a guard, too, and knows who the guard says it is", async () => {
    const post = { method: "POST", body: "hi" };
    for (const query of ["", "?slowly"]) {
      const said = await ask(server.port, `/guarded${query}`, { ...post, ...wish("user bob") });
      expect(said.body.toString()).toBe("bob said hi");
      const refused = await ask(server.port, `/guarded${query}`, { ...post, ...wish("explain") });
      expect([refused.status, refused.body.toString()]).toEqual([403, ""]);
      expect(refused.fields.get("x-nginx-pushstream-explain")).toBe("not you,X-Forged: 1 handler");
    }
    const channels = await ask(server.port, "/guarded", { ...post, ...wish("user-and-channels") });
    expect(channels.status).toBe(500);
    const socket = await RawWebSocket.open(server.port, "/guarded?wish=user%20carol");
    expect(await socket.text()).toBe("hello carol");
    socket.close();
    const told = await endOf("/guarded?wish=status", ["other", "chat.v1"]);
    expect(told).toEqual({
      code: 1008,
      reason: '{"http_status": 451, "explain":""}',
      frames: 0,
      protocol: "chat.v1",
    });
  });

  test("a hook that waits with the context of who has left is in the log", async () => {
    const stream = await RawConnection.open(server.port);
    stream.request("/sleepy/s1?wish=yes");
    await stream.head();
    stream.close();
    await until("its line", () =>
      server.log.includes("onUnsubscribe failed: AbortError: The client has left."),
    );
  });

  test("a stream is let in after a while", async () => {
    const connection = await RawConnection.open(server.port);
    connection.request("/ev/e1?slowly", wish("yes"));
    expect((await connection.head()).fields.get("content-type")).toContain("text/event-stream");
    connection.close();
  });

  test("files have a guard, too", async () => {
    expect((await ask(server.port, "/files/page.html", wish("yes"))).body.toString()).toBe("<p>members</p>");
    expect((await ask(server.port, "/files/page.html", wish("no"))).status).toBe(403);
    expect((await ask(server.port, "/files/page.html", wish("narrow"))).status).toBe(500);
  });

  test("it knows role, channels and captures; OPTIONS does not ask it", async () => {
    await ask(server.port, "/ev/t1.b3/t2?wish=no", { method: "OPTIONS" });
    const connection = await RawConnection.open(server.port);
    connection.request("/ev/t1.b3/t2", wish("tell"));
    await connection.head();
    connection.close();
    expect(await poll("told.b9")).toBe('told=subscriber GET t1,t2 {"1":"t1.b3/t2","id":"t1.b3/t2"} null;');
  });
});
