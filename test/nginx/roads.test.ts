/**
 * What leads to push and what guards it, on the compiled binary: rewrites, maps, files, methods, passwords
 * and pages for errors around locations of the push stream module. That each of these does what nginx does is
 * compared in test/proxies/side-by-side.test.ts; here it is that push is behind them.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ask, RawConnection, type RawRequest } from "../binary/raw-client.ts";
import { RawWebSocket } from "../binary/raw-web-socket.ts";
import { type RunningServer, until } from "../binary/running-server.ts";
import { startNginx } from "./nginx-server.ts";

setDefaultTimeout(60_000);

const PUB = "push_stream_publisher admin; push_stream_channels_path $arg_id; push_stream_store_messages on;";
const USER = { authorization: `Basic ${btoa("u:p")}` };

const conf =
  (workers: number, door: string) =>
  (port: number, folder: string): string => {
    writeFileSync(join(folder, "users"), "u:{PLAIN}p\n");
    return `worker_processes ${workers}; pid ${folder}/nginx.pid; events {} http {
    push_stream_shared_memory_size 4m;
    map $http_x_key $may { default 0; secret 1; ~^tmp-(?<who>\\w+)$ $who; }
    error_page 500 502 503 504 /50x.html;
    server {
      listen 127.0.0.1:${port};
      sluice_listener ${door};
      rewrite ^/server/(.*)$ /pub?id=$1 last;
      location = /stats { push_stream_channels_statistics; push_stream_channels_path $arg_id; }
      location = /pub { ${PUB} }
      location /old/ { rewrite ^/old/(.*)$ /pub?id=old-$1? last; }
      location ~ ^/sub/(.*)$ { push_stream_subscriber; push_stream_channels_path $1;
        push_stream_header_template "h"; }
      location ~ ^/ws/(.*)$ { push_stream_subscriber websocket; push_stream_channels_path $1; }
      location /comet/ { rewrite ^/comet/(.*)$ /sub/$1 last; }
      location /socket/ { rewrite ^/socket/(.*)$ /ws/$1 last; }
      location = /inner { internal; ${PUB} }
      location = /through { rewrite ^ /inner last; }
      location = /tried { try_files /none @inner; }
      location @inner { ${PUB} }
      location = /mapped { if ($may = 0) { return 403; } push_stream_publisher;
        push_stream_channels_path $may; push_stream_store_messages on; }
      location = /posts { limit_except POST { deny all; } ${PUB} }
      location = /either { satisfy any; allow 127.0.0.9; deny all; auth_basic r;
        auth_basic_user_file ${folder}/users; error_page 401 /login; ${PUB} }
      location = /login { internal; return 200 "please"; }
      location = /closed { if (-f ${folder}/closed) { return 503; } ${PUB} }
      location = /small { client_max_body_size 8; error_page 413 /large; ${PUB} }
      location = /large { internal; return 200 "too large"; }
    }
  }`;
  };

describe.each([
  [1, "wire"],
  [2, "wire"],
  [1, "native"],
] as const)("%d worker(s), the %s listener", (workers, door) => {
  let server: RunningServer;
  beforeAll(async () => {
    server = await startNginx(conf(workers, door));
  });
  afterAll(async () => {
    await server?.stop();
  });

  const to = (path: string, request: RawRequest = {}, from?: string) => ask(server.port, path, request, from);
  const post = (path: string, headers: RawRequest["headers"] = {}, from?: string) =>
    to(path, { method: "POST", body: "hello", headers }, from);
  const stored = async (channel: string): Promise<number> => {
    const { status, body } = await to(`/stats?id=${channel}`);
    return status === 404 ? 0 : Number(JSON.parse(body.toString()).stored_messages);
  };

  test.each([
    ["/server/a1", "a1"],
    ["/old/a2?id=ignored", "old-a2"],
    ["/through?id=a3", "a3"],
    ["/tried?id=a4", "a4"],
  ])("%s publishes to %s", async (path, channel) => {
    expect((await post(path)).status).toBe(200);
    expect(await stored(channel)).toBe(1);
  });

  test("an internal publisher is nobody's from outside", async () => {
    expect((await post("/inner?id=b1")).status).toBe(404);
    expect(await stored("b1")).toBe(0);
  });

  test("a map guards, and names the channel", async () => {
    expect((await post("/mapped")).status).toBe(403);
    expect((await post("/mapped", { "x-key": "SECRET" })).status).toBe(200);
    expect((await post("/mapped", { "x-key": "tmp-ann" })).status).toBe(200);
    expect([await stored("1"), await stored("ann"), await stored("0")]).toEqual([1, 1, 0]);
  });

  test("methods, passwords and files guard", async () => {
    expect((await post("/posts?id=c1")).status).toBe(200);
    expect((await to("/posts?id=c1", { method: "DELETE" })).status).toBe(403);
    expect((await to("/posts?id=c1")).status).toBe(403);
    const refused = await post("/either?id=c2");
    expect([refused.status, refused.body.toString()]).toEqual([401, "please"]);
    expect(refused.fields.get("www-authenticate")).toBe('Basic realm="r"');
    expect((await post("/either?id=c2", USER)).status).toBe(200);
    expect((await post("/either?id=c2", {}, "127.0.0.9")).status).toBe(200);
    expect(await stored("c2")).toBe(2);
    expect((await post("/closed?id=c3")).status).toBe(200);
    writeFileSync(join(server.folder, "closed"), "");
    expect((await post("/closed?id=c3")).status).toBe(503);
    rmSync(join(server.folder, "closed"));
    expect(await stored("c3")).toBe(1);
  });

  test("a body that is too large has its page, and a connection is good afterwards or ends", async () => {
    const answer = await to("/small?id=d1", { method: "POST", body: "more than eight bytes" });
    expect([answer.status, answer.body.toString()]).toEqual([413, "too large"]);
    expect(await stored("d1")).toBe(0);
  });

  test("streams and sockets behind a rewrite", async () => {
    const stream = await RawConnection.open(server.port);
    stream.request("/comet/e1");
    await stream.head();
    await until("its header", () => stream.peek().includes("h"));
    const socket = await RawWebSocket.open(server.port, "/socket/e1");
    await until("both stand", async () => {
      const { body } = await to("/stats?id=e1");
      return body.toString().includes('"subscribers": "2"') || /"subscribers":\s*"?2/.test(body.toString());
    });
    await post("/pub?id=e1");
    expect((await socket.frame()).payload.toString()).toBe("hello");
    await until("the stream has it", () => stream.peek().includes("hello"));
    stream.close();
    socket.close();
  });

  describe("many at once on one connection", () => {
    test("are answered in their order, by whichever location", async () => {
      const connection = await RawConnection.open(server.port);
      connection.request("/pub?id=f1", { method: "POST", body: "1" });
      connection.request("/inner?id=f1", { method: "POST", body: "2" });
      connection.request("/server/f1", { method: "POST", body: "3" });
      connection.request("/either?id=f1", { method: "POST", body: "4" });
      const statuses: number[] = [];
      for (let i = 0; i < 4; i++) statuses.push((await connection.answer("POST")).status);
      connection.close();
      expect(statuses).toEqual([200, 404, 200, 401]);
      expect(await stored("f1")).toBe(2);
    });
  });
});
