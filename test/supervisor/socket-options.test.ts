/**
 * What setsockopt is told of a configuration. What the kernel makes of it is
 * test/binary/socket-options.test.ts's.
 */

import { afterEach, expect, test } from "bun:test";
import type { SocketTuning } from "../../src/config/model/server.ts";
import { configureLog, sendLogTo } from "../../src/log.ts";
import { settingsOf, tuneSockets } from "../../src/supervisor/sockets/socket-options.ts";
import { CONNECTIONS } from "./test-config.ts";

const NOTHING: SocketTuning = {
  keepalive: null,
  userTimeoutMs: null,
  sendBufferBytes: 0,
  deferred: false,
  backlog: 0,
  fastopen: 0,
};
const told = (change: Partial<SocketTuning>) =>
  settingsOf({ ...NOTHING, ...change }).map(({ level, option, value }) => [level, option, value]);

/** Numbers of Linux: include/uapi/asm-generic/socket.h, include/uapi/linux/tcp.h. */
test.each([
  [{}, []],
  [{ keepalive: false }, [[1, 9, 0]]],
  [{ keepalive: { idleSec: 0, intervalSec: 0, count: 0 } }, [[1, 9, 1]]],
  [
    { keepalive: { idleSec: 2, intervalSec: 3, count: 8 } },
    [
      [1, 9, 1],
      [6, 4, 2],
      [6, 5, 3],
      [6, 6, 8],
      [6, 18, 26_000],
    ],
  ],
  // The system's own 75 seconds, nine times, take less than the retransmissions would.
  [
    { keepalive: { idleSec: 10, intervalSec: 0, count: 0 } },
    [
      [1, 9, 1],
      [6, 4, 10],
      [6, 18, 685_000],
    ],
  ],
  // Later than the system's own quarter of an hour: it would be put off.
  [
    { keepalive: { idleSec: 900, intervalSec: 10, count: 6 } },
    [
      [1, 9, 1],
      [6, 4, 900],
      [6, 5, 10],
      [6, 6, 6],
    ],
  ],
  [
    { keepalive: { idleSec: 2, intervalSec: 3, count: 8 }, userTimeoutMs: 0 },
    [
      [1, 9, 1],
      [6, 4, 2],
      [6, 5, 3],
      [6, 6, 8],
    ],
  ],
  [{ userTimeoutMs: 9000 }, [[6, 18, 9000]]],
  [{ sendBufferBytes: 65_536 }, [[1, 7, 65_536]]],
  [{ deferred: true }, [[6, 9, 30]]],
  [{ fastopen: 16 }, [[6, 23, 16]]],
  [{ backlog: 77 }, []],
] as const)("%p", (change, settings) => {
  expect(told(change)).toEqual(settings.map((setting) => [...setting]));
});

afterEach(() => sendLogTo(null));

const listener = (address: string, tuning: Partial<SocketTuning>) => ({
  address,
  tls: [],
  http2: false,
  ipv6Only: false,
  file: { mode: 0o666, group: null },
  tuning: { ...NOTHING, ...tuning },
  defaultServer: 0,
  headerNames: "plain" as const,
  connections: CONNECTIONS,
  door: "native" as const,
  doorReason: "default" as const,
});

function logged(act: () => void): string {
  let lines = "";
  configureLog("warn", "test");
  sendLogTo((line) => {
    lines += line;
  });
  act();
  return lines;
}

test("an address nobody listens on is told in the log, and that is all", () => {
  const lines = logged(() => tuneSockets([listener("127.0.0.1:1", { deferred: true })]));
  expect(lines).toContain("no socket found to tune; serving goes on listen=127.0.0.1:1");
});

test("an option the kernel refuses is told in the log, and that is all", () => {
  const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("ok") });
  // The kernel takes 1 to 32767 seconds.
  const keepalive = { idleSec: 40_000, intervalSec: 0, count: 0 };
  const lines = logged(() => tuneSockets([listener(`127.0.0.1:${server.port}`, { keepalive })]));
  expect(lines).toContain("the kernel refused a socket option; serving goes on");
  expect(lines).toContain('option="keepalive idle" value=40000');
  void server.stop(true);
});

test("unix sockets and untouched listeners cost nothing", () => {
  const lines = logged(() =>
    tuneSockets([listener("unix:/x", { deferred: true }), listener("127.0.0.1:1", {})]),
  );
  expect(lines).toBe("");
});
