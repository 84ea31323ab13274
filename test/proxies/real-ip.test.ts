/**
 * The same nginx.conf in nginx and in sluice: set_real_ip_from, real_ip_header, real_ip_recursive. Where
 * sluice names a client it is nginx's; what nginx takes for a request of the proxy itself, because nobody can
 * be read out of the header, sluice refuses.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { ask } from "../binary/raw-client.ts";
import type { RunningServer } from "../binary/running-server.ts";
import { startNginx as startSluice } from "../nginx/nginx-server.ts";
import { type FrontProxy, startNginx } from "./proxy.ts";

const isThere = Bun.which("nginx") !== null;
if (!isThere) console.log("skipped: real-ip: there is no nginx (apt-get install nginx-light)");

/** A server each, by name. */
const SERVERS: readonly (readonly [name: string, header: string, directives: string])[] = [
  ["recursive", "X-Forwarded-For", "real_ip_header X-Forwarded-For; real_ip_recursive on;"],
  ["last", "X-Forwarded-For", "real_ip_header X-Forwarded-For;"],
  ["default", "X-Real-IP", ""],
  ["other", "CF-Connecting-IP", "real_ip_header CF-Connecting-IP; real_ip_recursive on;"],
];

const http = (port: number): string => `
  set_real_ip_from 127.0.0.1; set_real_ip_from 10.0.0.0/8; set_real_ip_from 2001:db8:1::/48;
  ${SERVERS.map(
    ([name, , directives]) => `server { listen 127.0.0.1:${port}; server_name ${name}; ${directives}
      location = /who { if ($remote_addr = 192.0.2.7) { return 200 "him"; }
        return 200 "$remote_addr|$realip_remote_addr"; }
      location / { return 404; } }`,
  ).join("\n")}`;

const SAID: readonly (readonly [value: string | null, isRefused?: "refused"])[] = [
  ["192.0.2.7"],
  ["192.0.2.8"],
  ["6.6.6.6, 192.0.2.7"],
  ["6.6.6.6,192.0.2.7,10.0.0.1"],
  ["nonsense, 192.0.2.8"],
  ["10.0.0.2, 10.0.0.1"],
  ["10.0.0.1"],
  ["2001:DB8:2::9, 2001:db8:1::7"],
  ["192.0.2.8:4711"],
  ["[2001:db8:2::9]:4711"],
  ["6.6.6.6, unknown", "refused"],
  ["192.0.2.300", "refused"],
  ["", "refused"],
  [null, "refused"],
];

describe.skipIf(!isThere)("the same nginx.conf in nginx and in sluice", () => {
  let nginx: FrontProxy;
  let sluice: RunningServer;
  beforeAll(async () => {
    nginx = await startNginx(http);
    sluice = await startSluice((port) => `worker_processes 1; events {} http { ${http(port)} }`);
  });
  afterAll(async () => {
    await nginx?.stop();
    await sluice?.stop();
  });

  test.each(SERVERS)("%s: %s names the same clients", async (name, header) => {
    for (const [value, isRefused] of SAID) {
      const request = { headers: { Host: name, ...(value === null ? {} : { [header]: value }) } };
      const [theirs, ours] = await Promise.all(
        [nginx.port, sluice.port].map(async (port) => {
          const { status, body } = await ask(port, "/who", request);
          return [status, body.toString()] as const;
        }),
      );
      expect({ value, ours }).toEqual({ value, ours: isRefused ? [400, ""] : theirs });
      if (isRefused) expect(theirs).toEqual([200, "127.0.0.1|127.0.0.1"]);
    }
    // Who is not trusted is not listened to.
    for (const port of [nginx.port, sluice.port]) {
      const request = { headers: { Host: name, [header]: "192.0.2.7" } };
      const { body } = await ask(port, "/who", request, "127.0.0.9");
      expect(body.toString()).toBe("127.0.0.9|127.0.0.9");
    }
  });
});
