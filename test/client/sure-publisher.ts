/**
 * Publishes numbers, each once, whatever happens to the server meanwhile: where an answer was lost the server
 * is asked whether it has it.
 */
import { type RunningServer, until } from "../binary/running-server.ts";

export class SurePublisher {
  published = 0;
  readonly #server: () => RunningServer;
  readonly #channels: readonly string[];

  constructor(server: () => RunningServer, channels: readonly string[]) {
    this.#server = server;
    this.#channels = channels;
  }

  /** Into all channels, one after the other. */
  async publish(count: number): Promise<void> {
    for (let sent = 0; sent < count; sent++) {
      this.published++;
      for (const channel of this.#channels) await this.#put(channel);
    }
  }

  async #put(channel: string): Promise<void> {
    let isOpen = false;
    await until("it is published", async () => {
      const server = this.#server();
      if (isOpen) {
        const known = await server.statistics(channel).catch(() => null);
        // Nobody who could say: it is not to be published again until somebody does.
        if (known === null || known.published_messages >= this.published) return known !== null;
      }
      const answer = await server.publish(channel, `${channel} ${this.published}`).catch(() => null);
      isOpen = true;
      return answer?.status === 200;
    });
  }

  wanted(channel: string): string[] {
    return Array.from({ length: this.published }, (_, i) => `${channel} ${i + 1}`);
  }
}
