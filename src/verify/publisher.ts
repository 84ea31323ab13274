/**
 * One publisher: sends a message, waits for the answer, sends the next. Writes down what it was told. Made by
 * crew.ts.
 */
import type { Outcome } from "./history.ts";
import type { Random } from "./random.ts";
import type { Recorder } from "./recorder.ts";
import type { ServerUnderTest } from "./server.ts";

const ANSWER_MS = 15_000;

export interface PublisherSetting {
  readonly servers: readonly ServerUnderTest[];
  readonly recorder: Recorder;
  readonly random: Random;
  readonly number: number;
  readonly channels: readonly string[];
  /** Longest filling of a message in bytes. */
  readonly maxFilling: number;
}

export class Publisher {
  readonly #setting: PublisherSetting;
  #count = 0;

  constructor(setting: PublisherSetting) {
    this.#setting = setting;
  }

  /** Until it is told to stop; a message takes `pauseMs` on average, and at least as long as its answer. */
  async publishUntil(isOver: () => boolean, pauseMs: number): Promise<void> {
    const { random, channels } = this.#setting;
    while (!isOver()) {
      await this.publish(random.pick(channels));
      await Bun.sleep(random.next() * 2 * pauseMs);
    }
  }

  /** The message's key and what became of it. */
  async publish(channel: string): Promise<{ key: string; outcome: Outcome }> {
    const { servers, recorder, random, number, maxFilling } = this.#setting;
    const key = `${number}-${++this.#count}`;
    const length = random.chance(0.5) ? 0 : random.between(0, maxFilling);
    const server = random.pick(servers);
    const sentAt = recorder.now();
    const body = recorder.sending(key, channel, length);
    let status = 0;
    let count: number | null = null;
    let outcome: Outcome = "unknown";
    try {
      const response = await fetch(new URL(`/pub?id=${channel}`, server.base), {
        method: "POST",
        body,
        headers: server.fields,
        // A request that is sent again by the runtime would be a message twice, and no fault of the server.
        keepalive: false,
        signal: AbortSignal.timeout(ANSWER_MS),
        tls: { rejectUnauthorized: false },
      });
      const answer = await response.text();
      status = response.status;
      if (response.ok) count = countOf(answer, channel);
      if (response.ok) outcome = "accepted";
      else if (response.headers.get("x-sluice-outcome") !== "unknown" && status !== 500) outcome = "refused";
    } catch {
      // The connection broke or there is none: nobody knows, unless it was never made, which is as good as
      // unknown.
    }
    recorder.published({
      channel,
      key,
      publisher: number,
      sentAt,
      answeredAt: recorder.now(),
      outcome,
      status,
      count,
    });
    return { key, outcome };
  }
}

/**
 * `{"channel": "a", "published_messages": 3, …}`; null: it is not about this channel, or nothing that can be
 * read.
 */
function countOf(answer: string, channel: string): number | null {
  try {
    const info = JSON.parse(answer) as { channel?: unknown; published_messages?: unknown };
    return info.channel === channel && typeof info.published_messages === "number"
      ? info.published_messages
      : null;
  } catch {
    return null;
  }
}
