/**
 * The compiled binary started with an nginx.conf and nothing else, as somebody does who stops nginx and
 * starts sluice. Used by the suites in this folder; `forWorkers` runs one suite with one worker and with two.
 */
import { describe } from "bun:test";
import { existsSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { binary, freePort, RunningServer, until } from "../binary/running-server.ts";

export interface NginxParts {
  readonly workers?: number;
  /** Top of the file. */
  readonly main?: string;
  /** In http, before the server; a memory size and a default type are there already. */
  readonly http?: string;
  /** In the server, before its locations. */
  readonly server?: string;
  /** Locations besides /pub (admin, `$arg_id`) and /channels-stats. */
  readonly locations?: string;
  /** Directives in /pub besides role and path; without it messages are stored. */
  readonly pub?: string;
  /** Instead of `push_stream_shared_memory_size 10m; default_type text/html;`. */
  readonly basics?: string;
}

/** An nginx.conf with the parts given, listening on the port; pid and log files lie in the folder. */
export const nginxConf = (port: number, folder: string, parts: NginxParts): string => `
worker_processes ${parts.workers ?? 2};
pid ${folder}/nginx.pid;
error_log ${folder}/error.log debug;
${parts.main ?? ""}
events { worker_connections 1024; use epoll; }
http {
  access_log ${folder}/access.log;
  ${parts.basics ?? "push_stream_shared_memory_size 10m; default_type text/html;"}
  ${parts.http ?? ""}
  server {
    listen 127.0.0.1:${port};
    server_name localhost;
    ${parts.server ?? ""}
    location /channels-stats { push_stream_channels_statistics; push_stream_channels_path $arg_id; }
    location /pub {
      push_stream_publisher admin;
      push_stream_channels_path $arg_id;
      ${parts.pub ?? "push_stream_store_messages on;"}
    }
    ${parts.locations ?? ""}
  }
}
`;

const READY_WITHIN_MS = 15_000;

/** Starts it and waits until all workers serve. Throws with the log when it does not. */
export async function startNginx(parts: NginxParts | ((port: number, folder: string) => string)) {
  const started = spawnNginx(parts);
  await until(
    "sluice serves",
    () => {
      if (started.process.exitCode !== null)
        throw new Error(`sluice ended with ${started.process.exitCode}:\n${started.log}`);
      return started.log.includes(": serving ") || existsSync(join(started.folder, "nginx.pid"));
    },
    READY_WITHIN_MS,
  );
  return started;
}

/** Starts it and does not wait: for configurations that are refused. */
export function spawnNginx(parts: NginxParts | ((port: number, folder: string) => string)): RunningServer {
  if (!existsSync(binary)) throw new Error("dist/sluice is missing: bun run build");
  const port = freePort();
  const folder = mkdtempSync(join(tmpdir(), "sluice-nginx-"));
  const file = join(folder, "nginx.conf");
  writeFileSync(file, typeof parts === "function" ? parts(port, folder) : nginxConf(port, folder, parts));
  const child = Bun.spawn([binary, "serve", "--config", file], {
    env: { ...process.env, RUNTIME_DIRECTORY: folder },
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
  });
  return new RunningServer(port, folder, file, child);
}

/** The suite, with one worker and with two. */
export function forWorkers(title: string, suite: (workers: number) => void): void {
  describe.each([1, 2])(`${title}, %d worker(s)`, suite);
}
