/**
 * Debian's nginx as a reference. One server reads the requests with their bodies and hands them to a second
 * one, which tells how long the body was; both on sockets in a folder of their own, so no port is taken.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { temporaryPaths } from "../nginx-temporary.ts";

export interface NginxRequest {
  readonly method: string;
  /** `$request_uri`. */
  readonly target: string;
  /** `$host`: in lower case and without the port. */
  readonly host: string;
  readonly bodyBytes: number;
}

export interface NginxReading {
  readonly requests: readonly NginxRequest[];
  /** The status that nginx refused the rest with, 0 if it did not. */
  readonly refused: number;
}

/** How many connections are open at once. */
const AT_ONCE = 24;
/** Other versions differ in what they refuse. */
const VERSION = "1.22";
const FRONT = "front.sock";

const configuration = (folder: string): string => `
daemon off; master_process off; worker_processes 1;
pid ${folder}/pid; error_log ${folder}/error.log crit;
events { worker_connections 1024; }
http {
  access_log off; default_type text/plain; keepalive_requests 100000; keepalive_timeout 60s;
  lingering_timeout 100ms;
  client_header_buffer_size 16k; large_client_header_buffers 4 16k; client_max_body_size 1000;
  client_body_buffer_size 16k;
  ${temporaryPaths(folder)}
  upstream back { server unix:${folder}/back.sock; keepalive 64; }
  server {
    listen unix:${folder}/${FRONT};
    location / {
      proxy_pass http://back/; proxy_http_version 1.1; proxy_pass_request_headers off;
      proxy_set_header Connection "";
      proxy_method POST; proxy_ignore_client_abort on;
      add_header X-Seen "$request_method $request_uri $host $upstream_http_x_length";
    }
  }
  server {
    listen unix:${folder}/back.sock;
    location / { add_header X-Length "$content_length"; return 200 ""; }
  }
}
`;

export class NginxReader {
  readonly #folder: string;
  readonly #child: Bun.Subprocess;

  private constructor(folder: string, child: Bun.Subprocess) {
    this.#folder = folder;
    this.#child = child;
  }

  /** null: there is no nginx of this version here. */
  static async start(): Promise<NginxReader | null> {
    const program = Bun.which("nginx") ?? Bun.which("nginx", { PATH: "/usr/sbin:/usr/local/sbin" });
    if (program === null) return null;
    const version = Bun.spawnSync([program, "-v"], { stdout: "ignore", stderr: "pipe" }).stderr.toString();
    if (!version.includes(`/${VERSION}.`)) return null;
    const folder = mkdtempSync(join(tmpdir(), "sluice-http1-nginx-"));
    mkdirSync(join(folder, "logs"));
    writeFileSync(join(folder, "nginx.conf"), configuration(folder));
    const child = Bun.spawn([program, "-p", folder, "-c", join(folder, "nginx.conf")], {
      stdout: "ignore",
      stderr: "ignore",
    });
    const reader = new NginxReader(folder, child);
    const probe = Buffer.from("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    while (child.exitCode === null) {
      const found = await reader.#read(probe).catch(() => null);
      if (found?.requests.length === 1) return reader;
      await Bun.sleep(20);
    }
    throw new Error("nginx does not start with the configuration of this test");
  }

  async readAll(streams: readonly Uint8Array[]): Promise<NginxReading[]> {
    const readings: NginxReading[] = [];
    let next = 0;
    const work = async () => {
      while (next < streams.length) {
        const at = next++;
        readings[at] = await this.#read(streams[at]!);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    return readings;
  }

  #read(bytes: Uint8Array): Promise<NginxReading> {
    const { promise, resolve, reject } = Promise.withResolvers<NginxReading>();
    let text = "";
    const socket = connect({ path: join(this.#folder, FRONT), allowHalfOpen: true });
    socket.setEncoding("latin1");
    socket.on("data", (piece: string) => {
      text += piece;
    });
    socket.on("error", reject);
    socket.on("close", () => resolve(readAnswers(text)));
    socket.on("end", () => socket.destroy());
    socket.end(bytes);
    return promise;
  }

  async stop(): Promise<void> {
    this.#child.kill();
    await this.#child.exited;
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** The statuses in the order they came, with the line of X-Seen that belongs to each. */
function readAnswers(text: string): NginxReading {
  const requests: NginxRequest[] = [];
  let refused = 0;
  for (const [, status = "", seen] of text.matchAll(/HTTP\/1\.1 (\d{3}) |\r\nX-Seen: (.*)\r\n/g)) {
    if (seen === undefined) refused = Number(status) >= 400 ? Number(status) : 0;
    else {
      const [method = "", target = "", host = "", length = ""] = seen.split(" ");
      requests.push({ method, target, host, bodyBytes: Number(length) });
    }
  }
  return { requests, refused };
}
