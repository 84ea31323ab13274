// A request passed on to a backend and its answer back: CPU of the worker a request, sluice and nginx with
// the very same nginx.conf, in front of one nginx that answers 100 bytes. Once with a new connection to the
// backend for each request, as nginx does unless it is told otherwise, and once with connections that are
// kept. The client is wrk.

import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { temporaryPaths } from "../../test/nginx-temporary.ts";
import { Server, takePort } from "../peers/peer.ts";
import { pinnedBinary } from "../peers/sluice.ts";
import type { Plan } from "../plan.ts";
import { cpuUs } from "../process-figures.ts";
import { median, ratios, withRange } from "../statistics.ts";
import { notMeasured, type Peers, type Row } from "./row.ts";

const CONNECTIONS = 16;
const MOST = 2;
const TARGET = `at most ${MOST}x nginx`;
const SHAPES = [
  ["a request passed on, a connection each", "/"],
  ["a request passed on, kept connections", "/kept/"],
] as const;
const FIGURES = SHAPES.map(([what]) => `CPU of ${what}`);
const PATH = `${process.env["PATH"] ?? ""}:/usr/sbin`;

const configuration = (folder: string, port: number, backend: number): string => `
daemon off;
worker_processes 1;
pid ${folder}/${port}.pid;
error_log ${folder}/error.log warn;
events { worker_connections 1024; }
http {
  access_log off;
  keepalive_requests 1000000000;
  ${temporaryPaths(folder)}
  ${backend === 0 ? "" : `upstream kept { server 127.0.0.1:${backend}; keepalive 32; }`}
  server {
    listen 127.0.0.1:${port} backlog=4096;
    ${
      backend === 0
        ? `location / { return 200 "${"x".repeat(100)}"; }`
        : `location / { proxy_pass http://127.0.0.1:${backend}; }
    location /kept/ { proxy_http_version 1.1; proxy_set_header Connection ""; proxy_pass http://kept; }`
    }
  }
}
`;

async function start(
  command: (file: string) => readonly string[],
  folder: string,
  backend: number,
): Promise<Server> {
  const port = takePort();
  const file = join(folder, `${port}.conf`);
  writeFileSync(file, configuration(folder, port, backend));
  return await new Server(port, [...command(file)], () => undefined, { RUNTIME_DIRECTORY: folder }).ready(1);
}

/** Microseconds of the workers for each request. */
async function cost({ port, workerPids }: Server, path: string, ms: number): Promise<number> {
  const seconds = Math.max(1, Math.round(ms / 1000));
  const url = `http://127.0.0.1:${port}${path}`;
  const before = cpuUs(workerPids);
  const command = ["wrk", "-t1", `-c${CONNECTIONS}`, `-d${seconds}s`, url];
  const child = Bun.spawn(command, { stdin: "ignore", stdout: "pipe", stderr: "inherit", timeout: 60_000 });
  const text = await new Response(child.stdout).text();
  if (/Non-2xx|Socket errors/.test(text)) throw new Error(`wrk: ${text}`);
  return (cpuUs(workerPids) - before) / Number(/(\d+) requests in/.exec(text)?.[1]);
}

export const proxyRow: Row = {
  name: "proxy",
  async run(peers: Peers, plan: Plan) {
    const nginx = Bun.which("nginx", { PATH });
    if (peers.doors.length === 0 || nginx === null || Bun.which("wrk") === null)
      return {
        lines: FIGURES.map((figure) => notMeasured(figure, TARGET)),
        notes: ["proxy: needs nginx and wrk"],
      };
    const folder = mkdtempSync(join(tmpdir(), "sluice-bench-proxy-"));
    chmodSync(folder, 0o755);
    const byNginx = (file: string) => [nginx, "-p", folder, "-c", file, "-e", join(folder, "error.log")];
    const backend = await start(byNginx, folder, 0);
    const servers = [
      await start((file) => [pinnedBinary(), "serve", "--config", file], folder, backend.port),
      await start(byNginx, folder, backend.port),
    ];
    const lines = [];
    try {
      for (const [i, [, path]] of SHAPES.entries()) {
        const [ours = [], theirs = []]: number[][] = servers.map(() => []);
        for (const server of servers) await cost(server, path, plan.warmUpMs);
        for (let round = 0; round < plan.rounds; round++)
          for (const [at, server] of servers.entries())
            (at === 0 ? ours : theirs).push(await cost(server, path, plan.sampleMs));
        const factors = ratios(ours, theirs);
        const measured =
          `${withRange(factors)}x: ${median(ours).toFixed(1)} us against ` +
          `${median(theirs).toFixed(1)} us`;
        lines.push({ figure: FIGURES[i] ?? "", target: TARGET, measured, met: median(factors) <= MOST });
      }
    } finally {
      for (const server of [...servers, backend]) await server.stop();
      rmSync(folder, { recursive: true, force: true });
    }
    return { lines, notes: [] };
  },
};
