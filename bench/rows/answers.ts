// Answers that survive a reconnect against the same tokens as plain streams of a handler: server CPU a token,
// one worker, one watcher each.

import { runClient } from "../load/client.ts";
import type { Server } from "../peers/peer.ts";
import type { Plan } from "../plan.ts";
import { cpuUs } from "../process-figures.ts";
import { median, ratios, withRange } from "../statistics.ts";
import { startHandlers } from "./handlers.ts";
import { notMeasured, type Peers, type Row } from "./row.ts";

const TOKENS_A_SEC = 20;
const SHARE = 1.5;
/**
 * Before anything is measured: until some 150,000 tokens a path have gone by, a third of the CPU is the
 * engine's compiler, which has nothing to do a minute later.
 */
const WARM_TOKENS = 150_000;
const WARM_MS = 5;

interface Size {
  readonly streams: number;
  readonly tokens: number;
  readonly rounds: number;
}

/**
 * As many at once in either plan: with fewer a worker sleeps between two tokens, and what it finds cold when
 * it wakes is most of what is measured, of both.
 */
const sizeOf = ({ connections }: Plan): Size => ({
  streams: 1000,
  tokens: connections >= 10_000 ? 200 : 100,
  rounds: 3,
});

let run = 0;

async function costUs(
  server: Server,
  path: string,
  { streams, tokens }: Size,
  ms = 1000 / TOKENS_A_SEC,
): Promise<number> {
  const before = cpuUs(server.workerPids);
  const query = `n=${tokens}&ms=${ms}&ch=bench-${run++}-#`;
  const { failed = 1, received = 1 } = await runClient(
    "tokens-client.ts",
    server.port,
    `${path}?${query}`,
    streams,
    tokens,
  );
  if (failed > 0) throw new Error(`${failed} of ${streams} streams of ${path} were not whole`);
  return (cpuUs(server.workerPids) - before) / received;
}

export const answersRow: Row = {
  name: "answers",
  async run(peers: Peers, plan: Plan) {
    const size = sizeOf(plan);
    const { streams, tokens } = size;
    const figure = `CPU a token, ${streams} answers of ${tokens} tokens at ${TOKENS_A_SEC}/s, 1 worker`;
    const target = `at most ${SHARE}x plain streams`;
    if (peers.doors.length === 0) return { lines: [notMeasured(figure, target)], notes: [] };
    const server = await startHandlers();
    const answers: number[] = [];
    const plain: number[] = [];
    try {
      const warm = { ...size, tokens: Math.ceil(WARM_TOKENS / size.streams) };
      for (const path of ["/tokens", "/answer"]) await costUs(server, path, warm, WARM_MS);
      for (let round = 0; round < size.rounds; round++) {
        plain.push(await costUs(server, "/tokens", size));
        answers.push(await costUs(server, "/answer", size));
      }
    } finally {
      await server.stop();
    }
    const shares = ratios(answers, plain);
    const [own, other] = [median(answers).toFixed(1), median(plain).toFixed(1)];
    const measured = `${withRange(shares)}x: ${own} us against ${other} us`;
    return { lines: [{ figure, target, measured, met: median(shares) <= SHARE }], notes: [] };
  },
};
