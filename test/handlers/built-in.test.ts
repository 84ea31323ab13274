/** The handlers that are part of sluice, which the example pages of the embedded default use. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { loadCheckedConfig } from "../../src/cli/checked-config.ts";
import { formatFault } from "../../src/config/fault.ts";
import { RawConnection } from "../binary/raw-client.ts";
import { Opcode, RawWebSocket } from "../binary/raw-web-socket.ts";
import { type RunningServer, startServer } from "../binary/running-server.ts";
import { folderWith } from "./handler-server.ts";

const HOST = { Host: "localhost" };

let server: RunningServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(async () => {
  await server.stop();
});

test("lines: the first is there long before the last, and there are as many as were asked for", async () => {
  const connection = await RawConnection.open(server.port);
  connection.request("/examples/lines/stream?count=2", { headers: HOST });
  expect((await connection.head()).fields.get("content-type")).toStartWith("text/plain");
  expect(await connection.chunkedText(11)).toBe("line 1 of 2");
  expect((await connection.restOfChunks()).toString()).toMatch(/^, \S+Z\nline 2 of 2, \S+Z\n$/);
  connection.request("/examples/lines/stream?count=nonsense", { headers: HOST });
  expect((await connection.answer()).body.toString()).toBe("");
  connection.close();
});

test("echo: text and bytes come back, more than 65,535 bytes are too much", async () => {
  const socket = await RawWebSocket.open(server.port, "/examples/echo/socket", HOST);
  socket.sendFrame(Opcode.TEXT, "héé");
  expect((await socket.frame()).payload.toString()).toBe("héé");
  socket.sendFrame(Opcode.BINARY, Buffer.from([0, 255]));
  expect(await socket.frame()).toMatchObject({ opcode: Opcode.BINARY, payload: Buffer.from([0, 255]) });
  socket.sendFrame(Opcode.BINARY, Buffer.alloc(65_535));
  expect((await socket.frame()).payload.length).toBe(65_535);
  socket.sendFrame(Opcode.BINARY, Buffer.alloc(65_536));
  const closing = await socket.frame();
  expect([closing.opcode, closing.payload.readUInt16BE()]).toEqual([Opcode.CLOSE, 1009]);
});

test("a name that is none of ours is a fault that lists them", () => {
  const folder = folderWith({ "c.toml": '[[location]]\nmatch = "/"\nhandler = "sluice:nothing"' });
  const outcome = loadCheckedConfig({ file: `${folder}/c.toml` });
  expect(outcome.ok ? [] : outcome.faults.map(formatFault).join("\n")).toContain(
    "there is no such handler of ours; there are sluice:answer, sluice:echo, sluice:lines, sluice:upload.",
  );
});
