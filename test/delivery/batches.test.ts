/**
 * Batches as subscribers see them, on every transport, both listeners and two workers: all lines, in their
 * order, none twice (promises P1, P2).
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { layout, type RunningServer, startServer, until } from "../binary/running-server.ts";
import { transports } from "./transports.ts";

/** A request for each message there. */
const linesFor = (transport: string): number => (transport.includes("poll") ? 20 : 400);
const config = layout("", {
  sub: 'message_template = "~text~\\n"\nheader_template = "\\n"',
  ev: 'event_ids = "auto"',
  lp: 'message_template = "~text~\\n"\nlongpolling_connection_ttl = "10s"',
});

describe.each(["native", "wire"])("on the %s listener", (listener) => {
  let server: RunningServer;
  beforeAll(async () => {
    server = await startServer({ toml: config, args: ["--listener", listener] });
  });
  afterAll(async () => {
    await server.stop();
  });

  test.each(transports.map((transport) => [transport.name, transport] as const))(
    "%s: two batches at once reach every reader, each in the order of its lines",
    async (name, transport) => {
      const lines = linesFor(name);
      const [own, other] = [`own-${name.replaceAll(" ", "-")}`, `other-${name.replaceAll(" ", "-")}`];
      const readers = await Promise.all(Array.from({ length: 4 }, () => transport.open(server.url, own)));
      const batch = (from: string): string =>
        Array.from({ length: lines }, (_, at) =>
          JSON.stringify(
            at % 3 === 0
              ? { channels: [other, own], data: `${from}${at}` }
              : { channel: own, data: `${from}${at}` },
          ),
        ).join("\n");
      const answers = await Promise.all(
        ["a", "b"].map((from) =>
          server.request("/pub", {
            method: "POST",
            body: batch(from),
            headers: { "Content-Type": "application/x-ndjson" },
          }),
        ),
      );
      expect(answers.map(({ status }) => status)).toEqual([200, 200]);
      for (const reader of readers) {
        await until("all of both", () => reader.messages.length + reader.missed >= 2 * lines);
        expect(reader.messages).toEqual(readers[0]?.messages ?? []);
        for (const from of ["a", "b"])
          expect(reader.messages.filter((text) => text.startsWith(from))).toEqual(
            Array.from({ length: lines }, (_, at) => `${from}${at}`),
          );
        reader.close();
      }
      expect((await server.statistics(other)).published_messages).toBe(2 * Math.ceil(lines / 3));
    },
    30_000,
  );
});
