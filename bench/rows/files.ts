// Static files: GET requests a second for a file of 1 kB, sluice and nginx with the very same nginx.conf, one
// worker each, 32 keep-alive connections. The client is wrk (Debian's package of that name), which both are
// measured with.

import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { temporaryPaths } from "../../test/nginx-temporary.ts";
import { Server, takePort } from "../peers/peer.ts";
import { pinnedBinary } from "../peers/sluice.ts";
import type { Plan } from "../plan.ts";
import { median, ratios, withRange } from "../statistics.ts";
import { notMeasured, type Peers, type Row } from "./row.ts";

const CONNECTIONS = 32;
const SHARE = 0.5;
const FIGURE = "GET requests/s of a 1 kB file, 32 connections";
const TARGET = `at least ${SHARE}x nginx`;

const PATH = `${process.env["PATH"] ?? ""}:/usr/sbin`;

const configuration = (folder: string, port: number): string => `
daemon off;
worker_processes 1;
pid ${folder}/${port}.pid;
error_log ${folder}/error.log warn;
events { worker_connections 1024; }
http {
  access_log off;
  sendfile on;
  tcp_nopush on;
  open_file_cache max=1000;
  keepalive_requests 1000000000;
  types { text/html html; text/plain txt; }
  ${temporaryPaths(folder)}
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location / { root ${folder}/htdocs; }
  }
}
`;

async function start(command: (file: string) => readonly string[], folder: string): Promise<Server> {
  const port = takePort();
  const file = join(folder, `${port}.conf`);
  writeFileSync(file, configuration(folder, port));
  return await new Server(port, [...command(file)], () => undefined, { RUNTIME_DIRECTORY: folder }).ready(1);
}

/** Requests a second, as wrk counts them. */
async function rate(port: number, ms: number): Promise<number> {
  const url = `http://127.0.0.1:${port}/file.txt`;
  const seconds = Math.max(1, Math.round(ms / 1000));
  const command = ["wrk", "-t1", `-c${CONNECTIONS}`, `-d${seconds}s`, url];
  const child = Bun.spawn(command, { stdin: "ignore", stdout: "pipe", stderr: "inherit", timeout: 60_000 });
  const text = await new Response(child.stdout).text();
  if (/Non-2xx|Socket errors/.test(text)) throw new Error(`wrk: ${text}`);
  return Number(/Requests\/sec:\s+([\d.]+)/.exec(text)?.[1]);
}

export const filesRow: Row = {
  name: "files",
  async run(peers: Peers, plan: Plan) {
    const nginx = Bun.which("nginx", { PATH });
    if (peers.doors.length === 0 || nginx === null || Bun.which("wrk") === null)
      return { lines: [notMeasured(FIGURE, TARGET)], notes: ["files: needs nginx and wrk"] };
    const folder = mkdtempSync(join(tmpdir(), "sluice-bench-files-"));
    // nginx started by root reads files as somebody else.
    chmodSync(folder, 0o755);
    await Bun.write(join(folder, "htdocs/file.txt"), "x".repeat(1024));
    const servers = [
      await start((file) => [pinnedBinary(), "serve", "--config", file], folder),
      await start((file) => [nginx, "-p", folder, "-c", file, "-e", join(folder, "error.log")], folder),
    ];
    const [ours = [], theirs = []]: number[][] = servers.map(() => []);
    try {
      for (const server of servers) await rate(server.port, plan.warmUpMs);
      for (let round = 0; round < plan.rounds; round++) {
        for (const [i, server] of servers.entries())
          (i === 0 ? ours : theirs).push(await rate(server.port, plan.sampleMs));
      }
    } finally {
      for (const server of servers) await server.stop();
      rmSync(folder, { recursive: true, force: true });
    }
    const factors = ratios(ours, theirs);
    const [own, other] = [median(ours).toFixed(0), median(theirs).toFixed(0)];
    const measured = `${withRange(factors)}x: ${own} against ${other}`;
    return {
      lines: [{ figure: FIGURE, target: TARGET, measured, met: median(factors) >= SHARE }],
      notes: [],
    };
  },
};
