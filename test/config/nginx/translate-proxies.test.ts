/** set_real_ip_from, real_ip_header and real_ip_recursive: inherited as in nginx, with its defaults. */
import { expect, test } from "bun:test";
import { readDocument } from "../../../src/config/document.ts";
import { formatFault } from "../../../src/config/fault.ts";
import { at, documentOf, faultsOf, translate, withPush } from "./translated.ts";

test.each<[http: string, server: string, proxies: unknown]>([
  ["", "", {}],
  // Nobody is believed without a network.
  ["real_ip_header X-Forwarded-For;", "real_ip_recursive on;", {}],
  [
    "",
    "set_real_ip_from 10.0.0.0/8;",
    { trusted_proxies: ["10.0.0.0/8"], real_ip_header: "X-Real-IP", real_ip_recursive: false },
  ],
  [
    "set_real_ip_from 10.0.0.0/8; set_real_ip_from unix:; set_real_ip_from 10.0.0.0/8; " +
      "real_ip_header X-Forwarded-For;",
    "real_ip_recursive on;",
    {
      trusted_proxies: ["10.0.0.0/8", "unix:"],
      real_ip_header: "X-Forwarded-For",
      real_ip_recursive: true,
    },
  ],
  // The inner level's list replaces the outer one's; the rest is inherited each for itself.
  [
    "set_real_ip_from 10.0.0.0/8; real_ip_header CF-Connecting-IP; real_ip_recursive on;",
    "set_real_ip_from 2001:db8::/32; set_real_ip_from 127.0.0.1;",
    {
      trusted_proxies: ["2001:db8::/32", "127.0.0.1"],
      real_ip_header: "CF-Connecting-IP",
      real_ip_recursive: true,
    },
  ],
])("%s | %s", (http, server, proxies) => {
  const { trusted_proxies, real_ip_header, real_ip_recursive } = at(
    documentOf(withPush(http, server)),
    "server.0",
  ) as Record<string, unknown>;
  expect(JSON.parse(JSON.stringify({ trusted_proxies, real_ip_header, real_ip_recursive }))).toEqual(proxies);
});

test("the difference is told, and what says nothing is listed", () => {
  expect(translate(withPush("", "set_real_ip_from 10.0.0.1;")).notices).toEqual([
    "/conf/nginx.conf:6: set_real_ip_from: a request of a trusted address that names no client is " +
      "refused (400); nginx counts it as the address's own",
  ]);
  const { ignored, notices } = translate(withPush("real_ip_header X-Forwarded-For;"));
  expect([ignored.map(({ name }) => name), notices]).toEqual([["real_ip_header"], []]);
});

test("inside a location, where nginx would change its mind about a request, they are faults", () => {
  const inner = "set_real_ip_from 10.0.0.1;\nlocation /pub/in {\nreal_ip_header X-Real-IP;\n}";
  expect(faultsOf(translate(withPush("", "", inner)))).toEqual([
    '9: "set_real_ip_from" directive inside a location is not supported, it belongs into the server',
    '11: "real_ip_header" directive inside a location is not supported, it belongs into the server',
  ]);
});

test.each([
  ["set_real_ip_from proxy.example.org;", "an address, a network"],
  ["set_real_ip_from 10.0.0.0/40;", "an address, a network"],
  ["set_real_ip_from 10.0.0.1; real_ip_header proxy_protocol;", "the PROXY protocol cannot be read here"],
])("%s is a fault with its line", (server, sentence) => {
  const { document, lineOf } = translate(withPush("", server));
  const { faults } = readDocument(document, (path) => `line ${lineOf(path)?.line}`);
  expect(faults.map(formatFault)).toEqual([expect.stringContaining(sentence)]);
  expect(faults[0]?.place).toBe("line 6");
});
