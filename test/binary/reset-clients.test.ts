/**
 * Clients that reset their connection right behind a request, on the compiled binary and both listeners. The
 * kernel then no longer knows whose the request was, while the server still reads it: nobody may come in by
 * being nobody. Past hole: the unknown address was an empty text, which counted as "came through our unix
 * socket" and as matching no rule.
 */
import { afterAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { removeFolders, startHandlers } from "../handlers/handler-server.ts";
import { startNginx } from "../nginx/nginx-server.ts";
import { KernelSocket } from "./kernel-socket.ts";
import { clientFrame } from "./pulled-client.ts";
import { HANDSHAKE } from "./raw-web-socket.ts";
import { type RunningServer, until } from "./running-server.ts";

const RESETS = 300;
const TEXT_FRAME = 0x81;

afterAll(removeFolders);

/** Sends the bytes on a connection of their own and is gone at once, so many times. */
async function sendAndVanish(port: number, bytes: string | Uint8Array): Promise<void> {
  for (let i = 0; i < RESETS; i++) {
    const socket = new KernelSocket(port);
    await socket.send(bytes);
    socket.reset();
  }
}

const post = (path: string): string => `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nevil`;

const handshakeWithMessage = (path: string): Buffer => {
  const fields = Object.entries(HANDSHAKE).map(([name, value]) => `${name}: ${value}\r\n`);
  const head = `GET ${path} HTTP/1.1\r\nHost: x\r\n${fields.join("")}\r\n`;
  return Buffer.concat([Buffer.from(head), clientFrame(TEXT_FRAME, Buffer.from("evil"))]);
};

/** All that was sent so far has been looked at: every client was refused by name, or as nobody. */
async function untilAllSeen(server: RunningServer, open: string): Promise<void> {
  for (let i = 0; i < 3; i++) {
    const { status } = await server.request(`${open}?id=witness`, { method: "POST", body: `${i}` });
    expect(status).toBe(200);
  }
}

const RULES: readonly (readonly [name: string, directives: string])[] = [
  ["net", "deny 127.0.0.0/8;"],
  ["unix-only", "allow unix:; deny all;"],
  ["address", "deny 127.0.0.1;"],
  ["condition", "if ($remote_addr = 127.0.0.1) { return 403; }"],
  ["not-unix", "if ($remote_addr != unix:) { return 403; }"],
];

describe.each([
  ["native", "push_stream_header_template h;"],
  ["wire", ""],
] as const)("a client that resets its connection behind its request, %s listener", (listener, template) => {
  test("passes no rule of an nginx.conf; who comes by the unix socket still does", async () => {
    const locations = RULES.map(
      ([name, directives]) => `
        location /pub-${name} { ${directives} push_stream_publisher admin; push_stream_channels_path $arg_id;
          push_stream_store_messages on; }
        location /ws-${name} { ${directives} push_stream_subscriber websocket;
          push_stream_channels_path $arg_id; push_stream_websocket_allow_publish on;
          push_stream_store_messages on; }`,
    );
    const server = await startNginx((port, folder) => {
      const unix = `listen unix:${folder}/listen.sock;`;
      return `worker_processes 1; events {} http { push_stream_shared_memory_size 10m;
        access_log ${folder}/access.log;
        server { listen 127.0.0.1:${port}; ${unix}
        location /channels-stats { push_stream_channels_statistics; push_stream_channels_path $arg_id; }
        location /pub { push_stream_publisher admin; push_stream_channels_path $arg_id; }
        location /sub { push_stream_subscriber; push_stream_channels_path $arg_id; ${template} }
        ${locations.join("")} } }`;
    });
    try {
      for (const [name] of RULES) {
        await sendAndVanish(server.port, post(`/pub-${name}?id=${name}`));
        await sendAndVanish(server.port, handshakeWithMessage(`/ws-${name}?id=ws-${name}`));
      }
      await untilAllSeen(server, "/pub");
      for (const [name] of RULES) {
        expect([name, await server.statistics(name)]).toEqual([name, NOTHING]);
        expect([name, await server.statistics(`ws-${name}`)]).toEqual([name, NOTHING]);
      }
      expect(readFileSync(join(server.folder, "access.log"), "utf8")).not.toContain("unix:");

      const unix = join(server.folder, "listen.sock");
      const answers = RULES.map(async ([name]) => {
        const url = `http://x/pub-${name}?id=${name}`;
        return [name, (await fetch(url, { unix, method: "POST", body: "good" })).status] as const;
      });
      // As in nginx: to `deny` of networks a unix socket is nobody they name.
      expect(await Promise.all(answers)).toEqual(RULES.map(([name]) => [name, 200]));
    } finally {
      await server.stop();
    }
  }, 30_000);

  test("passes no access rule, no guard and no handler of a TOML file", async () => {
    const files = {
      "guard.ts": `export const authorize = ({ remoteAddress, publish }) => {
        publish("asked-" + remoteAddress, "x", { stored: true });
        return remoteAddress !== "127.0.0.1";
      };`,
      "handler.ts": `export default ({ remoteAddress, publish }) => {
        publish("called-" + remoteAddress, "x");
      };`,
    };
    const publisher = (name: string, rule: string): string =>
      `[[location]]\nmatch = "= /pub${name}"\npublisher = "admin"\nchannels_path = "$arg_id"\n` +
      `store_messages = true\n${rule}\n`;
    const server = await startHandlers(
      { workers: 1, listener },
      {
        files,
        toml: `
          ${publisher("", "")}
          ${publisher("-net", 'access = ["deny 127.0.0.0/8"]')}
          ${publisher("-unix", 'access = ["allow unix:", "deny all"]')}
          ${publisher("-guarded", 'authorize = "guard.ts"')}
          [[location]]
          match = "= /called"
          handler = "handler.ts"
          [[location]]
          match = "= /channels-stats"
          statistics = true
          channels_path = "$arg_id"`,
      },
    );
    try {
      for (const name of ["net", "unix", "guarded"])
        await sendAndVanish(server.port, post(`/pub-${name}?id=${name}`));
      await sendAndVanish(server.port, post("/called"));
      await untilAllSeen(server, "/pub");
      for (const name of ["net", "unix", "guarded", "asked-", "asked-unix:", "called-", "called-unix:"])
        expect([name, await server.statistics(name)]).toEqual([name, NOTHING]);
      // They are counted, or the operator would never hear of them.
      await until("they are counted", async () => (await server.metric("sluice_refused_requests")) > 0);
    } finally {
      await server.stop();
    }
  }, 30_000);
});

const NOTHING = { published_messages: 0, stored_messages: 0, subscribers: 0 };
