/**
 * `sluice convert --keep-nginx --address unix:…`: Debian's nginx passes push on through a unix socket. The
 * locations are of the forms that decide among each other (`^~`, regexes inside and outside of it, plain
 * prefixes), some of push and some not: both sides must choose the same.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ask, RawConnection } from "../binary/raw-client.ts";
import { binary, freePort, until } from "../binary/running-server.ts";
import { runSluice } from "../cli/run-sluice.ts";
import { temporaryPaths } from "../nginx-temporary.ts";

setDefaultTimeout(60_000);

const folder = mkdtempSync(join(tmpdir(), "sluice-unix-"));
const out = join(folder, "out");
const port = freePort();
const POLL = "push_stream_subscriber polling; push_stream_channels_path";
const PUB = "push_stream_publisher admin; push_stream_store_messages on; push_stream_channels_path";
let children: Bun.Subprocess[] = [];

const CONF = `worker_processes 1; daemon off; master_process off;
pid ${folder}/nginx.pid;
error_log ${folder}/error.log;
events { worker_connections 256; }
http {
  push_stream_shared_memory_size 8m;
  access_log off;
  ${temporaryPaths(folder)}
  server {
    listen 127.0.0.1:${port};
    location ^~ /pub { ${PUB} $arg_id; }
    location ^~ /sub/site/ { return 200 "site"; }
    location ~ ^/sub/(.*)$ { ${POLL} $1; }
    location /sub/plain { ${POLL} plain; }
    location ~ \\.html$ { return 200 "page"; }
    location /prefix/ { ${POLL} prefix; location ~ ^/prefix/re-(.*)$ { ${POLL} $1; }
      location /prefix/site { return 200 "inner site"; } }
    location ^~ /final/ { ${POLL} final; location ~ /(in.*)$ { ${POLL} $1; } }
    location ~ /final/x { ${POLL} never; }
    location = /final/exact { ${POLL} exact; }
    location /site/ { return 200 "outer site"; location ~ ^/site/(push.*)$ { ${POLL} $1; } }
  }
}
`;

beforeAll(async () => {
  const file = join(folder, "nginx.conf");
  writeFileSync(file, CONF);
  const socket = join(folder, "s.sock");
  const { code, err } = await runSluice([
    "convert",
    "--keep-nginx",
    file,
    "--out",
    out,
    "--address",
    `unix:${socket}`,
  ]);
  expect([code, err]).toEqual([0, ""]);
  const spawn = (...command: string[]) =>
    Bun.spawn(command, {
      env: { ...process.env, RUNTIME_DIRECTORY: folder },
      stdin: "ignore",
      stdout: "ignore",
      stderr: Bun.file(join(folder, `${children.length}.log`)),
    });
  children.push(spawn(binary, "serve", "--config", join(out, "sluice.toml")));
  await until("sluice listens", () => existsSync(socket));
  children.push(
    spawn("nginx", "-p", folder, "-c", join(out, "nginx/nginx.conf"), "-e", join(folder, "e.log")),
  );
  await until("nginx listens", async () => {
    const connection = await RawConnection.open(port).catch(() => null);
    connection?.close();
    return connection !== null;
  });
});
afterAll(async () => {
  for (const child of children) {
    child.kill();
    await child.exited;
  }
  children = [];
  rmSync(folder, { recursive: true, force: true });
});

test.each([
  ["/sub/a", "a"],
  ["/sub/site/a", "site"],
  // The regex comes before the plain prefix.
  ["/sub/plain", "plain"],
  ["/sub/x.html", "x.html"],
  ["/x.html", "page"],
  ["/prefix/y", "prefix"],
  ["/prefix/re-z", "z"],
  ["/prefix/site", "inner site"],
  ["/prefix/x.html", "page"],
  ["/final/y", "final"],
  ["/final/in-1", "in-1"],
  ["/final/x", "final"],
  ["/final/exact", "exact"],
  ["/final/x.html", "final"],
  ["/site/a", "outer site"],
  ["/site/push-1", "push-1"],
])("%s is what nginx with the module would choose: %s", async (path, wanted) => {
  const published = await ask(port, `/pub?id=${wanted.replaceAll(" ", "_")}`, {
    method: "POST",
    body: `to ${wanted}`,
  });
  expect(published.status).toBe(200);
  const { status, body } = await ask(port, path, {
    headers: { "If-Modified-Since": "Thu, 01 Jan 1970 00:00:00 GMT" },
  });
  const text = body.toString();
  expect(status).toBe(200);
  expect(["site", "page", "inner site", "outer site"].includes(wanted) ? text : text.trim()).toContain(
    wanted,
  );
});
