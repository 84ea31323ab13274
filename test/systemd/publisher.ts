/**
 * Publishes numbered messages at a steady rate and notes how it went. A thread of its own (load.ts starts
 * it), so that thousands of readers in the same process do not make its requests look slow.
 */
declare const self: Worker;

/** A publisher tries again this much later. */
const AGAIN_MS = 10;

export interface PublisherOrder {
  readonly url: string;
  readonly rate: number;
}

export interface PublisherReport {
  /** The last number that is in. */
  readonly published: number;
  readonly failures: number;
  readonly firstFault: string | null;
  /** Longest time from the first of several tries that failed to the next success. */
  readonly longestOutageMs: number;
  readonly slowestMs: number;
  /** Sent, but without an answer: the server may have it, so it may be there twice. */
  readonly uncertain: readonly number[];
}

let url = "";
let published = 0;
let failures = 0;
let firstFault: string | null = null;
let longestOutageMs = 0;
let slowestMs = 0;
let running = true;
const uncertain: number[] = [];

self.onmessage = async ({ data }: MessageEvent<PublisherOrder | "report" | "stop">) => {
  if (data === "report") return self.postMessage(report());
  if (data === "stop") {
    running = false;
    return;
  }
  url = data.url;
  let due = performance.now();
  while (running) {
    await publish(published + 1);
    published++;
    due = Math.max(due + 1000 / data.rate, performance.now() - 100);
    await Bun.sleep(Math.max(0, due - performance.now()));
  }
  self.postMessage("stopped");
};

const report = (): PublisherReport => ({
  published,
  failures,
  firstFault,
  longestOutageMs: Math.round(longestOutageMs),
  slowestMs: Math.round(slowestMs),
  uncertain,
});

/** Until it is in. */
async function publish(number: number): Promise<void> {
  let failingSince = 0;
  for (;;) {
    const startedMs = performance.now();
    const fault = await tryOnce(number);
    const now = performance.now();
    if (fault === null) {
      slowestMs = Math.max(slowestMs, now - startedMs);
      if (failingSince > 0) longestOutageMs = Math.max(longestOutageMs, now - failingSince);
      return;
    }
    failures++;
    firstFault ??= fault;
    if (failingSince === 0) failingSince = startedMs;
    await Bun.sleep(AGAIN_MS);
  }
}

/** What was wrong; null when it is in. */
async function tryOnce(number: number): Promise<string | null> {
  try {
    const response = await fetch(url, { method: "POST", body: String(number), keepalive: false });
    await response.text();
    return response.ok ? null : `answer ${response.status}`;
  } catch (error) {
    const { code = "", message } = error as NodeJS.ErrnoException;
    if (!/REFUSED/i.test(code)) uncertain.push(number);
    return `${code}: ${message}`;
  }
}
