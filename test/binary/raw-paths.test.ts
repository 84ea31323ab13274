/**
 * Which path a request target means, byte by byte, on the compiled binary and both listeners: as nginx reads
 * it, or 400. Past hole: a URL parser made "/x\..\secret" into "/secret" before sluice looked, so that a
 * proxy that denies /secret was passed.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { connect } from "node:http2";
import { startNginx } from "../nginx/nginx-server.ts";
import { RawConnection } from "./raw-client.ts";
import { HANDSHAKE } from "./raw-web-socket.ts";
import { freePort, type RunningServer } from "./running-server.ts";

/** What `$uri` is then; a number: refused, with this status or one of the parser's own. */
const TARGETS: readonly (readonly [target: string, meaning: string | 400])[] = [
  ["/secret", "/secret"],
  // Backslashes.
  ["/\\secret", 400],
  ["\\secret", 400],
  ["/x\\..\\secret", 400],
  ["/x\\..\\..\\secret", 400],
  ["/x/\\../secret", 400],
  ["/%2e\\secret", 400],
  ["/x%5c\\..\\secret", 400],
  ["/%5c/..\\secret", 400],
  ["//x\\..\\..\\secret", 400],
  ["/secret\\", 400],
  ["http://x/\\secret", 400],
  ["/x%5c..%5csecret", "/x\\..\\secret"],
  ["/secret?\\x", "/secret"],
  // Dots.
  ["/./secret", "/secret"],
  ["/x/../secret", "/secret"],
  ["/x/%2e%2e/secret", "/secret"],
  ["/x/.%2E/secret/.", "/secret/"],
  ["/..x/...", "/..x/..."],
  ["/../secret", 400],
  ["/%2e%2e/secret", 400],
  ["/x/../../secret", 400],
  ["/x/..%2fsecret", "/secret"],
  ["/..%2fsecret", 400],
  // To nginx "/secret", to a URL parser "/x/secret": both would be right to somebody.
  ["/x//../secret", 400],
  ["/x/%2f/../secret", 400],
  ["/x%2fy/../secret", 400],
  ["//../secret", 400],
  // Slashes.
  ["//secret", "/secret"],
  ["///secret//", "/secret/"],
  ["/x//secret", "/x/secret"],
  ["/x%2fsecret", "/x/secret"],
  ["/x//y/../secret", "/x/secret"],
  ["//a//b//c//d/e/f", 400],
  [`//${"x/".repeat(14)}secret`, `/${"x/".repeat(14)}secret`],
  [`//${"x/".repeat(40)}secret`, 400],
  [`/${"x/".repeat(40)}`, `/${"x/".repeat(40)}`],
  [`/${"x/".repeat(300)}`, `/${"x/".repeat(300)}`],
  [`/${"x/".repeat(49)}secret`, `/${"x/".repeat(49)}secret`],
  [`/${"x/".repeat(300)}secret`, `/${"x/".repeat(300)}secret`],
  [`/${"x/".repeat(48)}x\\secret`, 400],
  [`/${"x/".repeat(60)}${"..\\".repeat(61)}secret`, 400],
  [`/${"x/".repeat(60)}${"../".repeat(60)}secret`, 400],
  [`/x\\..\\${"x/".repeat(60)}secret`, 400],
  [`/x//${"x/".repeat(60)}secret`, 400],
  // What ends a path, and what does not.
  ["/secret#x", 400],
  ["/secret#?x", 400],
  ["/x#/../secret", 400],
  ["/secret%23x", "/secret#x"],
  ["/secret;x", "/secret;x"],
  ["/secret%3fx", "/secret?x"],
  ["/secret?x#y", "/secret"],
  ["/sec\tret", 400],
  ["/sec%09ret", "/sec\tret"],
  ["/sec%0aret", "/sec\nret"],
  ["/sec\x01ret", 400],
  ["/sec%00ret", 400],
  ["/sec%ret", 400],
  ["/caf%e9", "/caf\xe9"],
  ["/sec%7fret", "/sec\x7fret"],
  // Forms.
  ["http://x/secret", "/secret"],
  ["HTTP://x/secret", "/secret"],
  ["http://x/y/../secret", "/secret"],
  ["http://x", "/"],
  ["http:/secret", 400],
  ["//x:1/secret", "/x:1/secret"],
  ["secret", 400],
  ["*", 400],
];

describe.each([
  ["native", "push_stream_header_template h;"],
  ["wire", ""],
])("request targets, %s listener", (listener, template) => {
  let server: RunningServer;
  const isNative = listener === "native";
  const h2Port = freePort();
  beforeAll(async () => {
    server = await startNginx(
      (port) => `worker_processes 1; events {} http { push_stream_shared_memory_size 10m;
        sluice_listener ${listener}; server { listen 127.0.0.1:${port};
        ${isNative ? `listen 127.0.0.1:${h2Port} http2;` : ""}
        location /sub { push_stream_subscriber; push_stream_channels_path $arg_id; ${template} }
        location /ws { push_stream_subscriber websocket; push_stream_channels_path $arg_id; }
        # Has a route of its own (listen/path-routes.ts).
        location = /secret { return 200 "<$uri>"; }
        location / { return 200 "<$uri>"; } } }`,
    );
  });
  afterAll(async () => {
    await server.stop();
  });

  async function ask(target: string, headers: Readonly<Record<string, string>> = {}): Promise<string | 400> {
    const connection = await RawConnection.open(server.port);
    connection.request(target, { headers: { Host: "x", ...headers, Connection: "close" } });
    const { status, body } = await connection.answer();
    connection.close();
    // 505: what the parser takes for the end of the target is not followed by a version.
    if (status === 400 || status === 505) return 400;
    return status === 200 ? (/^<(.*)>$/s.exec(body.toString("latin1"))?.[1] ?? "") : `${status}`;
  }

  test.each(TARGETS)("%j is %j", async (target, meaning) => {
    expect(await ask(target)).toBe(meaning);
  });

  /**
   * No target may have them (RFC 3986 2). Those of other alphabets are taken all the same, by nginx as well.
   */
  test.each([
    ["/secret\x7f", isNative ? "/secret\x7f" : 400],
    ["/caf\xc3\xa9", "/caf\xc3\xa9"],
  ] as const)("bytes that are not ASCII, %j", async (target, meaning) => {
    expect(await ask(target)).toBe(meaning);
  });

  test("a WebSocket handshake goes by the same rules", async () => {
    for (const [target, status] of [
      ["/ws?id=a", 101],
      ["/\\ws?id=a", 400],
      ["/x\\..\\ws?id=a", 400],
      ["/x//../ws?id=a", 400],
      ["/ws#?id=a", 400],
    ] as const) {
      const connection = await RawConnection.open(server.port);
      connection.request(target, { headers: { Host: "x", ...HANDSHAKE } });
      expect([target, (await connection.head()).status]).toEqual([target, status]);
      connection.close();
    }
  });

  test.if(isNative)("HTTP/2 does, too", async () => {
    const session = connect(`http://127.0.0.1:${h2Port}`);
    for (const [target, status] of [
      ["/secret", 200],
      ["/\\secret", 400],
      ["/x\\..\\secret", 400],
      ["/secret#x", 400],
      ["/x//../secret", 400],
    ] as const) {
      const { promise, resolve, reject } = Promise.withResolvers<unknown>();
      const stream = session.request({ ":path": target });
      stream.on("response", (fields) => resolve(fields[":status"])).on("error", reject);
      expect([target, await promise]).toEqual([target, status]);
      stream.close();
    }
    session.close();
  });
});
