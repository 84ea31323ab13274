/**
 * `export const websocket`: Bun's native sockets with limits of their own, on both kinds of listener. Raw
 * frames of the compiled binary.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { ask, RawConnection } from "../binary/raw-client.ts";
import { clientFrame, HANDSHAKE, Opcode, RawWebSocket } from "../binary/raw-web-socket.ts";
import { type RunningServer, until } from "../binary/running-server.ts";
import { forSettings, handlerLocations, startHandlers, workerPids } from "./handler-server.ts";

setDefaultTimeout(60_000);

const FILES: Record<string, string> = {
  "echo.ts": `
    import type { WebSocketHandler } from "sluice";
    export const websocket: WebSocketHandler<{ count: number }> = {
      protocols: ["echo.v2", "echo.v1"],
      maxPayload: 65_535,
      open(socket, { query }) {
        socket.data = { count: 0 };
        if (query.has("hello")) socket.send("hello " + query.get("hello") + " from " + socket.remoteAddress);
      },
      message(socket, data) {
        socket.data.count++;
        if (data === "count") socket.send(String(socket.data.count));
        else if (data === "close") socket.close(3001, "as you wish");
        else if (data === "terminate") socket.terminate();
        else if (data === "state") socket.send(socket.isOpen + " " + socket.bufferedAmount);
        else socket.send(data);
      },
    };
    export default () => "plain";`,
  "small.ts": `export const websocket = { maxPayload: 10, message(socket, data) { socket.send(data); } };`,
  "large.ts": `
    export const websocket = {
      maxPayload: 3_000_000,
      message(socket, data) { socket.send(String(data.length)); },
    };`,
  "only.ts": `export const websocket = {};`,
  "idle.ts": `export const websocket = { idleTimeout: 0.3, message(socket, data) { socket.send(data); } };`,
  "told.ts": `
    export const websocket = {
      open(socket, { publish, signal, query }) {
        socket.data = { publish, name: query.get("name"), signal };
      },
      close(socket, code, reason) {
        const { publish, name, signal } = socket.data;
        const late = socket.send("too late");
        publish("ends", [name, code, reason, signal.aborted, late, socket.isOpen].join(" "));
      },
    };`,
  "throws.ts": `
    export const websocket = {
      open(socket, { query }) {
        socket.data = query.get("at");
        if (socket.data === "open") throw new Error("thrown in open");
      },
      message(socket, data) {
        if (socket.data === "message") throw new Error("thrown in message");
        socket.send(data);
      },
      close(socket) { if (socket.data === "close") throw new Error("thrown in close"); },
    };`,
  "rejects.ts": `
    export const websocket = {
      async message(socket, data) { await Bun.sleep(1); throw new Error("rejected in message"); },
    };`,
  "bad-close.ts": `
    export const websocket = {
      message(socket) { socket.close(99, "no such code"); socket.send("still here"); },
    };`,
  "room.ts": `
    export const websocket = {
      async open(socket, { subscribe }) {
        for await (const message of subscribe("room")) socket.send(message.text);
      },
      message(socket, data) { socket.data; },
    };`,
  "request.ts": `
    const contexts = new Map();
    export const websocket = {
      open(socket, context) { contexts.set(socket, context); },
      message(socket) {
        const { headers, request, query, params, path, method, remoteAddress } = contexts.get(socket);
        const own = [query.get("a"), headers.get("x-own"), new URL(request.url).pathname];
        socket.send([method, path, ...own, remoteAddress].join(" "));
      },
    };`,
  "flood.ts": `
    let drained = 0;
    const piece = "x".repeat(100_000);
    export const websocket = {
      message(socket) { for (let i = 0; i < 5 && socket.send(piece) !== -1; i++); },
      drain() { drained++; },
    };
    export default () => String(drained);`,
};

const TOML = `${handlerLocations(Object.keys(FILES).map((name) => name.slice(0, -3)))}
[[location]]
match = "= /pub"
publisher = "admin"
channels_path = "$arg_id"
store_messages = true
[[location]]
match = "= /last"
subscriber = "polling"
channels_path = "$arg_id.b20"
message_template = "~text~\\n"
[[location]]
match = "~ ^/chat/(.*)$"
subscriber = "websocket"
channels_path = "$1"
websocket_allow_publish = true
[limits]
max_frame_size = "1KiB"
`;

forSettings("WebSockets of handlers", (setting) => {
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

  const open = (path: string, headers: Record<string, string> = {}) =>
    RawWebSocket.open(server.port, path, headers);

  test("text comes back as text, bytes as bytes", async () => {
    const socket = await open("/echo");
    socket.sendFrame(Opcode.TEXT, "grüß dich");
    expect((await socket.frame()).bytes.toString("hex")).toBe(
      `810b${Buffer.from("grüß dich").toString("hex")}`,
    );
    socket.sendFrame(Opcode.BINARY, new Uint8Array([0, 255]));
    expect((await socket.frame()).bytes.toString("hex")).toBe("820200ff");
    socket.sendFrame(Opcode.TEXT, "");
    expect((await socket.frame()).bytes.toString("hex")).toBe("8100");
    socket.close();
  });

  test("each socket has data of its own", async () => {
    const [one, two] = [await open("/echo"), await open("/echo")];
    for (let i = 0; i < 3; i++) {
      one.sendFrame(Opcode.TEXT, "x");
      await one.text();
    }
    one.sendFrame(Opcode.TEXT, "count");
    two.sendFrame(Opcode.TEXT, "count");
    expect([await one.text(), await two.text()]).toEqual(["4", "1"]);
    one.close();
    two.close();
  });

  test("it may speak first, and knows its request", async () => {
    const socket = await open("/echo?hello=world");
    expect(await socket.text()).toBe("hello world from 127.0.0.1");
    socket.sendFrame(Opcode.TEXT, "state");
    expect(await socket.text()).toBe("true 0");
    socket.close();
  });

  test("its request can be read as long as it lives", async () => {
    const socket = await open("/request?a=b", { "X-Own": "mine" });
    for (let i = 0; i < 3; i++) {
      await ask(server.port, "/echo", { headers: { "X-Own": "another's" } });
      socket.sendFrame(Opcode.TEXT, "?");
      expect(await socket.text()).toBe("GET /request b mine /request 127.0.0.1");
    }
    socket.close();
  });

  test.each([
    ["echo.v1", "echo.v1"],
    ["other, echo.v1, echo.v2", "echo.v1"],
    ["other", undefined],
  ])("subprotocol %s", async (offer, agreed) => {
    const socket = await open("/echo", { "Sec-WebSocket-Protocol": offer });
    expect(socket.head.fields.get("sec-websocket-protocol") ?? undefined).toBe(agreed);
    socket.close();
  });

  test("without an upgrade the default export answers, or 426", async () => {
    expect((await ask(server.port, "/echo")).body.toString()).toBe("plain");
    const only = await ask(server.port, "/only");
    expect([only.status, only.fields.get("upgrade")]).toEqual([426, "websocket"]);
  });

  test("a ping is answered", async () => {
    const socket = await open("/echo");
    socket.sendFrame(Opcode.PING, "are you there");
    const { opcode, payload } = await socket.frame();
    expect([opcode, payload.toString()]).toEqual([Opcode.PONG, "are you there"]);
    socket.close();
  });

  test("close with code and reason, and without a goodbye", async () => {
    const socket = await open("/echo");
    socket.sendFrame(Opcode.TEXT, "close");
    const { opcode, payload } = await socket.frame();
    expect([opcode, payload.readUInt16BE(), payload.subarray(2).toString()]).toEqual([
      Opcode.CLOSE,
      3001,
      "as you wish",
    ]);
    await socket.connection.untilEnd();
    const other = await open("/echo");
    other.sendFrame(Opcode.TEXT, "terminate");
    expect((await other.connection.untilEnd()).length).toBe(0);
  });

  test.each([
    ["/small", 10, Opcode.TEXT],
    ["/small", 10, Opcode.BINARY],
    ["/echo", 65_535, Opcode.TEXT],
  ])("%s takes %d bytes and no more (1009)", async (path, most, opcode) => {
    const socket = await open(path);
    socket.sendFrame(opcode, "x".repeat(most));
    expect((await socket.frame()).payload.length).toBe(most);
    socket.sendFrame(opcode, "x".repeat(most + 1));
    expect((await socket.frame()).payload.readUInt16BE()).toBe(1009);
    await socket.connection.untilEnd();
  });

  test("bytes count, not characters", async () => {
    const socket = await open("/small");
    socket.sendFrame(Opcode.TEXT, "üüüüü");
    expect(await socket.text()).toBe("üüüüü");
    socket.sendFrame(Opcode.TEXT, "üüüüüü");
    expect((await socket.frame()).payload.readUInt16BE()).toBe(1009);
  });

  test("one handler may take more than another, and than subscribers may send", async () => {
    const socket = await open("/large");
    socket.sendFrame(Opcode.BINARY, new Uint8Array(3_000_000));
    expect(await socket.text()).toBe("3000000");
    // More than any handler takes is refused before it is here as a whole.
    socket.connection.send(clientFrame(Opcode.BINARY, new Uint8Array(3_000_001)).subarray(0, 1000));
    expect((await socket.frame()).payload.readUInt16BE()).toBe(1009);
    const subscriber = await open("/chat/limited");
    subscriber.sendFrame(Opcode.TEXT, "x".repeat(1024));
    expect((await subscriber.text()).length).toBe(1024);
    subscriber.sendFrame(Opcode.TEXT, "x".repeat(1025));
    expect((await subscriber.frame()).payload.readUInt16BE()).toBe(1009);
  });

  test.each([
    ["a lone continuation byte", [0x61, 0x80]],
    ["a surrogate", [0xed, 0xa0, 0x80]],
    ["an overlong slash", [0xc0, 0xaf]],
  ])("text that is not UTF-8 (1007): %s", async (_what, bytes) => {
    const socket = await open("/echo");
    socket.sendFrame(Opcode.TEXT, new Uint8Array(bytes));
    const rest = await socket.connection.untilEnd();
    expect(rest[0]).toBe(0x88);
    expect(rest.readUInt16BE(2)).toBe(1007);
    expect(rest.includes(Buffer.from(bytes))).toBe(false);
  });

  test("a silent client is pinged, and cut off when it does not answer", async () => {
    const socket = await open("/idle");
    expect((await socket.frame()).opcode).toBe(Opcode.PING);
    socket.sendFrame(Opcode.PONG);
    expect((await socket.frame()).opcode).toBe(Opcode.PING);
    // It says nothing any more.
    await socket.connection.untilEnd();
  });

  test("whoever talks is not pinged", async () => {
    const socket = await open("/idle");
    for (let i = 0; i < 12; i++) {
      socket.sendFrame(Opcode.TEXT, `${i}`);
      expect(await socket.text()).toBe(`${i}`);
      await Bun.sleep(50);
    }
    socket.close();
  });

  test("close is told code, reason and that it is over", async () => {
    const path = "/told?name=";
    const proper = await open(`${path}proper`);
    proper.sendFrame(Opcode.CLOSE, Buffer.concat([Buffer.from([0x0f, 0xa1]), Buffer.from("bye")]));
    await proper.connection.untilEnd();
    const lost = await open(`${path}lost`);
    lost.close();
    await until("both ends", async () => {
      const { body } = await ask(server.port, "/last?id=ends");
      const text = body.toString();
      return text.includes("proper 4001 bye true 0 false") && text.includes("lost 1006  true 0 false");
    });
  });

  test.each([
    ["open", "thrown in open"],
    ["message", "thrown in message"],
  ])("what throws in %s closes its socket (1011)", async (at, sentence) => {
    const socket = await open(`/throws?at=${at}`);
    if (at === "message") socket.sendFrame(Opcode.TEXT, "x");
    expect((await socket.frame()).payload.readUInt16BE()).toBe(1011);
    await until("its line in the log", () =>
      server.log.includes(`websocket.${at} failed: Error: ${sentence}`),
    );
  });

  test("what throws in close, after all, is in the log", async () => {
    (await open("/throws?at=close")).close();
    await until("its line in the log", () =>
      server.log.includes("websocket.close failed: Error: thrown in close"),
    );
  });

  test("what rejects later closes its socket (1011)", async () => {
    const socket = await open("/rejects");
    socket.sendFrame(Opcode.TEXT, "x");
    expect((await socket.frame()).payload.readUInt16BE()).toBe(1011);
    await until("its line in the log", () => server.log.includes("rejected in message"));
  });

  test("a code that cannot be sent is no end of the worker", async () => {
    const socket = await open("/bad-close");
    socket.sendFrame(Opcode.TEXT, "x");
    await socket.frame();
    socket.close();
    expect((await ask(server.port, "/echo")).status).toBe(200);
  });

  test("it can stand in channels", async () => {
    const socket = await open("/room");
    await until("a subscriber", async () => {
      const { body } = await ask(server.port, "/pub?id=room");
      return /"subscribers": 1/.test(body.toString());
    });
    await ask(server.port, "/pub?id=room", { method: "POST", body: "for the room" });
    expect(await socket.text()).toBe("for the room");
    socket.close();
    await until("no subscriber", async () => {
      const { body } = await ask(server.port, "/pub?id=room");
      return /"subscribers": 0/.test(body.toString());
    });
  });

  test("bad handshakes are answered", async () => {
    expect((await ask(server.port, "/echo", { method: "POST", headers: HANDSHAKE })).status).toBe(405);
    const { Upgrade, Connection } = HANDSHAKE;
    const noKey = await ask(server.port, "/echo", {
      headers: { Upgrade: Upgrade ?? "", Connection: Connection ?? "" },
    });
    expect(noKey.status).toBe(400);
    const connection = await RawConnection.open(server.port);
    connection.request("/echo", { headers: { ...HANDSHAKE, "Sec-WebSocket-Version": "12" } });
    expect([400, 426]).toContain((await connection.head()).status);
    connection.close();
  });
});

test.each(["native", "wire"] as const)(
  "sockets are closed when the server stops (1001), %s listener",
  async (listener) => {
    const server = await startHandlers({ workers: 1, listener }, { files: FILES, toml: TOML });
    const socket = await RawWebSocket.open(server.port, "/echo");
    socket.sendFrame(Opcode.TEXT, "x");
    await socket.text();
    const stopped = server.stop();
    expect((await socket.frame()).payload.readUInt16BE()).toBe(1001);
    expect(await stopped).toBe(0);
  },
);
