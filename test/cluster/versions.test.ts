/**
 * Nodes of different versions over one log: what one cannot read is passed over, said once, and what it lacks
 * for it is told.
 */
import { expect, test } from "bun:test";
import { until } from "../binary/running-server.ts";
import { hasRedis } from "./engine.ts";
import { Reader } from "./reader.ts";
import { World } from "./world.ts";

test.if(hasRedis)(
  "entries of a version to come cost one line, and a gap where one was a message",
  async () => {
    const world = await World.start(1);
    const { engine } = world;
    const node = world.node(0);
    const reader = await new Reader("room", node).start();
    const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    await node.publish("room", "before", { traceparent });
    await until("it", () => reader.texts.length === 1);
    const framed = await node.request("/lp/room.b1?sluice_positions=");
    expect(framed.text).toContain(`"traceparent":"${traceparent}"`);
    // In capitals behind a sign that a version without traces passes over, as it does each that it does not
    // know.
    const heads = JSON.stringify(await engine.call("XRANGE", "{sluice:main:0}log", "-", "+"));
    expect(heads).toContain(`^${traceparent.toUpperCase()}`);
    /** As the script would write it, in its place. */
    const write = (...heads: string[]): Promise<unknown> =>
      engine.call(
        "EVAL",
        `for at = 1, #ARGV do
         local meta = redis.call('HMGET', KEYS[1], 'term', 'n', 'sec', 'tag', 'total', 'top')
         local n = string.format('%.0f', tonumber(meta[2]) + 1)
         local place = meta[3] .. ' ' .. meta[4] .. ' ' .. meta[5] .. ' ' .. meta[6]
         local head = string.gsub(ARGV[at], 'PLACE', place)
         redis.call('XADD', KEYS[2], meta[1] .. '-' .. n, head, '')
         redis.call('HSET', KEYS[1], 'n', n)
       end`,
        "2",
        ...["{sluice:main:0}meta", "{sluice:main:0}log"],
        ...heads,
      );
    await write(...Array.from({ length: 300 }, (_, at) => `z PLACE something new ${at}\nroom`), "", "?", "z");
    await node.publish("room", "between");
    await until("the next", () => reader.texts.at(-1) === "between");
    // Nothing that users see was in them.
    expect(reader.gaps).toBe(0);
    expect(node.log.split("another version of sluice writes to the log").length).toBe(2);
    expect(node.log).not.toContain("trimmed");
    // A message whose words are others, and whose counter says that it was one.
    await engine.call("HINCRBY", "{sluice:main:0}c:room", "p", "1");
    await engine.call("HINCRBY", "{sluice:main:0}c:room", "o", "1");
    await write("m PLACE unreadable\nroom");
    await until("it to be told", () => reader.gaps === 1);
    await node.publish("room", "after");
    await until("the last", () => reader.texts.at(-1) === "after");
    expect(reader.seen.map((one) => (one.kind === "gap" ? one.missed : one.text))).toEqual([
      "before",
      "between",
      1,
      "after",
    ]);
    expect(node.log.split("another version of sluice writes to the log").length).toBe(2);
    await reader.stop();
    await world.stop();
  },
);
