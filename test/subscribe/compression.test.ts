/**
 * permessage-deflate on the compiled binary: one compressed frame for all who agreed to it, plain ones for
 * the others; and nothing that a client sends compressed costs more than it could cost uncompressed. By
 * bytes, and by the `ws` package under node.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { constants, deflateRawSync, inflateRawSync } from "node:zlib";
import { type Frame, Opcode, RawWebSocket } from "../binary/raw-web-socket.ts";
import { binary, layout, type RunningServer, startServer, until } from "../binary/running-server.ts";

const SYNC = constants.Z_SYNC_FLUSH;
const OFFER = { "Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits" };
const COMPRESSED = 0x40;
const deflated = (bytes: string | Uint8Array): Buffer =>
  deflateRawSync(bytes, { finishFlush: SYNC }).subarray(0, -4);
const inflated = (bytes: Uint8Array): string =>
  inflateRawSync(Buffer.concat([bytes, Buffer.from([0, 0, 255, 255])]), { finishFlush: SYNC }).toString();
const isCompressed = ({ bytes }: Frame): boolean => ((bytes[0] ?? 0) & COMPRESSED) !== 0;
const json = (size: number, seed = 0): string =>
  JSON.stringify(
    Array.from({ length: size / 50 }, (_, at) => ({ id: at * 7 + seed, name: `user ${at}`, at: 170 })),
  );

const COMPRESSING = "websocket_compression = true\nwebsocket_allow_publish = true\nstore_messages = true";
let server: RunningServer;
beforeAll(async () => {
  server = await startServer({
    toml: layout('[limits]\nmax_body_size = "1MiB"', {
      ws: COMPRESSING,
      poll: 'message_template = "~text~;"',
    }),
    workers: 1,
  });
});
afterAll(() => server.stop());

const open = (channel: string, headers: Record<string, string> = OFFER) =>
  RawWebSocket.open(server.port, `/ws/${channel}`, headers);
const closeCode = async (socket: RawWebSocket): Promise<number> => {
  for (;;) {
    const { opcode, payload } = await socket.frame();
    if (opcode === Opcode.CLOSE) return payload.readUInt16BE();
  }
};

test("one compressed frame for all who agreed, plain for others and where it does not pay", async () => {
  const [one, two, plain] = [await open("shared"), await open("shared"), await open("shared", {})];
  expect(one?.head.fields.get("sec-websocket-extensions")).toBe(
    "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
  );
  expect(plain?.head.fields.has("sec-websocket-extensions")).toBe(false);
  const message = json(2000);
  for (const text of [message, "short", message]) await server.publish("shared", text);
  for (const text of [message, "short", message]) {
    const [first, second, third] = await Promise.all([one, two, plain].map((socket) => socket.frame()));
    if (first === undefined || second === undefined || third === undefined) throw new Error("no frames");
    expect(first.bytes.equals(second.bytes)).toBe(true);
    expect([isCompressed(first), isCompressed(third)]).toEqual([text !== "short", false]);
    expect(third.payload.toString()).toBe(text);
    if (!isCompressed(first)) continue;
    expect(inflated(first.payload)).toBe(text);
    expect(first.payload.length).toBeLessThan(text.length / 4);
  }
  for (const socket of [one, two, plain]) socket.close();
});

test("messages of a client, compressed: whole, in fragments, with a final block, with plain", async () => {
  const socket = await open("said");
  const text = json(3000);
  const bytes = deflated(text);
  socket.sendFrame(Opcode.TEXT | COMPRESSED, bytes);
  socket.sendFrame(Opcode.TEXT, "plain");
  socket.sendFrame(Opcode.TEXT | COMPRESSED, bytes.subarray(0, 50), { fin: false });
  socket.sendFrame(Opcode.PING, "p");
  socket.sendFrame(Opcode.CONTINUATION, bytes.subarray(50));
  socket.sendFrame(Opcode.TEXT | COMPRESSED, Buffer.concat([deflateRawSync("final"), Buffer.from([0])]));
  await until("all", async () => (await server.statistics("said")).published_messages === 4);
  expect((await server.request("/poll/said.b9")).text).toBe(`${text};plain;${text};final;`);
  socket.close();
});

test.each([
  ["a gigabyte of zeros", () => [deflated(Buffer.alloc(2 ** 30))], 1009],
  ["a byte too much", () => [deflated(Buffer.alloc(2 ** 20 + 1, "a"))], 1009],
  [
    "three hundred small bombs at once",
    () => Array.from({ length: 300 }, () => deflated(Buffer.alloc(2 ** 20, "b"))),
    1009,
  ],
  ["what cannot be inflated", () => [Buffer.from([1, 2, 3, 4, 5])], 1007],
  ["no UTF-8", () => [deflated(Buffer.from([0xff, 0xfe, 0x61]))], 1007],
] as const)("%s: closed with the code, and the worker's memory is as before", async (_what, make, code) => {
  const socket = await open("bomb");
  const before = await rss();
  for (const payload of make()) socket.sendFrame(Opcode.TEXT | COMPRESSED, payload);
  expect(await closeCode(socket)).toBe(code);
  expect((await rss()) - before).toBeLessThan(64 * 2 ** 20);
  expect((await server.statistics("bomb")).published_messages).toBeLessThan(40);
});

test("who did not agree may not send compressed, nor anybody a compressed ping", async () => {
  const plain = await open("odd", {});
  plain.sendFrame(Opcode.TEXT | COMPRESSED, deflated("x"));
  const odd = await open("odd");
  odd.sendFrame(Opcode.PING | COMPRESSED, "x");
  expect([await closeCode(plain), await closeCode(odd)]).toEqual([1002, 1002]);
});

test("the ws package: gets every message in order, whatever its size, and is understood", async () => {
  const program = `
const WebSocket = require(${JSON.stringify(join(import.meta.dir, "../../node_modules/ws"))});
const perMessageDeflate = { threshold: 0 };
const socket = new WebSocket("ws://127.0.0.1:${server.port}/ws/node", { perMessageDeflate });
let count = 0;
socket.on("open", () => console.log(socket.extensions));
socket.on("message", (data) => {
  console.log(data.toString());
  if (++count === 30) socket.send("said by ws ".repeat(200), () => socket.close());
});`;
  const child = Bun.spawn(["node", "-e", program], { stdout: "pipe", stderr: "inherit" });
  await until("it stands", async () => (await server.statistics("node")).subscribers === 1);
  const texts = Array.from({ length: 30 }, (_, at) => json(50 * (at + 1), at));
  for (const text of texts) await server.publish("node", text);
  const [extensions, ...got] = (await new Response(child.stdout).text()).trimEnd().split("\n");
  // Its own message may come before it is gone.
  expect([extensions, got.slice(0, 30)]).toEqual(["permessage-deflate", texts]);
  expect((await server.request("/poll/node.b1")).text).toBe(`${"said by ws ".repeat(200)};`);
});

test("its addresses get the wire listener, check says why; on a native one it does nothing", async () => {
  const check = async (toml: string) => {
    const path = join(server.folder, "check.toml");
    await Bun.write(path, toml);
    const child = Bun.spawn([binary, "check", path], { stdout: "pipe", stderr: "pipe" });
    return (await new Response(child.stdout).text()) + (await new Response(child.stderr).text());
  };
  const location = `match = "/ws"
subscriber = "websocket"
channels_path = "a"
websocket_compression = true
`;
  expect(await check(`listen = ["127.0.0.1:8080"]\n[[location]]\n${location}`)).toContain(
    "127.0.0.1:8080: wire listener (websocket_compression)",
  );
  const native = `[[server]]
listen = ["127.0.0.1:8080"]
listener = "native"
[[server.location]]
${location}`;
  const said = await check(native);
  expect(said).toContain("127.0.0.1:8080: native listener");
  expect(said).toContain("websocket_compression does nothing on a native listener");
});

async function rss(): Promise<number> {
  const [pid] = await server.workerPids();
  const status = await Bun.file(`/proc/${pid}/status`).text();
  return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) * 1024;
}
