/**
 * ssl_protocols, ssl_ciphers and `listen … ipv6only` of an nginx.conf, seen by clients of the compiled
 * binary.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { connect } from "node:tls";
import { freePort, type RunningServer } from "../binary/running-server.ts";
import { startNginx } from "./nginx-server.ts";

setDefaultTimeout(60_000);

const SSL = join(import.meta.dir, "../config/nginx/corpus/ssl/push.example.org");
const hasIpv6 = existsSync("/proc/net/if_inet6") && readFileSync("/proc/net/if_inet6", "utf8").includes("lo");
const [strict, old, six, both] = [freePort(), freePort(), freePort(), freePort()];
const SIX = `server { listen [::]:${six}; return 204; }
  server { listen [::]:${both} ipv6only=off; return 204; }`;

let server: RunningServer;
beforeAll(async () => {
  server = await startNginx(
    (port, folder) => `worker_processes 1; pid ${folder}/nginx.pid; events {} http {
      ssl_certificate ${SSL}.pem; ssl_certificate_key ${SSL}.key;
      server { listen 127.0.0.1:${port}; return 204; }
      server { listen 127.0.0.1:${strict} ssl; ssl_protocols TLSv1.3; return 204; }
      server { listen 127.0.0.1:${old} ssl; ssl_protocols TLSv1.2;
        ssl_ciphers ECDHE-ECDSA-AES256-GCM-SHA384; return 204; }
      ${hasIpv6 ? SIX : ""}
    }`,
  );
});
afterAll(async () => {
  await server?.stop();
});

/** "TLSv1.3", and the cipher; "refused". */
const spoken = (port: number, maxVersion: "TLSv1.2" | "TLSv1.3"): Promise<string> =>
  new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1", rejectUnauthorized: false, maxVersion }, () => {
      resolve(`${socket.getProtocol()} ${socket.getCipher().name}`);
      socket.destroy();
    });
    socket.once("error", () => resolve("refused"));
  });

test.each([
  ["the strict one", strict, "TLSv1.3", /^TLSv1\.3 /],
  ["the strict one", strict, "TLSv1.2", /^refused$/],
  ["the old one", old, "TLSv1.3", /^TLSv1\.2 ECDHE-ECDSA-AES256-GCM-SHA384$/],
] as const)("%s (%d) to a client of %s", async (_, port, version, answer) => {
  expect(await spoken(port, version)).toMatch(answer);
});

test.skipIf(!hasIpv6)("[::] is for IPv6 alone, unless it says otherwise", async () => {
  const answers = async (url: string): Promise<number> =>
    await fetch(url).then(
      ({ status }) => status,
      () => 0,
    );
  expect(await answers(`http://[::1]:${six}`)).toBe(204);
  expect(await answers(`http://127.0.0.1:${six}`)).toBe(0);
  expect(await answers(`http://[::1]:${both}`)).toBe(204);
  expect(await answers(`http://127.0.0.1:${both}`)).toBe(204);
});
