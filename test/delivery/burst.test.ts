/**
 * A burst larger than what a channel may store: the limit is about newcomers, not about those who are
 * connected (promise P2).
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { layout, type RunningServer, startServer, until } from "../binary/running-server.ts";
import { transports } from "./transports.ts";

const config = layout("[store]\nmax_messages_stored_per_channel = 2", {
  sub: 'message_template = "~text~\\n"\nheader_template = "\\n"',
  ev: 'event_ids = "auto"',
});

describe.each(["native", "wire"])("on the %s listener", (listener) => {
  let server: RunningServer;
  beforeAll(async () => {
    server = await startServer({ toml: config, args: ["--listener", listener] });
  });
  afterAll(async () => {
    await server.stop();
  });

  /**
   * A long poll is answered by one message of a burst; the rest is only there for its next poll if it was
   * stored.
   */
  const held = transports.filter(({ name }) => name !== "long-polling");

  test.each(held.map((transport) => [transport.name, transport] as const))(
    "%s: a burst beyond the stored limit reaches everyone who is connected",
    async (name, transport) => {
      const channel = `burst-${name.replaceAll(" ", "-")}`;
      const readers = await Promise.all(Array.from({ length: 6 }, () => transport.open(server.url, channel)));
      let next = 0;
      const publisher = async () => {
        while (next < 1000) await server.publish(channel, `m${next++}`);
      };
      await Promise.all(Array.from({ length: 16 }, publisher));
      for (const reader of readers) {
        await until(
          `all, has ${reader.messages.length}`,
          () => reader.messages.length + reader.missed >= 1000,
        );
        expect(reader.missed).toBe(0);
        expect(new Set(reader.messages).size).toBe(1000);
        expect(reader.messages).toEqual(readers[0]?.messages ?? []);
        reader.close();
      }
      expect((await server.statistics(channel)).stored_messages).toBe(2);
    },
    30_000,
  );
});
