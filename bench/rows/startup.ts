// Time from exec of the compiled binary to the first publish answered, with 2 workers. Connection attempts
// every millisecond from the moment of the spawn; the store is created anew each time, as on the first start
// of a machine.

import { rmSync } from "node:fs";
import { connect } from "node:net";
import { takePort } from "../peers/peer.ts";
import { doorCommand, storeFolder } from "../peers/sluice.ts";
import type { Plan } from "../plan.ts";
import { median, withRange } from "../statistics.ts";
import { notMeasured, type Peers, type Row } from "./row.ts";

const WORKERS = 2;
const LIMIT_MS = 150;
const GIVE_UP_MS = 5000;
const FIGURE = "exec to first request answered, compiled, 2 workers";
const TARGET = `at most ${LIMIT_MS} ms`;
const REQUEST = "POST /pub?id=first HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 2\r\n\r\nhi";

/** True when the server answered 200 on a new connection. */
function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(REQUEST));
    socket.once("data", (bytes) => {
      socket.destroy();
      resolve(bytes.toString("latin1", 9, 12) === "200");
    });
    socket.once("error", () => resolve(false));
    socket.once("close", () => resolve(false));
  });
}

async function startOnceMs(): Promise<number> {
  const folder = storeFolder();
  const port = takePort();
  const { command, environment } = doorCommand("native", port, folder, { workers: WORKERS });
  const env = { ...process.env, ...environment };
  const start = performance.now();
  const server = Bun.spawn(command, { stdin: "ignore", stdout: "ignore", stderr: "ignore", env });
  try {
    while (!(await answers(port))) {
      if (performance.now() - start > GIVE_UP_MS) throw new Error(`no answer within ${GIVE_UP_MS} ms`);
      await Bun.sleep(1);
    }
    return performance.now() - start;
  } finally {
    server.kill("SIGTERM");
    await server.exited;
    rmSync(folder, { recursive: true, force: true });
  }
}

export const startupRow: Row = {
  name: "startup",
  async run(peers: Peers, plan: Plan) {
    if (peers.doors.length === 0) return { lines: [notMeasured(FIGURE, TARGET)], notes: [] };
    const times: number[] = [];
    for (let n = 0; n < plan.startups; n++) times.push(await startOnceMs());
    const measured = `${withRange(times, 0)} ms, ${times.length} starts`;
    return {
      lines: [{ figure: FIGURE, target: TARGET, measured, met: median(times) <= LIMIT_MS }],
      notes: [],
    };
  },
};
