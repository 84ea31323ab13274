/**
 * Channels an address may make: how tokens come back, who counts as one, and that no crowd of addresses fills
 * the memory.
 */
import { expect, test } from "bun:test";
import { ChannelQuota } from "../../src/front/channel-quota.ts";
import { tcpPeer, UNIX_PEER } from "../../src/http/peer.ts";

let nowMs = 5000;
const quotaOf = (perMinute: number): ChannelQuota => new ChannelQuota(perMinute, () => nowMs);

/** How many of `asked` channels an address is allowed. */
function allowed(quota: ChannelQuota, address: string, asked: number): number {
  const peer = tcpPeer(address);
  const may = peer.kind === "unknown" ? "no" : quota.of(peer);
  let given = 0;
  for (let i = 0; i < asked; i++) if (may === "yes" || (may !== "no" && may())) given++;
  return given;
}

test("so many at once, and as many again in the course of a minute", () => {
  const quota = quotaOf(60);
  expect(allowed(quota, "192.0.2.1", 100)).toBe(60);
  nowMs += 10_000;
  expect(allowed(quota, "192.0.2.1", 100)).toBe(10);
  nowMs += 600_000;
  expect(allowed(quota, "192.0.2.1", 100)).toBe(60);
});

test.each([
  ["an address and itself as IPv6", "192.0.2.1", "::ffff:192.0.2.1", 0],
  ["two addresses of one IPv6 network", "2001:db8:0:1::1", "2001:db8::1:ffff:0:0:1", 0],
  ["two IPv6 networks", "2001:db8:0:1::1", "2001:db8:0:2::1", 5],
  ["two IPv4 addresses", "192.0.2.1", "192.0.2.2", 5],
])("%s", (_, first, second, left) => {
  const quota = quotaOf(5);
  expect([allowed(quota, first, 9), allowed(quota, second, 9)]).toEqual([5, left]);
});

test("whoever comes through a unix socket is not counted", () => {
  expect(quotaOf(1).of(UNIX_PEER)).toBe("yes");
});

test("a crowd of addresses: the oldest is forgotten, the memory is bounded", () => {
  const quota = quotaOf(1);
  for (let i = 0; i < 12_000; i++) allowed(quota, `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`, 1);
  expect(quota.size).toBe(10_000);
  expect([allowed(quota, "10.0.46.223", 1), allowed(quota, "10.0.0.0", 1)]).toEqual([0, 1]);
});
