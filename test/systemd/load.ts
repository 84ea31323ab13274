/**
 * Load for a server that is restarted, killed and replaced meanwhile: one publisher that numbers its
 * messages, and many SSE readers that come back with the last id they saw, as browsers do. Started by the
 * tests on the machine's network:
 *
 *   bun load.ts PORT READERS MESSAGES_PER_SECOND
 *
 * Prints "connected" when all stand; at a line on standard input stops publishing, waits until all have
 * everything, and prints one line of JSON.
 */
import type { PublisherOrder, PublisherReport } from "./publisher.ts";
import { SseReader } from "./sse-reader.ts";

const [port = 8080, count = 10, rate = 100] = process.argv.slice(2).map(Number);
const CHANNEL = "load";
const ALL_WITHIN_MS = 30_000;

export interface Report extends Omit<PublisherReport, "uncertain"> {
  readonly readers: number;
  readonly reconnects: number;
  /** Over all readers. */
  readonly lost: number;
  readonly duplicated: number;
  readonly disordered: number;
  /** Whether every reader has the last message. */
  readonly haveAll: boolean;
  /** From the first lost connection to the first message of the last one who came back. */
  readonly recoveryMs: number;
}

const readers = Array.from({ length: count }, () => new SseReader(port, `/ev/${CHANNEL}`));
await waitFor(() => readers.every((reader) => reader.isConnected && reader.lastId !== ""));
const publisher = new Worker(new URL("./publisher.ts", import.meta.url));
const order: PublisherOrder = { url: `http://127.0.0.1:${port}/pub?id=${CHANNEL}`, rate };
publisher.postMessage(order);
console.log("connected");

for await (const _ of console) break;
await answerTo("stop");
const outcome = (await answerTo("report")) as PublisherReport;
const haveAll = await waitFor(() => readers.every((reader) => reader.lastNumber === outcome.published));
console.log(JSON.stringify(report(outcome)));
process.exit(0);

function answerTo(question: "stop" | "report"): Promise<unknown> {
  const { promise, resolve } = Promise.withResolvers<unknown>();
  publisher.onmessage = ({ data }) => resolve(data);
  publisher.postMessage(question);
  return promise;
}

async function waitFor(condition: () => boolean): Promise<boolean> {
  const deadline = Date.now() + ALL_WITHIN_MS;
  while (!condition()) {
    if (Date.now() > deadline) return false;
    await Bun.sleep(10);
  }
  return true;
}

function report({ uncertain, ...published }: PublisherReport): Report {
  const sum = (of: (reader: SseReader) => number) => readers.reduce((total, reader) => total + of(reader), 0);
  const mayRepeat = new Set(uncertain);
  const lostAt = readers.map((reader) => reader.lostAtMs).filter((ms) => ms > 0);
  return {
    ...published,
    readers: count,
    reconnects: sum((reader) => reader.reconnects),
    lost: sum((reader) => reader.lost),
    duplicated: sum((reader) => reader.repeated.filter((number) => !mayRepeat.has(number)).length),
    disordered: sum((reader) => reader.disordered),
    haveAll,
    recoveryMs:
      lostAt.length === 0
        ? 0
        : Math.round(Math.max(...readers.map((reader) => reader.backAtMs)) - Math.min(...lostAt)),
  };
}
