/** A held response whose socket the test fills and drains by hand. */

import type { Format } from "../../src/fanout/format.ts";
import { StreamConnection, type StreamKeeper } from "../../src/fanout/streams.ts";
import type { StreamSink } from "../../src/http/direct-answer.ts";
import { text } from "../store/fixture.ts";

/** The event loop goes round so many times, microtasks included. */
export async function turns(count = 3): Promise<void> {
  const startedMs = performance.now();
  const pass = async (): Promise<void> => {
    for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
  };
  await pass();
  // A delivery that took over a millisecond makes its channel rest, at most for ten (fanout/pump.ts). Here
  // that can only have been the machine: the rest is waited for.
  if (performance.now() - startedMs < 1) return;
  await Bun.sleep(LONGEST_REST_MS);
  await pass();
}

const LONGEST_REST_MS = 12;

/**
 * Lets the event loop go round once at a time until the condition holds, for tests that want to stand in the
 * middle of something that takes some turns: turns() waits out a rest where the machine was slow, and is past
 * it then.
 */
export async function stepUntil(what: string, isThere: () => boolean): Promise<void> {
  const endMs = performance.now() + 5000;
  while (!isThere()) {
    if (performance.now() > endMs) throw new Error(`stepped in vain: ${what}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** A direct stream: while `isFull`, a write is answered with one promise that drain() resolves. */
export class TestSink implements StreamSink {
  lines: string[] = [];
  writes = 0;
  flushes = 0;
  isFull = false;
  isOpen = true;
  highWaterMark = 0;
  #kept = "";
  #promise: Promise<number> | null = null;
  #resolve: (bytes: number) => void = () => undefined;

  start({ highWaterMark }: { highWaterMark: number }): void {
    this.highWaterMark = highWaterMark;
  }

  write(data: Uint8Array): number | Promise<number> {
    if (!this.isOpen) return 0;
    this.writes++;
    this.#kept += text(data);
    if (this.highWaterMark === 1) this.#send();
    return this.isFull ? this.#wait() : data.length;
  }

  flush(): number {
    this.flushes++;
    this.#send();
    return 0;
  }

  end(): void {
    this.#send();
    this.isOpen = false;
  }

  async drain(): Promise<void> {
    this.isFull = false;
    this.#promise = null;
    this.#send();
    this.#resolve(1);
    await turns(1);
  }

  /** What came since the last time. */
  take(): string[] {
    return this.lines.splice(0);
  }

  #wait(): Promise<number> {
    this.#promise ??= new Promise((resolve) => {
      this.#resolve = resolve;
    });
    return this.#promise;
  }

  #send(): void {
    this.lines.push(...this.#kept.split("\n").filter((line) => line !== ""));
    this.#kept = "";
  }
}

export class TestStream extends StreamConnection {
  readonly sink = new TestSink();
  endings = 0;

  constructor(keeper: StreamKeeper, format: Format, footer: Uint8Array) {
    super({ keeper, format, footer });
  }

  protected override ended(): void {
    this.endings++;
  }

  take(): string[] {
    return this.sink.take();
  }
}
