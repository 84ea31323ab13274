/**
 * What pages of others can make a browser do to the embedded default, on the compiled binary: publish,
 * delete, open WebSockets, and all of it under a name of their own that points here (DNS rebinding). And who
 * is allowed otherwise, on both listeners.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { ask, RawConnection } from "./raw-client.ts";
import { HANDSHAKE } from "./raw-web-socket.ts";
import { layout, type RunningServer, startServer } from "./running-server.ts";

let server: RunningServer;

interface Statuses {
  readonly post: number;
  readonly remove: number;
  readonly tell: number;
  readonly socket: number;
  readonly echo: number;
}

const answered = async (path: string, method: string, headers: Record<string, string>): Promise<number> =>
  (await ask(server.port, path, { method, headers, ...(method === "POST" ? { body: "x" } : {}) })).status;

async function handshake(path: string, headers: Record<string, string>): Promise<number> {
  const connection = await RawConnection.open(server.port);
  connection.request(path, { headers: { ...HANDSHAKE, ...headers } });
  const { status } = await connection.head();
  connection.close();
  return status;
}

/** PORT in a header stands for the server's. */
async function statuses(fields: Record<string, string>): Promise<Statuses> {
  const headers = Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name, value.replace("PORT", `${server.port}`)]),
  );
  await server.publish("known", "x");
  return {
    post: await answered("/pub?id=known", "POST", headers),
    tell: await answered("/pub?id=known", "GET", headers),
    remove: await answered("/pub?id=known", "DELETE", headers),
    socket: await handshake("/ws/known", headers),
    echo: await handshake("/examples/echo/socket", headers),
  };
}

const ALLOWED: Statuses = { post: 200, tell: 200, remove: 200, socket: 101, echo: 101 };
/** To read without CORS headers tells a page nothing. */
const FOREIGN_PAGE: Statuses = { post: 403, tell: 200, remove: 403, socket: 403, echo: 403 };
const FOREIGN_HOST: Statuses = { post: 403, tell: 403, remove: 403, socket: 403, echo: 403 };

describe("the embedded default", () => {
  beforeAll(async () => {
    server = await startServer({ workers: 1 });
  });
  afterAll(async () => {
    await server.stop();
  });

  const table: readonly (readonly [host: string, origin: string | null, Statuses])[] = [
    // No browser: curl, backends.
    ["127.0.0.1:PORT", null, ALLOWED],
    ["localhost", null, ALLOWED],
    // Its own pages.
    ["127.0.0.1:PORT", "http://127.0.0.1:PORT", ALLOWED],
    ["localhost:PORT", "http://localhost:PORT", ALLOWED],
    ["LOCALHOST:PORT", "http://localhost:PORT", ALLOWED],
    ["[::1]:PORT", "http://[::1]:PORT", ALLOWED],
    ["192.0.2.1:80", "http://192.0.2.1", ALLOWED],
    // Behind a proxy that ends TLS.
    ["localhost", "https://localhost", ALLOWED],
    // Pages of others.
    ["127.0.0.1:PORT", "https://evil.example", FOREIGN_PAGE],
    ["127.0.0.1:PORT", "http://evil.example:PORT", FOREIGN_PAGE],
    ["127.0.0.1:PORT", "http://127.0.0.1:1", FOREIGN_PAGE],
    ["127.0.0.1:PORT", "http://localhost:PORT", FOREIGN_PAGE],
    ["127.0.0.1:PORT", "http://127.0.0.1:PORT.evil.example", FOREIGN_PAGE],
    ["127.0.0.1:PORT", "http://evil@127.0.0.1:PORT", FOREIGN_PAGE],
    ["127.0.0.1:PORT", "http://127.0.0.1:PORT/", FOREIGN_PAGE],
    ["127.0.0.1:PORT", "127.0.0.1:PORT", FOREIGN_PAGE],
    ["127.0.0.1:PORT", "http://127.0.0.1:PORT, http://evil.example", FOREIGN_PAGE],
    ["127.0.0.1:PORT", "null", FOREIGN_PAGE],
    ["127.0.0.1:PORT", "file://", FOREIGN_PAGE],
    // A name of theirs that points here: of one origin with us, to the browser.
    ["evil.example:PORT", "http://evil.example:PORT", FOREIGN_HOST],
    ["evil.example:PORT", null, FOREIGN_HOST],
    ["localhost.evil.example", null, FOREIGN_HOST],
    ["127.0.0.1.evil.example", null, FOREIGN_HOST],
    ["evil.example.", null, FOREIGN_HOST],
  ];
  test.each(table)("Host %s, Origin %s", async (host, origin, expected) => {
    expect(await statuses({ Host: host, ...(origin === null ? {} : { Origin: origin }) })).toEqual(expected);
  });

  test("a refusal says why, and every path is refused to a foreign name", async () => {
    const page = await ask(server.port, "/pub?id=a", {
      method: "POST",
      body: "x",
      headers: { Host: "localhost", Origin: "null" },
    });
    expect(page.fields.get("x-nginx-pushstream-explain")).toBe("Pages of this origin are not allowed here.");
    for (const path of ["/", "/channels-stats", "/poll/a", "/ev/a", "/metrics", "/nowhere", "/examples/"]) {
      const answer = await ask(server.port, path, { headers: { Host: "evil.example" } });
      expect([path, answer.status]).toEqual([path, 403]);
    }
  });
});

describe.each([
  ["native listener", 'header_template = "h"'],
  ["wire listener", ""],
])("a file that says who may, %s", (_listener, sub) => {
  const own = 'allowed_origins = "https://a.example https://b.example:8443"';
  beforeAll(async () => {
    server = await startServer({
      workers: 1,
      toml: `allowed_hosts = ["push.example", "*.push.example"]
        ${layout("", { pub: own, ws: own, sub, ev: own })}
        [[location]]
        match = "= /any"
        publisher = "normal"
        channels_path = "$arg_id"
        allowed_origins = "*"
        [[location]]
        match = "= /unchecked"
        publisher = "normal"
        channels_path = "$arg_id"
        check_origin = false
        [[location]]
        match = "= /own"
        publisher = "normal"
        channels_path = "$arg_id"`,
    });
  });
  afterAll(async () => {
    await server.stop();
  });

  const HOST = "push.example";
  test.each([
    ["https://a.example", 200],
    ["https://B.example:8443", 200],
    ["https://push.example", 200],
    ["http://a.example", 403],
    ["https://a.example:444", 403],
    ["https://b.example", 403],
    ["https://a.example.evil", 403],
    ["null", 403],
  ])("%s: %d, and is told so by CORS", async (origin, status) => {
    const headers = { Host: HOST, Origin: origin };
    const posted = await ask(server.port, "/pub?id=a", { method: "POST", body: "x", headers });
    expect(posted.status).toBe(status);
    const isListed = status === 200 && !origin.includes(HOST);
    expect(posted.fields.get("access-control-allow-origin") ?? null).toBe(isListed ? origin : null);
    const asked = await ask(server.port, "/ev/a", { method: "OPTIONS", headers });
    expect(asked.fields.get("access-control-allow-origin") ?? null).toBe(isListed ? origin : null);
    expect(await handshake("/ws/a", headers)).toBe(status === 200 ? 101 : status);
  });

  test.each([
    ["/any", 200],
    ["/unchecked", 200],
    ["/own", 403],
  ])("%s: %d to a page of another origin", async (path, status) => {
    const headers = { Host: HOST, Origin: "https://evil.example" };
    expect((await ask(server.port, `${path}?id=a`, { method: "POST", body: "x", headers })).status).toBe(
      status,
    );
  });

  test.each([
    ["push.example", 200],
    ["eu.push.example:81", 200],
    ["127.0.0.1", 200],
    ["localhost", 200],
    ["xpush.example", 403],
    [".push.example", 403],
  ])("Host %s: %d", async (host, status) => {
    const answer = await ask(server.port, "/own?id=a", {
      method: "POST",
      body: "x",
      headers: { Host: host },
    });
    expect(answer.status).toBe(status);
  });
});
