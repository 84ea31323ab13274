/**
 * Libraries take a WebSocket that was closed without a code (1005) for one that is over, and do not come
 * back. Whoever is sent away hears why: 1012 at a reload, when others serve already, 1001 at a stop and when
 * its time is over. The module sends no code (push-stream spec 4.13.4, 8.2), and so do locations with
 * `module_fields`, as those of an nginx.conf have it. Both doors.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { standing } from "./raw-client.ts";
import { RawWebSocket } from "./raw-web-socket.ts";
import { layout, type RunningServer, startServer } from "./running-server.ts";

const SOCKET = '[[location]]\nsubscriber = "websocket"\nchannels_path = "$1"\n';
const TTL = 'subscriber_connection_ttl = "200ms"\n';
const config = (header: string): string =>
  layout("", { sub: `header_template = ${JSON.stringify(header)}` }) +
  `${SOCKET}match = "~ ^/module/(.*)$"\nmodule_fields = true\n${SOCKET}match = "~ ^/brief/(.*)$"\n${TTL}` +
  `${SOCKET}match = "~ ^/brief-module/(.*)$"\nmodule_fields = true\n${TTL}`;

const JSON_PROTOCOL = { "Sec-WebSocket-Protocol": "sluice.json.v1" };
const NO_CODE = "8800";
const RESTART = "880203f4";
const AWAY = "880203e9";

describe.each([
  ["native", "\n"],
  ["wire", ""],
])("%s: a WebSocket that is sent away is closed with a code", (_door, header) => {
  let server: RunningServer;
  beforeAll(async () => {
    server = await startServer({ toml: config(header), workers: 1 });
  });
  afterAll(() => {
    rmSync(server.folder, { recursive: true, force: true });
  });

  /** The last frame of each, when they have ended. */
  async function ends(path: string, module: string): Promise<readonly string[]> {
    const sockets = [
      await RawWebSocket.open(server.port, `/${path}/a`),
      await RawWebSocket.open(server.port, `/${path}/a`, JSON_PROTOCOL),
      await RawWebSocket.open(server.port, `/${module}/a`),
    ];
    const all = await Promise.all(sockets.map(({ connection }) => connection.untilEnd()));
    return all.map((bytes) => bytes.subarray(bytes.lastIndexOf(0x88)).toString("hex"));
  }
  test("its time is over", async () => {
    expect(await ends("brief", "brief-module")).toEqual([AWAY, AWAY, NO_CODE]);
  });

  test("SIGHUP", async () => {
    const all = ends("ws", "module");
    await standing(server.port, "a", 3);
    server.process.kill("SIGHUP");
    expect(await all).toEqual([RESTART, RESTART, NO_CODE]);
  });

  test("SIGTERM", async () => {
    const all = ends("ws", "module");
    await standing(server.port, "a", 3);
    server.process.kill("SIGTERM");
    expect(await all).toEqual([AWAY, AWAY, NO_CODE]);
    expect(await server.process.exited).toBe(0);
  });
});
