// A request passed on to a backend and its answer back: CPU of the worker a request, sluice and nginx with
// the very same nginx.conf, in front of one nginx that answers 100 bytes. Once with a new connection to the
// backend for each request, as nginx does unless it is told otherwise, and once with connections that are
// kept. The client is wrk.

import type { Server } from "../peers/peer.ts";
import { type Conf, Ground, hasNginxAndWrk, wrk } from "../peers/same-conf.ts";
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

const BACKEND: Conf = { http: "", locations: `location / { return 200 "${"x".repeat(100)}"; }` };
const before = (backend: number): Conf => ({
  http: `upstream kept { server 127.0.0.1:${backend}; keepalive 32; }`,
  locations: `location / { proxy_pass http://127.0.0.1:${backend}; }
    location /kept/ { proxy_http_version 1.1; proxy_set_header Connection ""; proxy_pass http://kept; }`,
});

/** Microseconds of the workers for each request. */
async function cost({ port, workerPids }: Server, path: string, ms: number): Promise<number> {
  const startUs = cpuUs(workerPids);
  const { requests } = await wrk(`http://127.0.0.1:${port}${path}`, CONNECTIONS, ms);
  return (cpuUs(workerPids) - startUs) / requests;
}

export const proxyRow: Row = {
  name: "proxy",
  async run(peers: Peers, plan: Plan) {
    if (peers.doors.length === 0 || !hasNginxAndWrk)
      return {
        lines: FIGURES.map((figure) => notMeasured(figure, TARGET)),
        notes: ["proxy: needs nginx and wrk"],
      };
    const ground = new Ground("proxy");
    const backend = await ground.start("nginx", BACKEND);
    const conf = before(backend.port);
    const servers = [await ground.start("sluice", conf), await ground.start("nginx", conf)];
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
      ground.remove();
    }
    return { lines, notes: [] };
  },
};
