/**
 * What a reload keeps and what it ignores (push-stream spec 8.3, 8.4), and that it leaves nothing open, on
 * the real program.
 */
import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { ask, RawConnection, standing } from "./raw-client.ts";
import { layout, type RunningServer, startServer, until } from "./running-server.ts";
import { Crowd } from "./subscriber-crowd.ts";

setDefaultTimeout(60_000);

let server: RunningServer;
afterEach(async () => {
  await server.stop();
});

const config = (top: string, size = "16MiB", zone = "push_stream_module"): string =>
  layout(`${top}\n[store]\nsize = "${size}"\nzone = "${zone}"`);

/** Sends HUP and waits until the new workers are the only ones. */
async function reload(toml: string, workers: number): Promise<void> {
  const before = await server.workerPids();
  const reloads = countOf(/reloaded generation=/g);
  writeFileSync(server.configFile, toml);
  server.process.kill("SIGHUP");
  await until(`a reload in ${server.log}`, () => countOf(/reloaded generation=/g) > reloads);
  await until("new workers only", async () => {
    const pids = await server.workerPids();
    return pids.length === workers && !pids.some((pid) => before.includes(pid));
  });
}

const countOf = (pattern: RegExp): number => (server.log.match(pattern) ?? []).length;

async function zone(): Promise<Record<string, number>> {
  return JSON.parse((await ask(server.port, "/channels-stats")).body.toString());
}

describe.each([1, 2])("%d workers", (workers) => {
  test("channels, messages, counters and the uptime stay; subscribers are counted anew", async () => {
    server = await startServer({ workers, toml: config("") });
    for (const text of ["one", "two", "three"]) await server.publish("kept", text);
    await server.publish("other", "four");
    await Crowd.gather(server.port, "kept");
    const before = await zone();
    await until("an uptime of two seconds", async () => Number((await zone())["uptime"]) >= 2);
    await reload(config(""), workers);
    const after = await zone();
    const lasting = (from: Record<string, number>) =>
      ["channels", "published_messages", "stored_messages"].map((name) => from[name]);
    expect(lasting(after)).toEqual(lasting(before));
    expect(after["subscribers"]).toBe(0);
    expect(after["uptime"]).toBeGreaterThanOrEqual(2);
    expect(await server.statistics("kept")).toMatchObject({
      published_messages: 3,
      stored_messages: 3,
      subscribers: 0,
    });
    expect((await ask(server.port, "/poll/kept.b9")).body.toString()).toBe("onetwothree");
    // Numbers go on where they were.
    expect((await server.publish("kept", "five")).text).toContain('"published_messages": 4');
  });

  test("events keep flowing into the events channel, which stays", async () => {
    server = await startServer({ workers, toml: config('events_channel_id = "events"') });
    const stored = async () => (await server.statistics("events")).stored_messages;
    await server.publish("before", "x");
    expect(await stored()).toBe(1);
    await reload(config('events_channel_id = "renamed"'), workers);
    expect(server.log).toContain("Cannot change events channel without restart");
    await server.publish("after", "x");
    expect(await stored()).toBe(2);
    expect((await ask(server.port, "/channels-stats?id=renamed")).status).toBe(404);
  });

  test("another size of the store is ignored with nginx's warning; the rest takes effect", async () => {
    server = await startServer({ workers, toml: config("", "16MiB", "my_zone") });
    await server.publish("kept", "x");
    await reload(config('channel_deleted_message_text = "gone"', "32MiB", "my_zone"), workers);
    expect(server.log).toContain(
      "Cannot change memory area size without restart, ignoring change on zone: my_zone\n",
    );
    expect((await server.statistics("kept")).stored_messages).toBe(1);
    const stream = await RawConnection.open(server.port);
    stream.request("/sub/kept");
    await standing(server.port, "kept");
    await ask(server.port, "/pub?id=kept", { method: "DELETE" });
    expect((await stream.answer()).body.toString()).toBe("gone");
  });

  test("a faulty file is refused: subscribers, workers and settings stay", async () => {
    server = await startServer({ workers, toml: config("") });
    const pids = await server.workerPids();
    const stream = await RawConnection.open(server.port);
    stream.request("/sub/a");
    await standing(server.port, "a");
    writeFileSync(server.configFile, "workers = 'many'\nlistn = 1\n");
    server.process.kill("SIGHUP");
    await until("the refusal", () =>
      server.log.includes("reload refused; the old configuration stays in force"),
    );
    for (const name of ["workers", "listn"]) expect(server.log).toContain(name);
    await server.publish("a", "still here");
    await stream.head();
    expect(await stream.chunkedText(10)).toBe("still here");
    expect((await server.workerPids()).sort()).toEqual(pids.sort());
    stream.close();
  });

  test("a killed worker is replaced: by_worker has its number again and the counts are exact", async () => {
    server = await startServer({ workers, toml: config("") });
    const streams: RawConnection[] = [];
    await until("subscribers on every worker", async () => {
      const stream = await RawConnection.open(server.port);
      stream.request("/sub/a");
      streams.push(stream);
      await standing(server.port, "a", streams.length);
      const { by_worker } = await server.summary();
      return by_worker.length === workers && by_worker.every(({ subscribers }) => subscribers > 1);
    });
    await server.publish("a", "stored");
    const [victim] = (await server.summary()).by_worker;
    process.kill(Number(victim?.pid), "SIGKILL");
    const left = streams.length - Number(victim?.subscribers);
    await until("the replacement", async () => {
      try {
        const { by_worker, subscribers } = await server.summary();
        const pids = by_worker.map(({ pid }) => pid);
        return pids.length === workers && !pids.includes(victim?.pid ?? "") && subscribers === left;
      } catch {
        return false; // nobody listens for a moment
      }
    });
    expect(streams.filter((stream) => stream.ended).length).toBe(streams.length - left);
    expect(await server.statistics("a")).toEqual(
      expect.objectContaining({ subscribers: left, stored_messages: 1, published_messages: 1 }),
    );
    for (const stream of streams) stream.close();
    await until("all gone", async () => (await server.summary()).subscribers === 0);
  });
});

test("eight reloads leave no descriptor, mapping or child behind", async () => {
  server = await startServer({ workers: 2, toml: config("") });
  const { pid } = server.process;
  const descriptors = () => readdirSync(`/proc/${pid}/fd`).length;
  const mappings = () =>
    readFileSync(`/proc/${pid}/maps`, "utf8")
      .split("\n")
      .filter((line) => line.includes(server.folder)).length;
  const children = () => readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").length;
  // The runtime opens some of its own at the first.
  await reload(config(""), 2);
  await reload(config(""), 2);
  const before = { descriptors: descriptors(), mappings: mappings() };
  for (let count = 0; count < 8; count++) await reload(config(""), 2);
  await until(
    `${before.descriptors} descriptors, not ${descriptors()}`,
    () => descriptors() <= before.descriptors,
  );
  expect(mappings()).toBe(before.mappings);
  await until("two children", () => children() === 2);
  expect(readdirSync(server.folder).filter((name) => name.includes("bell")).length).toBe(2);
});
