// What a page of the console costs the server that it watches, and how smooth it is meanwhile: the same load
// with the page open and without it in turns, the difference of the worker's CPU as a share of one core. The
// page lists channels, its dearest view, in a real Chromium, which uses cores of the same machine: CPU time
// is compared, not the wall clock. What a console costs that nobody looks at (a sample a second) is in both.

import { existsSync } from "node:fs";
import { type Browser, chromium, type Page } from "playwright-core";
import type { Peer } from "../peers/peer.ts";
import type { Plan } from "../plan.ts";
import { median, withRange } from "../statistics.ts";
import { crowdShares, during, type Stand, stand, strike, type Work } from "./crowd.ts";
import { notMeasured, orFailed, type Peers, type Row, type RowResult, together } from "./row.ts";

const CHROMIUM = process.env["SLUICE_TEST_BROWSER"] ?? "/usr/bin/chromium";
const SUBSCRIBERS_A_CHANNEL = 5;
const MOST_PERCENT = 2;
/** Dropped frames that an eye sees: a tenth of a second. */
const MOST_TASK_MS = 100;
const FIGURE = "console";
const TARGET = `at most ${MOST_PERCENT} % of a core, no task of the page over ${MOST_TASK_MS} ms`;

interface Smooth {
  /** Milliseconds. */
  readonly longestTask: number;
  readonly longestFrame: number;
  readonly frames: number;
}

/** Counts in the page, from the next `begin` on. */
const WATCH = `
  globalThis.watched = { longestTask: 0, longestFrame: 0, frames: 0 };
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries())
      watched.longestTask = Math.max(watched.longestTask, duration);
  }).observe({ type: "longtask" });
  let before = performance.now();
  const frame = (now) => {
    watched.longestFrame = Math.max(watched.longestFrame, now - before);
    watched.frames++;
    before = now;
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);`;
const BEGIN = "Object.assign(watched, { longestTask: 0, longestFrame: 0, frames: 0 })";

async function openPage(browser: Browser, port: number): Promise<Page> {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  await page.addInitScript(WATCH);
  await page.goto(`http://127.0.0.1:${port}/console/#channels`);
  await page.locator("#channels tr").nth(50).waitFor();
  return page;
}

interface Rounds {
  readonly closed: readonly Work[];
  readonly open: readonly Work[];
  readonly smooth: readonly Smooth[];
}

async function measure(peer: Peer, plan: Plan): Promise<Rounds> {
  const channels = plan.connections / SUBSCRIBERS_A_CHANNEL;
  const hz = plan.connections / 2;
  const stands: Stand[] = [];
  const browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: ["--no-sandbox", "--disable-gpu"],
  });
  const closed: Work[] = [];
  const open: Work[] = [];
  const smooth: Smooth[] = [];
  try {
    const own = await stand(peer, [{ transport: "ws", channels, sources: 2 }], { console: true });
    stands.push(own);
    for (const crowd of own.crowds) await crowd.grow(plan.connections, 128);
    const load = (): Promise<Work> => during(own, (crowd) => crowd.pace(hz, plan.latencyMs));
    await during(own, (crowd) => crowd.pace(hz, plan.warmUpMs));
    for (let round = 0; round < plan.rounds; round++) {
      closed.push(await load());
      const page = await openPage(browser, own.server.port);
      await page.evaluate(BEGIN);
      open.push(await load());
      smooth.push(await page.evaluate("({ ...watched })"));
      await page.close();
    }
    return { closed, open, smooth };
  } finally {
    await browser.close();
    await strike(stands);
  }
}

export const consoleRow: Row = {
  name: "console",
  async run(peers: Peers, plan: Plan) {
    const figure = `${FIGURE}: ${plan.connections} WebSockets, ${plan.connections / 2} messages/s`;
    if (peers.doors.length === 0 || !existsSync(CHROMIUM))
      return { lines: [notMeasured(figure, TARGET)], notes: [] };
    const results: RowResult[] = [];
    for (const peer of peers.doors) {
      const own = `${figure}, ${peer.name}`;
      results.push(
        await orFailed(own, TARGET, async () => describe(own, peer.name, await measure(peer, plan))),
      );
    }
    return together(results);
  },
};

const percentOf = ({ cpuUs, wallUs }: Work): number => (100 * cpuUs) / wallUs;

function describe(figure: string, name: string, { closed, open, smooth }: Rounds): RowResult {
  const costs = open.map((work, round) => percentOf(work) - percentOf(closed[round] ?? work));
  const task = Math.max(...smooth.map(({ longestTask }) => longestTask));
  const frame = Math.max(...smooth.map(({ longestFrame }) => longestFrame));
  const each = open.map(({ wallUs }, round) => ((smooth[round]?.frames ?? 0) * 1e6) / wallUs);
  return {
    lines: [
      {
        figure,
        target: TARGET,
        measured:
          `${withRange(costs)} %; ` +
          `longest task ${task.toFixed(0)} ms, longest frame ${frame.toFixed(0)} ms`,
        met: median(costs) <= MOST_PERCENT && task <= MOST_TASK_MS,
      },
    ],
    notes: [
      `console, ${name}: without a page ${withRange(closed.map(percentOf), 1)} % of a ` +
        `core, with one ${withRange(open.map(percentOf), 1)} %; ` +
        `${withRange(each, 0)} frames/s; ${crowdShares(open)}`,
    ],
  };
}
