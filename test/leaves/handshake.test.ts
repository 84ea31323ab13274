/** What a head offers as a WebSocket handshake (RFC 6455 4.2.1), and the answer to its key (4.2.2). */
import { expect, test } from "bun:test";
import { acceptKey, socketOffer } from "../../src/http/handshake.ts";

const GOOD: Readonly<Record<string, string>> = {
  connection: "keep-alive, Upgrade",
  upgrade: "websocket",
  "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
  "sec-websocket-version": "13",
};
const offerOf = (changed: Readonly<Record<string, string | null>>): string =>
  socketOffer((name) => ({ ...GOOD, ...changed })[name] ?? null);

test("the RFC's own key is answered as the RFC has it (1.3)", () => {
  expect(acceptKey("dGhlIHNhbXBsZSBub25jZQ==")).toBe("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
});

test.each([
  ["as it should be", {}, "good"],
  ["upgrade among others", { upgrade: "h2c, WebSocket" }, "good"],
  ["connection in any case", { connection: "UPGRADE" }, "good"],
  ["another version", { "sec-websocket-version": "8" }, "other version"],
  ["two versions", { "sec-websocket-version": "13, 8" }, "other version"],
  ["an empty version", { "sec-websocket-version": "" }, "other version"],
  ["no version", { "sec-websocket-version": null }, "none"],
  ["no connection field", { connection: null }, "none"],
  ["a connection field without it", { connection: "keep-alive" }, "none"],
  ["no upgrade field", { upgrade: null }, "none"],
  ["another protocol", { upgrade: "h2c" }, "none"],
  ["no key", { "sec-websocket-key": null }, "none"],
  ["a key of 15 bytes", { "sec-websocket-key": "dGhlIHNhbXBsZSBub25j" }, "none"],
  ["a key of 17 bytes", { "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZWU=" }, "none"],
  ["a key that is not base64", { "sec-websocket-key": "dGhlIHNhbXBsZSBub2!jZQ==" }, "none"],
  ["two keys", { "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==, dGhlIHNhbXBsZSBub25jZQ==" }, "none"],
] as const)("%s: %o is %s", (_, changed, offer) => {
  expect(offerOf(changed)).toBe(offer);
});
