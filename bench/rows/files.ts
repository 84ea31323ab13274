// Static files: GET requests a second for a file of 1 kB, sluice and nginx with the very same nginx.conf, one
// worker each, 32 keep-alive connections. The client is wrk (Debian's package of that name), which both are
// measured with.

import { join } from "node:path";
import { Ground, hasNginxAndWrk, wrk } from "../peers/same-conf.ts";
import type { Plan } from "../plan.ts";
import { median, ratios, withRange } from "../statistics.ts";
import { notMeasured, type Peers, type Row } from "./row.ts";

const CONNECTIONS = 32;
const SHARE = 0.5;
const FIGURE = "GET requests/s of a 1 kB file, 32 connections";
const TARGET = `at least ${SHARE}x nginx`;
const HTTP = `sendfile on; tcp_nopush on; open_file_cache max=1000;
  types { text/html html; text/plain txt; }`;

const rate = async (port: number, ms: number): Promise<number> =>
  (await wrk(`http://127.0.0.1:${port}/file.txt`, CONNECTIONS, ms)).perSec;

export const filesRow: Row = {
  name: "files",
  async run(peers: Peers, plan: Plan) {
    if (peers.doors.length === 0 || !hasNginxAndWrk)
      return { lines: [notMeasured(FIGURE, TARGET)], notes: ["files: needs nginx and wrk"] };
    const ground = new Ground("files");
    await Bun.write(join(ground.folder, "htdocs/file.txt"), "x".repeat(1024));
    const conf = { http: HTTP, locations: `location / { root ${ground.folder}/htdocs; }` };
    const servers = [await ground.start("sluice", conf), await ground.start("nginx", conf)];
    const [ours = [], theirs = []]: number[][] = servers.map(() => []);
    try {
      for (const server of servers) await rate(server.port, plan.warmUpMs);
      for (let round = 0; round < plan.rounds; round++) {
        for (const [i, server] of servers.entries())
          (i === 0 ? ours : theirs).push(await rate(server.port, plan.sampleMs));
      }
    } finally {
      for (const server of servers) await server.stop();
      ground.remove();
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
