/** What a head says of a WebSocket handshake (RFC 6455 4.2.1), read from its bytes. */
import { expect, test } from "bun:test";
import { handshakeOf, keyStart } from "../../src/listen/http1/handshake-head.ts";
import { parseHead } from "../../src/listen/http1/parse-head.ts";
import { DEFAULT_BOUNDS, RequestHead } from "../../src/listen/http1/request-head.ts";

const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
const CONNECTION = "Connection: keep-alive, Upgrade";
const UPGRADE = "Upgrade: websocket";
const KEY_LINE = `Sec-WebSocket-Key: ${KEY}`;
const VERSION = "Sec-WebSocket-Version: 13";
const GOOD = [CONNECTION, UPGRADE, KEY_LINE, VERSION];
const instead = (line: string, ...others: readonly string[]): string[] =>
  GOOD.flatMap((one) => (one === line ? others : [one]));

function parsed(lines: readonly string[], version = "HTTP/1.1"): [RequestHead, Buffer] {
  // Not at the beginning of what came, as behind another request.
  const bytes = Buffer.from(`  GET /ws/a ${version}\r\nHost: a\r\n${lines.join("\r\n")}\r\n\r\n`, "latin1");
  const head = new RequestHead();
  expect(parseHead(bytes, 2, bytes.length, head, DEFAULT_BOUNDS)).toBe(bytes.length);
  return [head, bytes];
}

test.each([
  ["as it should be", GOOD, "good"],
  [
    "names and values in any case",
    GOOD.map((line) => (line === KEY_LINE ? line : line.toUpperCase())),
    "good",
  ],
  ["fields in another order", [...GOOD].reverse(), "good"],
  ["upgrade among others", instead(UPGRADE, "Upgrade: h2c , WebSocket"), "good"],
  ["upgrade in a second field", instead(UPGRADE, "Upgrade: h2c", "Upgrade: websocket"), "good"],
  ["connection in two fields", instead(CONNECTION, "Connection: keep-alive", "Connection: upgrade"), "good"],
  ["another version", instead(VERSION, "Sec-WebSocket-Version: 8"), "other"],
  ["a version that begins so", instead(VERSION, "Sec-WebSocket-Version: 130"), "other"],
  ["two versions", instead(VERSION, "Sec-WebSocket-Version: 13, 8"), "other"],
  ["two versions in two fields", [...GOOD, "Sec-WebSocket-Version: 8"], "other"],
  ["an empty version", instead(VERSION, "Sec-WebSocket-Version:"), "other"],
  ["no version", instead(VERSION), "none"],
  ["no connection field", instead(CONNECTION), "none"],
  ["a connection field without it", instead(CONNECTION, "Connection: keep-alive"), "none"],
  ["a connection field with a longer word", instead(CONNECTION, "Connection: upgrades"), "none"],
  ["no upgrade field", instead(UPGRADE), "none"],
  ["another protocol", instead(UPGRADE, "Upgrade: h2c"), "other"],
  ["a protocol with a version", instead(UPGRADE, "Upgrade: websocket/13"), "other"],
  ["no key", instead(KEY_LINE), "none"],
  ["an empty key", instead(KEY_LINE, "Sec-WebSocket-Key:"), "none"],
  ["a key of 15 bytes", instead(KEY_LINE, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j"), "none"],
  ["a key of 16 bytes unpadded", instead(KEY_LINE, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQAA"), "none"],
  ["a key with one equals sign", instead(KEY_LINE, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQA="), "none"],
  ["a key of 17 bytes", instead(KEY_LINE, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZWU="), "none"],
  ["a key with a foreign sign", instead(KEY_LINE, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub2!jZQ=="), "none"],
  ["a key of Latin-1", instead(KEY_LINE, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub2\xe9jZQ=="), "none"],
  ["two keys in a list", instead(KEY_LINE, `Sec-WebSocket-Key: ${KEY}, ${KEY}`), "none"],
  ["two keys in two fields", [...GOOD, KEY_LINE], "none"],
] as const)("%s", (_, lines, handshake) => {
  expect(handshakeOf(...parsed(lines))).toBe(handshake);
});

test("HTTP/1.0 knows no upgrade (RFC 9110 7.8)", () => {
  expect(handshakeOf(...parsed(GOOD, "HTTP/1.0"))).toBe("none");
});

test("the key is where it is said to be", () => {
  const [head, bytes] = parsed(GOOD);
  const start = keyStart(head, bytes);
  expect(bytes.toString("latin1", start, start + KEY.length)).toBe(KEY);
});
