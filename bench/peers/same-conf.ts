// sluice and nginx with the very same nginx.conf, one worker each, and wrk (Debian's package of that name) as
// the client of both. Used by the rows "files" and "proxy".
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { temporaryPaths } from "../../test/nginx-temporary.ts";
import { Server, takePort } from "./peer.ts";
import { pinnedBinary } from "./sluice.ts";

const nginx = Bun.which("nginx", { PATH: `${process.env["PATH"] ?? ""}:/usr/sbin` });

/** Whether this machine has both. */
export const hasNginxAndWrk = nginx !== null && Bun.which("wrk") !== null;

export interface Conf {
  /** Directives of `http`. */
  readonly http: string;
  /** Locations of its one server. */
  readonly locations: string;
}

/** Where the servers of one row have their files. */
export class Ground {
  readonly folder: string;

  constructor(row: string) {
    this.folder = mkdtempSync(join(tmpdir(), `sluice-bench-${row}-`));
    // nginx started by root reads files as somebody else.
    chmodSync(this.folder, 0o755);
  }

  start(peer: "sluice" | "nginx", { http, locations }: Conf): Promise<Server> {
    const { folder } = this;
    const port = takePort();
    const file = join(folder, `${port}.conf`);
    writeFileSync(
      file,
      `daemon off;
worker_processes 1;
pid ${folder}/${port}.pid;
error_log ${folder}/error.log warn;
events { worker_connections 1024; }
http {
  access_log off;
  keepalive_requests 1000000000;
  ${temporaryPaths(folder)}
  ${http}
  server {
    listen 127.0.0.1:${port} backlog=4096;
    ${locations}
  }
}
`,
    );
    const command =
      peer === "sluice"
        ? [pinnedBinary(), "serve", "--config", file]
        : [nginx ?? "nginx", "-p", folder, "-c", file, "-e", join(folder, "error.log")];
    return new Server(port, command, () => undefined, { RUNTIME_DIRECTORY: folder }).ready(1);
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** What wrk counted; an answer that is none is an error. */
export async function wrk(
  url: string,
  connections: number,
  ms: number,
): Promise<{ requests: number; perSec: number }> {
  const seconds = Math.max(1, Math.round(ms / 1000));
  const command = ["wrk", "-t1", `-c${connections}`, `-d${seconds}s`, url];
  const child = Bun.spawn(command, { stdin: "ignore", stdout: "pipe", stderr: "inherit", timeout: 60_000 });
  const text = await new Response(child.stdout).text();
  if (/Non-2xx|Socket errors/.test(text)) throw new Error(`wrk: ${text}`);
  return {
    requests: Number(/(\d+) requests in/.exec(text)?.[1]),
    perSec: Number(/Requests\/sec:\s+([\d.]+)/.exec(text)?.[1]),
  };
}
