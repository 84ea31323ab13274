/** The text of an address and the words after it. */
import { expect, test } from "bun:test";
import { parseKeepalive, parseListen } from "../../src/config/server/listen-text.ts";

test.each([
  ["on", { idleSec: 0, intervalSec: 0, count: 0 }],
  ["off", false],
  ["2s:2s:8", { idleSec: 2, intervalSec: 2, count: 8 }],
  ["30m::10", { idleSec: 1800, intervalSec: 0, count: 10 }],
  [":5:", { idleSec: 0, intervalSec: 5, count: 0 }],
  ["", null],
  ["yes", null],
  ["2s", null],
  ["2s:2s:8:1", null],
  ["500ms:2s:8", null],
  ["2s:2s:128", null],
  ["2s:2s:x", null],
  ["40000s:1s:1", null],
] as const)("keepalive %s", (text, keepalive) => {
  expect(parseKeepalive(text)).toEqual(keepalive);
});

test("words after an address", () => {
  expect(
    parseListen(
      "  0.0.0.0:443   ssl keepalive=2s:2s:8 backlog=77 deferred tcp_user_timeout=9s " +
        "fastopen=5 http2 sndbuf=64k",
    ),
  ).toEqual({
    address: "0.0.0.0:443",
    flags: new Set(["ssl", "deferred", "http2"]),
    tuning: {
      keepalive: { idleSec: 2, intervalSec: 2, count: 8 },
      backlog: 77,
      deferred: true,
      userTimeoutMs: 9000,
      fastopen: 5,
      sendBufferBytes: 65_536,
    },
    file: {},
    unknown: null,
  });
});

test.each([
  "tls",
  "keepalive=x",
  "backlog=",
  "backlog=-1",
  "backlog=2000000",
  "fastopen=a",
  "tcp_user_timeout=x",
  "sndbuf=x",
  "x=1",
])("%s means nothing", (word) => {
  expect(parseListen(`127.0.0.1:80 ssl ${word}`).unknown).toBe(word);
});

test("the path of a unix socket may have blanks, so no other words follow it", () => {
  expect(parseListen("unix:/run/a b ssl")).toMatchObject({
    address: "unix:/run/a b ssl",
    file: {},
    unknown: null,
  });
});

test.each([
  ["unix:/run/a b mode=660", "unix:/run/a b", { mode: 0o660 }],
  ["unix:/run/a  group=www-data   mode=0600", "unix:/run/a", { mode: 0o600, group: "www-data" }],
  ["unix:/run/a group=33", "unix:/run/a", { group: "33" }],
  ["unix:/run/mode=660", "unix:/run/mode=660", {}],
  ["unix:/run/a mode=999", "unix:/run/a mode=999", {}],
] as const)("%s: the rights at the end", (text, address, file) => {
  expect(parseListen(text)).toMatchObject({ address, unknown: null });
  expect(parseListen(text).file).toEqual(file);
});
