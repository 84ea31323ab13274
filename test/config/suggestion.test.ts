/** Which name is nearest to a slip, and that a different word gets none. */
import { expect, test } from "bun:test";
import { nearestName } from "../../src/config/suggestion.ts";

const NAMES = ["size", "path", "channels", "message_ttl", "max_connections"];

test.each([
  ["sise", "size"],
  ["szie", null],
  ["chanels", "channels"],
  ["message-ttl", "message_ttl"],
  ["messages_ttl", "message_ttl"],
  ["max_conections", "max_connections"],
  ["volume", null],
  ["", null],
  ["x".repeat(5000), null],
])("%s -> %p", (name, nearest) => {
  expect(nearestName(name, NAMES)).toBe(nearest);
});
