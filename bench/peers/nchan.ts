// Nchan (nginx module) as a contender: Debian's packages, own prefix and config in a temp folder, loopback
// only, master + one worker, tuned for this load: no access log, unlimited keep-alive requests, no ping,
// messages stored as sluice stores them. "stream" is http-raw-stream: the cheaper of its two stream forms
// here (chunked: +0.6 us).

import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { temporaryPaths } from "../../test/nginx-temporary.ts";
import type { Certificate } from "./certificate.ts";
import { type Peer, Server, type Transport, takePort } from "./peer.ts";

const MODULE = "/usr/lib/nginx/modules/ngx_nchan_module.so";
const LOCATIONS: Record<Transport, string> = {
  stream: "http-raw-stream",
  ws: "websocket",
  sse: "eventsource",
  longpoll: "longpoll",
};

function nginx(): string | null {
  return Bun.which("nginx", { PATH: `${process.env["PATH"] ?? ""}:/usr/sbin` });
}

function configuration(folder: string, port: number, workers: number, certificate?: Certificate): string {
  const subscribers = Object.entries(LOCATIONS).map(
    ([transport, kind]) => `
    location ~ ^/${transport}/(.*)$ {
      nchan_subscriber ${kind}; nchan_channel_id $1; nchan_channel_id_split_delimiter "/";
      nchan_subscriber_first_message newest;
    }`,
  );

  const tls =
    certificate === undefined
      ? ""
      : `\n    ssl_certificate ${certificate.chain}; ` +
        `ssl_certificate_key ${certificate.key}; ssl_session_cache off;`;
  return `load_module ${MODULE};
daemon off;
worker_processes ${workers};
worker_rlimit_nofile 20000;
pid ${folder}/nginx.pid;
error_log ${folder}/error.log warn;
events { worker_connections 16384; use epoll; }
http {
  access_log off;
  tcp_nodelay on;
  keepalive_timeout 600s;
  keepalive_requests 1000000000;
  ${temporaryPaths(folder)}
  nchan_shared_memory_size 128M;
  nchan_message_buffer_length 100;
  nchan_message_timeout 10m;
  server {
    listen 127.0.0.1:${port}${tls === "" ? "" : " ssl"} backlog=4096;${tls}
    location = /pub { nchan_publisher http; nchan_channel_id $arg_id; nchan_store_messages on; }
    ${subscribers.join("")}
  }
}
`;
}

export const nchan: Peer = {
  name: "nchan",
  async missing() {
    if (nginx() !== null && existsSync(MODULE)) return null;
    return "Nchan is not installed: apt-get install nginx libnginx-mod-nchan";
  },
  async start({ workers = 1, certificate } = {}) {
    const executable = nginx();
    if (executable === null) throw new Error("nginx is not installed");
    const folder = mkdtempSync(join(tmpdir(), "sluice-bench-nchan-"));
    const port = takePort();
    writeFileSync(join(folder, "nginx.conf"), configuration(folder, port, workers, certificate));
    // -e: without it nginx opens the packaged error log before it reads the config.
    const command = [
      executable,
      "-p",
      folder,
      "-c",
      join(folder, "nginx.conf"),
      "-e",
      join(folder, "error.log"),
    ];
    const server = new Server(port, command, () => rmSync(folder, { recursive: true, force: true }));
    return server.ready(workers);
  },
  subscribePath: (transport, channel) => `/${transport}/${channel}`,
};
