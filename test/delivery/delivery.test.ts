/**
 * What every transport owes its subscribers (promises P1 to P3), on the compiled binary with two workers:
 * written once, run for each. Connections land on whichever worker the kernel chooses, so most readers here
 * hear publishers of the other worker.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { layout, type RunningServer, startServer, until } from "../binary/running-server.ts";
import { type Reader, transports } from "./transports.ts";

const ARGUMENTS = `
last_received_message_time = "\${http_if_modified_since|arg_time}"
last_received_message_tag = "\${http_if_none_match|arg_tag}"
last_event_id = "\${http_last_event_id|arg_eventid}"`;
const LINES = `message_template = "~text~\\n"${ARGUMENTS}`;
const config = layout('[store]\nmax_messages_stored_per_channel = 500\nunstored_message_ttl = "1s"', {
  sub: `${LINES}\nheader_template = "\\n"`,
  ev: `event_ids = "auto"${ARGUMENTS}`,
  lp: `${LINES}\nlongpolling_connection_ttl = "10s"`,
  ws: ARGUMENTS,
});

describe.each(["native", "wire"])("on the %s listener", (listener) => {
  let server: RunningServer;
  let channels = 0;
  const fresh = (): string => `delivery-${++channels}`;

  beforeAll(async () => {
    server = await startServer({ toml: config, args: ["--listener", listener] });
  });
  afterAll(async () => {
    await server.stop();
  });

  const numbers = (from: number, to: number): string[] =>
    Array.from({ length: to - from }, (_, i) => `m${from + i}`);

  async function publishInOrder(channel: string, from: number, to: number): Promise<void> {
    for (let i = from; i < to; i++) expect((await server.publish(channel, `m${i}`)).status).toBe(200);
  }

  /** How many messages a resume from the very start gets. */
  async function resumable(channel: string): Promise<number> {
    const [epoch, newest] = /id: (\w+)-(\d+)/.exec(await eventsOf(channel))?.slice(1) ?? [];
    const base = Number(newest) - (await server.statistics(channel)).published_messages;
    return (await eventsOf(channel, `${epoch}-${base}`)).split("data: m").length - 1;
  }

  /** What an event stream says at once. */
  async function eventsOf(channel: string, position?: string): Promise<string> {
    const headers: Record<string, string> = position === undefined ? {} : { "Last-Event-ID": position };
    const response = await fetch(`${server.url}/ev/${channel}`, { headers });
    const reader = response.body?.getReader();
    let text = "";
    for (;;) {
      const next = await Promise.race([reader?.read(), Bun.sleep(150)]);
      if (next === undefined || next.done === true) break;
      text += new TextDecoder().decode(next.value);
    }
    await reader?.cancel();
    return text;
  }

  const received = (reader: Reader, count: number): Promise<void> =>
    until(`${count} messages, has ${reader.messages.length}`, () => reader.messages.length >= count);

  describe.each(transports.map((transport) => [transport.name, transport] as const))(
    "%s",
    (_name, transport) => {
      const check = (name: string, body: () => Promise<void>): void => {
        const reason = transport.skip[name.split(":")[0] ?? ""];
        // Each skip has its reason in transports.ts.
        if (reason === undefined) test(name, body, 30_000);
        else test.skip(`${name} (${reason})`, body);
      };
      const open = (path: string, position?: string | null) => transport.open(server.url, path, position);

      check(
        "live: everything published while the connection is open arrives once, in publish order",
        async () => {
          const channel = fresh();
          const readers = await Promise.all([open(channel), open(channel), open(channel), open(channel)]);
          await publishInOrder(channel, 0, 50);
          for (const reader of readers) {
            await received(reader, 50);
            expect(reader.messages).toEqual(numbers(0, 50));
            reader.close();
          }
        },
      );

      check("order: many publishers at once, and all readers see one and the same order", async () => {
        const channel = fresh();
        const readers = await Promise.all([open(channel), open(channel), open(channel)]);
        let next = 0;
        const publisher = async () => {
          while (next < 400) await server.publish(channel, `m${next++}`);
        };
        await Promise.all(Array.from({ length: 8 }, publisher));
        for (const reader of readers) {
          await received(reader, 400);
          expect(reader.messages).toEqual(readers[0]?.messages ?? []);
          expect(new Set(reader.messages).size).toBe(400);
          reader.close();
        }
      });

      check("backtrack: .bN gives the last N stored, then what is live", async () => {
        const channel = fresh();
        await publishInOrder(channel, 0, 10);
        const reader = await open(`${channel}.b3`);
        await received(reader, 3);
        await until("seated", async () => (await server.statistics(channel)).subscribers > 0);
        await publishInOrder(channel, 10, 13);
        await received(reader, 6);
        expect(reader.messages).toEqual(numbers(7, 13));
        reader.close();
      });

      check("several channels: one connection hears them all, each in order", async () => {
        const [first, second] = [fresh(), fresh()];
        const reader = await open(`${first}/${second}`);
        for (let i = 0; i < 20; i++) {
          await server.publish(first, `a${i}`);
          await server.publish(second, `b${i}`);
        }
        await received(reader, 40);
        for (const letter of ["a", "b"]) {
          const own = reader.messages.filter((message) => message.startsWith(letter));
          expect(own).toEqual(Array.from({ length: 20 }, (_, i) => `${letter}${i}`));
        }
        reader.close();
      });

      check("joining: readers that come while messages fly get a run without hole or repeat", async () => {
        const channel = fresh();
        await publishInOrder(channel, 0, 1);
        let next = 1;
        let flying = true;
        const publisher = (async () => {
          while (flying) await server.publish(channel, `m${next++}`);
        })();
        const readers: Reader[] = [];
        for (let i = 0; i < 12; i++) readers.push(await open(`${channel}.b1`));
        await Bun.sleep(100);
        flying = false;
        await publisher;
        for (const reader of readers) {
          await until("the last message", () => reader.messages.at(-1) === `m${next - 1}`);
          const from = Number(reader.messages[0]?.slice(1));
          expect(reader.messages).toEqual(numbers(from, next));
          reader.close();
        }
      });

      check("resume: a reader that comes back gets exactly what it missed", async () => {
        const channel = fresh();
        const reader = await open(channel);
        await publishInOrder(channel, 0, 5);
        await received(reader, 5);
        const position = reader.position;
        expect(position).not.toBeNull();
        reader.close();
        await publishInOrder(channel, 5, 25);
        const again = await open(channel, position);
        await received(again, 20);
        await publishInOrder(channel, 25, 27);
        await received(again, 22);
        expect(again.messages).toEqual(numbers(5, 27));
        expect(again.missed).toBe(0);
        again.close();
      });

      check("resume: several channels, each from its own place", async () => {
        const [first, second] = [fresh(), fresh()];
        const path = `${first}/${second}`;
        const reader = await open(path);
        await server.publish(first, "a0");
        await server.publish(second, "b0");
        await received(reader, 2);
        const position = reader.position;
        reader.close();
        await server.publish(second, "b1");
        await server.publish(first, "a1");
        await server.publish(second, "b2");
        const again = await open(path, position);
        await received(again, 3);
        expect(again.messages.filter((message) => message.startsWith("a"))).toEqual(["a1"]);
        expect(again.messages.filter((message) => message.startsWith("b"))).toEqual(["b1", "b2"]);
        again.close();
      });

      check("gap: a reader whose messages are no longer stored is told how many it missed", async () => {
        const channel = fresh();
        const reader = await open(channel);
        await publishInOrder(channel, 0, 2);
        await received(reader, 2);
        const position = reader.position;
        reader.close();
        await Promise.all(
          Array.from({ length: 16 }, (_, k) => publishInOrder(channel, 2 + k * 50, 52 + k * 50)),
        );
        // What is over the limit of 500 rests for one more second, for those who are still being served; then
        // it is gone.
        await until("only the stored are left", async () => (await resumable(channel)) === 500);
        const again = await open(channel, position);
        await until("the rest", () => again.messages.length + again.missed >= 800);
        expect(again.messages.length).toBe(500);
        expect(again.missed).toBe(300);
        again.close();
      });

      check("goes: closing the connection ends its subscription", async () => {
        const channel = fresh();
        const reader = await open(channel);
        await until("counted", async () => (await server.statistics(channel)).subscribers === 1);
        reader.close();
        await until("no longer counted", async () => (await server.statistics(channel)).subscribers === 0);
      });
    },
  );

  test("every transport and worker sees the same order", async () => {
    const channel = fresh();
    const readers: Reader[] = [];
    for (const transport of [...transports, ...transports])
      readers.push(await transport.open(server.url, channel));
    let next = 0;
    const publisher = async () => {
      while (next < 300) await server.publish(channel, `m${next++}`);
    };
    await Promise.all(Array.from({ length: 6 }, publisher));
    for (const reader of readers) {
      await received(reader, 300);
      expect(reader.messages).toEqual(readers[0]?.messages ?? []);
      reader.close();
    }
  }, 30_000);
});
