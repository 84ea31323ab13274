/**
 * docs/behind-a-proxy.md, run: what a client gets through nginx, haproxy and Caddy, at the root and below a
 * path. Where a proxy is not installed its tests are skipped (.ci/run installs them).
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ask, RawConnection, type RawRequest } from "../binary/raw-client.ts";
import { Opcode, RawWebSocket } from "../binary/raw-web-socket.ts";
import { type RunningServer, startServer, until } from "../binary/running-server.ts";
import { blocks, type FrontProxy, replaced, startCaddy, startHaproxy, startNginx } from "./proxy.ts";

const HOST = "push.example.org";
const ALLOWED = "127.0.0.7";
const STRANGER = "127.0.0.8";

const UNIX = join(tmpdir(), `sluice-behind-${process.pid}.sock`);
const STATISTICS =
  '[[location]]\nmatch = "= /channels-stats"\nstatistics = true\nchannels_path = "$arg_id"\n';
const FOLDER = `[[location]]\nmatch = "/files/"\nroot = "${join(import.meta.dir, "..")}"\n`;

/** The page's own configuration of sluice; clients have addresses of loopback. */
const toml = (trusted: string): string =>
  `${replaced(
    replaced(blocks("toml")[0] ?? "", "allow 192.0.2.0/24", `allow ${ALLOWED}`),
    'trusted_proxies = ["127.0.0.1"]',
    `trusted_proxies = ["${trusted}"]`,
  )}\n${STATISTICS}${replaced(FOLDER, "/files/", "/binary")}`;

const UPSTREAM = "127.0.0.1:8080";
const [nginx = "", unixUpstream = ""] = blocks("nginx");
const [haproxy = ""] = blocks("haproxy");
const [caddy = ""] = blocks("caddyfile");

interface Setup {
  readonly name: string;
  readonly program: string;
  readonly isUnix?: true;
  readonly start: (upstreamPort: number) => Promise<FrontProxy>;
  /** Where the server is to be found. */
  readonly roots: readonly string[];
}

const nginxOn = (text: string) =>
  startNginx((port) => replaced(text, "listen 80", `listen 127.0.0.1:${port}`));
const at = (text: string, port: number): string => replaced(text, UPSTREAM, `127.0.0.1:${port}`);

const SETUPS: readonly Setup[] = [
  {
    name: "nginx",
    program: "nginx",
    start: (port) => nginxOn(at(nginx, port)),
    roots: ["", "/push"],
  },
  {
    name: "nginx through a unix socket, to the wire listener",
    program: "nginx",
    isUnix: true,
    start: () => {
      const upstream = /upstream sluice \{[^}]*\}\n/.exec(nginx)?.[0] ?? "";
      const ours = replaced(unixUpstream, "/run/sluice/http.sock", UNIX);
      return nginxOn(replaced(nginx, upstream, ours));
    },
    roots: [""],
  },
  {
    name: "haproxy",
    program: "haproxy",
    start: (port) => startHaproxy(at(haproxy, port)),
    roots: ["", "/push"],
  },
  {
    name: "Caddy",
    program: "caddy",
    start: (port) => startCaddy(at(caddy, port)),
    roots: ["", "/push"],
  },
];

test("the page has an example of each", () => {
  expect(SETUPS.map(({ program }) => program)).toEqual(["nginx", "nginx", "haproxy", "caddy"]);
  for (const text of [nginx, unixUpstream, haproxy, caddy]) expect(text).not.toBe("");
});

for (const { name, program, isUnix, start, roots } of SETUPS) {
  const isThere = Bun.which(program) !== null;
  if (!isThere) console.log(`skipped: ${name}: there is no ${program} (apt-get install ${program})`);
  describe.skipIf(!isThere)(name, () => {
    let server: RunningServer;
    let proxy: FrontProxy;

    beforeAll(async () => {
      const args = isUnix ? ["--listen", `unix:${UNIX}`, "--listener", "wire"] : [];
      const text = toml(isUnix ? "unix:" : "127.0.0.1");
      server = await startServer({ toml: text, workers: 1, args });
      proxy = await start(server.port);
      // haproxy's first look at the server's health may still be to come.
      await until(
        "the proxy passes requests on",
        async () => (await via(ALLOWED, "/nowhere")).status === 404,
      );
    });
    afterAll(async () => {
      await proxy?.stop();
      await server?.stop();
    });

    const via = (from: string, path: string, { headers, ...request }: RawRequest = {}) =>
      ask(proxy.port, path, { ...request, headers: { Host: HOST, ...headers } }, from);
    const publish = (from: string, root: string, headers: RawRequest["headers"] = {}) =>
      via(from, `${root}/pub?id=rules`, { method: "POST", body: "x", headers });
    /** Asked of sluice itself; there nobody asks who comes. */
    const subscribers = async (channel: string) => (await server.statistics(channel)).subscribers;

    if (!isUnix)
      test("who comes past the proxy is not believed, and the proxy not without a word", async () => {
        const direct = async (from: string, headers: RawRequest["headers"] = {}) => {
          const request = { method: "POST", body: "x", headers: { Host: HOST, ...headers } };
          return (await ask(server.port, "/pub?id=direct", request, from)).status;
        };
        expect(await direct(STRANGER, { "X-Forwarded-For": ALLOWED })).toBe(403);
        expect(await direct(ALLOWED)).toBe(200);
        expect(await direct("127.0.0.1")).toBe(400);
        expect(await direct("127.0.0.1", { "X-Forwarded-For": ALLOWED })).toBe(200);
      });

    test.each(roots.map((root) => [root === "" ? "the root" : root, root]))("at %s", async (_where, root) => {
      // --- rules judge the client --------------------------------------------------------------------------
      expect((await publish(ALLOWED, root)).status).toBe(200);
      expect((await publish(STRANGER, root)).status).toBe(403);
      for (const [field, value] of [
        ["X-Forwarded-For", ALLOWED],
        ["X-Forwarded-For", `${ALLOWED}, 127.0.0.1`],
        ["X-Forwarded-For", ", ,"],
        ["X-Real-IP", ALLOWED],
        ["Forwarded", `for=${ALLOWED}`],
      ] as const)
        expect([value, (await publish(STRANGER, root, { [field]: value })).status]).toEqual([value, 403]);
      // Has the proxy drop its own word, in some: then it is nobody's request.
      const dropped = await publish(STRANGER, root, { Connection: "close, X-Forwarded-For" });
      expect([400, 403]).toContain(dropped.status);
      // A client that has a story of its own is still whom the proxy says.
      expect((await publish(ALLOWED, root, { "X-Forwarded-For": "10.1.1.1, nonsense" })).status).toBe(200);

      // --- transports --------------------------------------------------------------------------------------
      const channel = `room${root.replace("/", "-")}`;
      const headers = { Host: HOST, Origin: `http://${HOST}` };
      const socket = await RawWebSocket.open(proxy.port, `${root}/ws/${channel}`, headers, STRANGER);
      const events = await RawConnection.open(proxy.port, STRANGER);
      events.request(`${root}/ev/${channel}`, { headers: { Host: HOST } });
      expect((await events.head()).fields.get("content-type")).toStartWith("text/event-stream");
      const poll = via(STRANGER, `${root}/lp/${channel}`);
      await until("all three stand", async () => (await subscribers(channel)) === 3);
      const { status } = await via(ALLOWED, `${root}/pub?id=${channel}`, { method: "POST", body: "hello" });
      expect(status).toBe(200);
      const { opcode, payload } = await socket.frame();
      expect([opcode, payload.toString()]).toEqual([Opcode.TEXT, "hello"]);
      await until("the event", () => events.peek().includes("data: hello"));
      expect((await poll).body.toString()).toBe("hello");
      // Who leaves is gone behind the proxy, too.
      socket.connection.close();
      events.close();
      await until("nobody is left", async () => (await subscribers(channel)) === 0);

      // --- pages -------------------------------------------------------------------------------------------
      await followLinks(`${root}/`, ["/examples/", "/examples/chat"]);
      const folder = await via(ALLOWED, `${root}/binary`);
      expect([folder.status, folder.fields.get("location")]).toEqual([301, "./binary/"]);
      if (root !== "") {
        const bare = await via(ALLOWED, root);
        expect(new URL(bare.fields.get("location") ?? "", `http://${HOST}`).pathname).toBe(`${root}/`);
      }
    });

    /** From a page to the next by its links, which have to stay below the root. */
    async function followLinks(root: string, targets: readonly string[]): Promise<void> {
      let path = root;
      for (const target of targets) {
        const html = (await via(ALLOWED, path)).body.toString();
        const links = [...html.matchAll(/<a href="([^"]*)"/g)].map(
          ([, link]) => new URL(link ?? "", `http://${HOST}${path}`).pathname,
        );
        expect(links).toContain(root + target.slice(1));
        path = root + target.slice(1);
      }
      expect((await via(ALLOWED, path)).status).toBe(200);
    }
  });
}
