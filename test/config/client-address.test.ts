/** Whom a connection speaks for: trusted proxies, and what they say in their headers. */
import { describe, expect, test } from "bun:test";
import { compileClientReader, LONGEST_FIELD, MOST_HOPS } from "../../src/config/server/client-address.ts";
import { UnknownClient } from "../../src/config/server/door.ts";
import { addressText, parseAddress } from "../../src/config/server/network.ts";
import { type KnownPeer, peerText, UNIX_PEER } from "../../src/http/peer.ts";

const TRUSTED = ["127.0.0.1", "10.0.0.0/8", "2001:db8:1::/48", "unix:"];
const PROXY: KnownPeer = { kind: "ip", address: "127.0.0.1" };

/** The client, or what is wrong with the header. */
const fieldsOf = (headers: Headers) => ({ header: (name: string) => headers.get(name) });

function read(
  header: string,
  field: string | null,
  connection: KnownPeer = PROXY,
  { trusted = TRUSTED, isRecursive = true } = {},
): string {
  const reader = compileClientReader({ trusted, header, isRecursive });
  try {
    const headers = new Headers(field === null ? {} : { [header]: field });
    return peerText(reader?.(connection, fieldsOf(headers)) ?? connection);
  } catch (error) {
    if (!(error instanceof UnknownClient)) throw error;
    return `unknown: ${error.silence.fault}`;
  }
}

const notAnAddress = (entry: string): string => `unknown: "${entry}" in it names no address`;

describe("X-Forwarded-For", () => {
  test.each([
    ["192.0.2.7", "192.0.2.7"],
    // From right to left: what a client says itself stands left of what is said of it, and is not looked at.
    ["127.0.0.1, 192.0.2.7", "192.0.2.7"],
    ["nonsense,192.0.2.7", "192.0.2.7"],
    [`${"x".repeat(3000)},192.0.2.7`, "192.0.2.7"],
    ["192.0.2.7, 10.0.0.3", "192.0.2.7"],
    ["6.6.6.6, 192.0.2.7, 10.0.0.3,10.200.0.1", "192.0.2.7"],
    ["6.6.6.6, 2001:db8:2::9, 2001:db8:1::1", "2001:db8:2::9"],
    // All trusted: the first began it.
    ["10.0.0.3", "10.0.0.3"],
    ["10.0.0.3, 10.0.0.4, 127.0.0.1", "10.0.0.3"],
    // One client, one spelling.
    ["2001:DB8:0002::0009", "2001:db8:2::9"],
    ["::ffff:192.0.2.7", "192.0.2.7"],
    ["192.0.2.7, ::ffff:10.0.0.3", "192.0.2.7"],
    ["fe80::1%eth0", "fe80::1"],
    // With ports, as some balancers write it.
    ["192.0.2.7:4711", "192.0.2.7"],
    ["[2001:db8:2::9]:4711", "2001:db8:2::9"],
    ["[2001:db8:2::9]", "2001:db8:2::9"],
    [" \t192.0.2.7 ", "192.0.2.7"],
    ["", notAnAddress("")],
    ["192.0.2.7,", notAnAddress("")],
    [", 10.0.0.3", notAnAddress("")],
    ["192.0.2.7, unknown", notAnAddress(" unknown")],
    ["unknown, 10.0.0.3", notAnAddress("unknown")],
    ["192.0.2.7, unix:", notAnAddress(" unix:")],
    ["192.0.2.07", notAnAddress("192.0.2.07")],
    ["192.0.2.7:", notAnAddress("192.0.2.7:")],
    ["192.0.2.7:123456", notAnAddress("192.0.2.7:123456")],
    ["[192.0.2.7]", notAnAddress("[192.0.2.7]")],
    ["[2001:db8:2::9", notAnAddress("[2001:db8:2::9")],
    ["192.0.2.7 10.0.0.3", notAnAddress("192.0.2.7 10.0.0.3")],
    ["192.0.2.0/24", notAnAddress("192.0.2.0/24")],
    ["example.org", notAnAddress("example.org")],
    ['"192.0.2.7"', notAnAddress('"192.0.2.7"')],
    // Blanks of Unicode are none of HTTP's.
    ["192.0.2.7\u00a0", notAnAddress("192.0.2.7\u00a0")],
    ["a".repeat(200), notAnAddress("a".repeat(60))],
    [null, "unknown: it is missing"],
  ])("%j: %s", (field, expected) => {
    // The runtime's Headers cut blanks off a value's ends; what is left is what the listeners give.
    expect(read("X-Forwarded-For", field)).toBe(expected);
  });

  test("its length and its hops are bounded", () => {
    const hops = (count: number): string => `192.0.2.7${", 10.0.0.3".repeat(count)}`;
    expect(read("X-Forwarded-For", hops(MOST_HOPS - 1))).toBe("192.0.2.7");
    expect(read("X-Forwarded-For", hops(MOST_HOPS))).toBe(`unknown: it names more than ${MOST_HOPS} proxies`);
    const long = `${"x".repeat(LONGEST_FIELD)}, 192.0.2.7`;
    expect(read("X-Forwarded-For", long)).toBe(`unknown: it is longer than ${LONGEST_FIELD} characters`);
  });

  test("not recursive: the last address alone counts, as in nginx unless it is told otherwise", () => {
    const last = { isRecursive: false };
    expect(read("X-Forwarded-For", "192.0.2.7, 10.0.0.3", PROXY, last)).toBe("10.0.0.3");
    expect(read("X-Forwarded-For", "unknown, 192.0.2.7", PROXY, last)).toBe("192.0.2.7");
  });

  test("fields that came twice are one list", () => {
    const reader = compileClientReader({ trusted: TRUSTED, header: "X-Forwarded-For", isRecursive: true });
    const headers = new Headers();
    headers.append("x-forwarded-for", "6.6.6.6");
    headers.append("X-Forwarded-For", "192.0.2.7");
    expect(reader?.(PROXY, fieldsOf(headers))).toEqual({ kind: "ip", address: "192.0.2.7" });
  });
});

test.each(["X-Real-IP", "CF-Connecting-IP"])("%s is read in the same way", (header) => {
  expect(read(header, "192.0.2.7")).toBe("192.0.2.7");
  expect(read(header, "6.6.6.6, 192.0.2.7")).toBe("192.0.2.7");
  expect(read(header, "nobody")).toBe(notAnAddress("nobody"));
  expect(read(header, null)).toBe("unknown: it is missing");
});

describe("Forwarded (RFC 7239)", () => {
  test.each([
    ["for=192.0.2.7", "192.0.2.7"],
    ["For=192.0.2.7;proto=http;by=203.0.113.43", "192.0.2.7"],
    ['by="[2001:db8:1::1]:80"; FOR="192.0.2.7:47011" ;host=example.org', "192.0.2.7"],
    ['for="[2001:db8:cafe::17]:4711"', "2001:db8:cafe::17"],
    ['for="[2001:db8:cafe::17]"', "2001:db8:cafe::17"],
    ['for="192.0.2.7:_x7"', "192.0.2.7"],
    ["for=6.6.6.6, for=192.0.2.7, for=10.0.0.3", "192.0.2.7"],
    ['for="_secret", for=192.0.2.7', "192.0.2.7"],
    [";;for=192.0.2.7;", "192.0.2.7"],
    ["for=unknown", notAnAddress("for=unknown")],
    ["for=_gazonk", notAnAddress("for=_gazonk")],
    ["for=192.0.2.7, for=unknown, for=10.0.0.3", notAnAddress(" for=unknown")],
    ["for=192.0.2.7, for=_hidden", notAnAddress(" for=_hidden")],
    ["by=192.0.2.7", notAnAddress("by=192.0.2.7")],
    ["192.0.2.7", notAnAddress("192.0.2.7")],
    ["for=192.0.2.7;for=192.0.2.8", notAnAddress("for=192.0.2.7;for=192.0.2.8")],
    // An IPv6 address stands in brackets, and both it and a port between quotes.
    ['for="2001:db8::17"', notAnAddress('for="2001:db8::17"')],
    ["for=[2001:db8::17]", notAnAddress("for=[2001:db8::17]")],
    ["for=192.0.2.7:80", notAnAddress("for=192.0.2.7:80")],
    ['for="192.0.2.7', notAnAddress('for="192.0.2.7')],
    ['for="192.0.2.7";x="a b"', notAnAddress('for="192.0.2.7";x="a b"')],
    ['for="192.0.2.\\7"', notAnAddress('for="192.0.2.\\7"')],
    ["for = 192.0.2.7", notAnAddress("for = 192.0.2.7")],
    ["", notAnAddress("")],
    [null, "unknown: it is missing"],
  ])("%j: %s", (field, expected) => {
    expect(read("Forwarded", field)).toBe(expected);
  });

  test("a quotation that a client leaves open takes nothing of what the proxy adds", () => {
    const added = [
      'for="[2001:db8:2::9]:80"',
      "for=192.0.2.7",
      'for=192.0.2.7;host=";z="',
      'host="";for=192.0.2.7',
    ];
    for (const entry of added) {
      const address = entry.includes("2001") ? "2001:db8:2::9" : "192.0.2.7";
      for (const open of [
        'for=127.0.0.1;x="',
        'for="127.0.0.1',
        'for=127.0.0.1;x="\\',
        'for=127.0.0.1;x="a;y="',
      ])
        expect([address, notAnAddress(` ${entry}`)]).toContain(read("Forwarded", `${open}, ${entry}`));
    }
  });
});

describe("who is believed", () => {
  const field = "192.0.2.7";
  const ip = (address: string): KnownPeer => ({ kind: "ip", address });
  test.each([
    ["127.0.0.1", "192.0.2.7"],
    ["127.0.0.2", "127.0.0.2"],
    ["10.1.2.3", "192.0.2.7"],
    ["11.1.2.3", "11.1.2.3"],
    ["2001:db8:1::5", "192.0.2.7"],
    ["2001:db8:2::5", "2001:db8:2::5"],
    // Nobody can say that this is the proxy.
    ["nonsense", "nonsense"],
  ])("%s: %s", (address, expected) => {
    expect(read("X-Forwarded-For", field, ip(address))).toBe(expected);
  });

  test("whoever comes through a unix socket, where that is trusted, and only there", () => {
    expect(read("X-Forwarded-For", field, UNIX_PEER)).toBe("192.0.2.7");
    expect(read("X-Forwarded-For", field, UNIX_PEER, { trusted: ["127.0.0.1"] })).toBe("unix:");
    expect(read("X-Forwarded-For", field, PROXY, { trusted: ["unix:"] })).toBe("127.0.0.1");
    expect(read("X-Forwarded-For", null, UNIX_PEER)).toBe("unknown: it is missing");
  });

  test("in turn: what was found of one connection is not taken for another's", () => {
    const reader = compileClientReader({ trusted: ["10.0.0.1"], header: "X-Real-IP", isRecursive: true });
    const headers = new Headers({ "X-Real-IP": field });
    const seen = ["10.0.0.1", "10.0.0.2", "10.0.0.1", "", "10.0.0.1"].map((address) =>
      reader?.(ip(address), fieldsOf(headers)),
    );
    expect(seen).toEqual([ip(field), ip("10.0.0.2"), ip(field), ip(""), ip(field)]);

    const said = (text: string) => reader?.(ip("10.0.0.1"), fieldsOf(new Headers({ "X-Real-IP": text })));
    expect(["1.1.1.1", "1.1.1.1", "1.1.1.2", "1.1.1.1"].map(said)).toEqual(
      ["1.1.1.1", "1.1.1.1", "1.1.1.2", "1.1.1.1"].map(ip),
    );
    for (const text of ["", "nobody"]) expect(() => said(text)).toThrow(UnknownClient);
    expect(() => reader?.(ip("10.0.0.1"), fieldsOf(new Headers()))).toThrow(UnknownClient);
    expect(said("1.1.1.1")).toEqual(ip("1.1.1.1"));
  });

  test("nobody costs nothing, and a network that is none is not taken for none", () => {
    expect(compileClientReader(null)).toBeNull();
    expect(compileClientReader({ trusted: [], header: "X-Real-IP", isRecursive: true })).toBeNull();
    const bad = { trusted: ["10.0.0.0/33"], header: "X-Real-IP", isRecursive: true };
    expect(() => compileClientReader(bad)).toThrow("10.0.0.0/33");
  });
});

test("addresses are spelled as the kernel does", () => {
  const spelled = (text: string): string => addressText(parseAddress(text) ?? []);
  expect(
    ["::", "::1", "2001:DB8::0:1", "1:0:0:2:0:0:0:3", "1:2:3:4:5:6:7:8", "10.0.0.1"].map(spelled),
  ).toEqual(["::", "::1", "2001:db8::1", "1:0:0:2::3", "1:2:3:4:5:6:7:8", "10.0.0.1"]);
});
