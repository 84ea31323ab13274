/** Addresses, networks and access rules: nginx's `allow` and `deny`. */
import { describe, expect, test } from "bun:test";
import { contains, parseAddress, parseNetwork } from "../../src/config/server/network.ts";
import { compileAccess } from "../../src/front/access.ts";
import { UNIX_PEER } from "../../src/http/peer.ts";

const hex = (text: string): string | null => {
  const bytes = parseAddress(text);
  return bytes === null ? null : Buffer.from(bytes).toString("hex");
};

test.each([
  ["1.2.3.4", "01020304"],
  ["255.255.255.255", "ffffffff"],
  ["::", "0".repeat(32)],
  ["::1", `${"0".repeat(31)}1`],
  ["2001:db8::5", "20010db8000000000000000000000005"],
  ["1:2:3:4:5:6:7:8", "00010002000300040005000600070008"],
  ["1:2:3:4:5:6:7::", "00010002000300040005000600070000"],
  ["fe80::1%eth0", "fe800000000000000000000000000001"],
  // An IPv4 client of an IPv6 socket.
  ["::ffff:10.1.2.3", "0a010203"],
  ["::FFFF:0a01:203", "0a010203"],
  ["64:ff9b::1.2.3.4", "0064ff9b000000000000000001020304"],
  ["", null],
  ["1.2.3", null],
  ["1.2.3.256", null],
  ["1.2.3.4.5", null],
  ["1.2.3.x", null],
  ["1.2.3.-4", null],
  [":", null],
  [":::", null],
  ["1::2::3", null],
  ["1:2:3:4:5:6:7", null],
  ["1:2:3:4:5:6:7:8:9", null],
  ["1:2:3:4:5:6:7:8::", null],
  ["12345::", null],
  ["g::", null],
  ["::1.2.3", null],
  ["1.2.3.4::", null],
  [`${"0".repeat(100)}::`, null],
])("address %s", (text, expected) => {
  expect(hex(text)).toBe(expected);
});

test.each([
  ["10.0.0.0/8", "10.255.0.1", true],
  ["10.0.0.0/8", "11.0.0.1", false],
  // Bits below the prefix do not count.
  ["10.9.8.7/8", "10.1.1.1", true],
  ["192.168.1.128/25", "192.168.1.127", false],
  ["192.168.1.128/25", "192.168.1.128", true],
  ["1.2.3.4", "1.2.3.4", true],
  ["1.2.3.4", "1.2.3.5", false],
  ["0.0.0.0/0", "9.9.9.9", true],
  ["0.0.0.0/0", "::1", false],
  ["::/0", "9.9.9.9", false],
  ["2001:db8::/33", "2001:db8:7fff::1", true],
  ["2001:db8::/33", "2001:db8:8000::1", false],
  ["10.0.0.0/8", "::ffff:10.0.0.1", true],
  ["::ffff:10.0.0.0/104", "10.200.0.1", true],
  ["::ffff:10.0.0.0/104", "11.0.0.1", false],
])("%s contains %s: %p", (network, address, expected) => {
  const parsed = parseNetwork(network);
  const bytes = parseAddress(address);
  if (parsed === null || bytes === null) throw new Error("not read");
  expect(contains(parsed, bytes)).toBe(expected);
});

test.each(["10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/", "10.0.0.0/8/8", "::/129", "x/8", "::ffff:1.2.3.4/95"])(
  "no network: %s",
  (text) => {
    expect(parseNetwork(text)).toBeNull();
  },
);

describe("access rules", () => {
  const rules = (text: string) =>
    compileAccess(
      text.split("; ").map((rule) => {
        const [word, network = ""] = rule.split(" ");
        return { allow: word === "allow", network };
      }),
    );
  test.each([
    ["deny all", "1.2.3.4", false],
    ["allow all", "1.2.3.4", true],
    ["allow 1.2.3.4; deny all", "1.2.3.4", true],
    ["allow 1.2.3.4; deny all", "1.2.3.5", false],
    // The first that fits decides, not the narrowest.
    ["deny all; allow 1.2.3.4", "1.2.3.4", false],
    ["deny 192.168.1.1; allow 192.168.1.0/24; allow 2001:db8::/32; deny all", "192.168.1.1", false],
    ["deny 192.168.1.1; allow 192.168.1.0/24; allow 2001:db8::/32; deny all", "192.168.1.2", true],
    ["deny 192.168.1.1; allow 192.168.1.0/24; allow 2001:db8::/32; deny all", "2001:db8::1", true],
    ["deny 192.168.1.1; allow 192.168.1.0/24; allow 2001:db8::/32; deny all", "2001:db9::1", false],
    ["deny 10.0.0.0/8", "11.1.1.1", true],
    ["allow unix:; deny all", "unix:", true],
    ["deny unix:", "unix:", false],
    ["allow unix:; deny all", "1.2.3.4", false],
    ["deny 1.2.3.4", "unix:", true],
    ["deny 10.0.0.0/8; allow all", "::ffff:10.0.0.1", false],
    ["allow 0.0.0.0/0; deny all", "nonsense", false],
    // Of an address nobody can read, nobody can say that it is not the one that is denied.
    ["deny 1.2.3.4", "nonsense", false],
    ["deny unix:; allow 127.0.0.1; deny all", "nonsense", false],
  ])("%s: %s %p", (text, address, expected) => {
    expect(rules(text)?.(address === "unix:" ? UNIX_PEER : { kind: "ip", address })).toBe(expected);
  });

  test("none costs nothing, a wrong one is not taken for none", () => {
    expect(compileAccess([])).toBeNull();
    expect(() => rules("deny 1.2.3.400")).toThrow("1.2.3.400");
  });
});
