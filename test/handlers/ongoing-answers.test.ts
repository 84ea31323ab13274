/**
 * `context.answer`: made once, watched by many, resumed anywhere; and what becomes of it when something dies.
 * The compiled binary, two workers.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { type RunningServer, until } from "../binary/running-server.ts";
import { EventClient } from "./event-client.ts";
import { startHandlers, workerPids } from "./handler-server.ts";

setDefaultTimeout(10_000);

const FILES = {
  "answer.ts": `
    const kinds = {
      async *count({ sleep }, query) {
        for (let n = 1; n <= Number(query.get("n") ?? 5); n++) {
          yield \`<\${n}>\`;
          await sleep(Number(query.get("ms") ?? 20));
        }
      },
      // Now and then a pause, a burst, a named event: each piece is its number.
      async *mixed({ sleep }, query) {
        const seed = Number(query.get("seed"));
        for (let n = 1; n <= 400; n++) {
          const dice = (n * 7919 + seed * 104729) % 97;
          yield dice < 8 ? { event: "named", data: \`<\${n}>\` } : \`<\${n}>\`;
          if (dice % 3 > 0 || n < 20) await sleep(dice % 7);
        }
      },
      async *reused({ sleep }) {
        const bytes = new Uint8Array(3);
        for (let n = 0; n < 40; n++) {
          bytes.fill(65 + n % 26);
          yield bytes;
          bytes.fill(33);
          await sleep(n % 3);
        }
      },
      *lines() {
        yield "one\\n\\ntwo\\r\\nevent: end\\n:\\n";
        yield "";
        yield { event: "usage", data: "{}" };
        yield new Uint8Array([0xc3, 0xbc]);
      },
      throws() { throw new Error("no model today"); },
      async *late() { yield "a"; throw new Error("half way"); },
      nothing() { return 7; },
      *large() { yield "x".repeat(10_000_000); },
      *flood() { for (;;) yield "x".repeat(100); },
      *reserved() { yield { event: "end", data: "x" }; },
      *wrong() { yield 5; },
      noIterator() { return { get [Symbol.asyncIterator]() { throw new Error("no iterator"); } }; },
      nextThrows() { return { [Symbol.asyncIterator]: () => ({ next() { throw new Error("no next"); } }) }; },
      nextNothing() { return { [Symbol.asyncIterator]: () => ({ next: async () => null }) }; },
      *longEvent() { yield { event: "e".repeat(70_000), data: "x" }; },
      *lineEvent() { yield { event: "e\\nnd", data: "done" }; },
      *trap() { yield { get data() { throw { toString() { throw 1; } }; } }; },
      *lastThrows() { try { yield "a"; yield 7; } finally { throw new Error("in its finally"); } },
      async *silent({ signal }) {
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
      },
      async *stubborn() { await new Promise(() => undefined); },
    };
    export default ({ answer, query, shared, method }) => {
      if (query.has("runs")) return String(shared("runs").get(query.get("runs")) ?? 0);
      if (query.has("only")) return answer(query.get("ch"));
      return answer(query.get("ch"), (context) => {
        shared("runs").incr(query.get("ch"));
        shared("runs").set("pid " + query.get("ch"), process.pid);
        const made = kinds[query.get("kind") ?? "count"](context, query);
        return made === 7 ? made : watched(made, () => shared("runs").incr("closed " + query.get("ch")));
      });
    };
    async function* watched(made, closed) { try { yield* made; } finally { closed(); } }
  `,
};
const TOML = `
[shared.runs]
size = "64KiB"
[[location]]
match = "= /answer"
handler = "answer.ts"
answer_linger = "1s"
answer_max_size = "200KiB"
[[location]]
match = "= /pub"
publisher = "admin"
channels_path = "$arg_id"
[[location]]
match = "= /ev"
subscriber = "eventsource"
channels_path = "$arg_id"
[[location]]
match = "= /channels-stats"
statistics = true
channels_path = "$arg_id"
`;

describe.each(["native", "wire"] as const)("%s listener", (listener) => {
  let server: RunningServer;
  /** What takes seconds and has nothing to do with the door. */
  const once = test.skipIf(listener === "wire");
  beforeAll(async () => {
    server = await startHandlers({ workers: 2, listener }, { files: FILES, toml: TOML });
  });
  afterAll(async () => {
    await server.stop();
  });

  const url = (channel: string, more = ""): string => `${server.url}/answer?ch=${channel}${more}`;
  const client = (channel: string, more = "", position = ""): EventClient =>
    new EventClient(url(channel, more), position);
  const runs = async (key: string): Promise<number> =>
    Number((await server.request(`/answer?runs=${key}`)).text);
  const whole = (n: number): string => Array.from({ length: n }, (_, at) => `<${at + 1}>`).join("");

  test("twelve who ask at once watch one answer, whole, with positions and its end", async () => {
    const clients = Array.from({ length: 12 }, () => client("once", "&n=10"));
    await Promise.all(clients.map((each) => each.once("POST")));
    for (const each of clients) {
      expect(each.text).toBe(whole(10));
      expect(each.last).toMatchObject({ type: "end", data: "done" });
    }
    expect(await runs("once")).toBe(1);
    expect(await runs("closed once")).toBe(1);
    // Who has all of it is not to come back; a newcomer gets all.
    expect((await clients[0]!.follow()).statuses).toEqual([200]);
    const again = new EventClient(url("once"), clients[0]!.position);
    await again.once();
    expect(again.statuses).toEqual([204]);
    expect((await client("once").follow()).text).toBe(whole(10));
    expect(await runs("once")).toBe(1);
  });

  test("a client that leaves in the middle goes on where it stopped, again and again", async () => {
    const watcher = client("resumed", "&n=40&ms=15");
    while (!watcher.isOver) {
      const connection = watcher.once();
      const before = watcher.events.length;
      await until("some pieces", () => watcher.isOver || watcher.events.length > before + 5);
      watcher.leave();
      await connection;
    }
    expect(watcher.text).toBe(whole(40));
    expect(await runs("resumed")).toBe(1);
  });

  test("pieces cannot forge events; named events and bytes come as they are", async () => {
    const watcher = await client("lines", "&kind=lines").follow();
    expect(watcher.events.map(({ type, data }) => [type, data])).toEqual([
      ["message", "one\n\ntwo\nevent: end\n:\n"],
      ["usage", "{}"],
      ["message", "ü"],
      ["end", "done"],
    ]);
  });

  test("a foreign position begins anew, and says so; one of an answer that is gone begins none", async () => {
    await client("known", "&n=2").follow();
    for (const position of ["abc-17", "nonsense", "1-99999999999999999999", "../../x"]) {
      const watcher = client("known", "", position);
      await watcher.once();
      expect(watcher.events.map(({ type }) => type)).toEqual(["reset", "message", "message", "end"]);
      const other = client("unknown", "", position);
      await other.once();
      expect(other.statuses).toEqual([404]);
    }
    expect((await server.request("/answer?only&ch=unknown")).status).toBe(404);
    expect(await runs("unknown")).toBe(0);
  });

  test("HEAD and OPTIONS begin none", async () => {
    const statuses = [];
    for (const method of ["HEAD", "OPTIONS"])
      statuses.push((await server.request("/answer?ch=asked", { method })).status);
    await client("known-2", "&n=2").follow();
    statuses.push((await server.request("/answer?ch=known-2", { method: "HEAD" })).status);
    expect([...statuses, await runs("asked")]).toEqual([404, 204, 200, 0]);
  });

  test("DELETE calls it off for all, whichever worker is asked; the generator's finally runs", async () => {
    const watcher = client("called-off", "&n=1000");
    const watching = watcher.once();
    await until("the first piece", () => watcher.events.length > 0);
    const answers = await Promise.all(
      Array.from({ length: 4 }, () => server.request("/answer?ch=called-off", { method: "DELETE" })),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([204, 404, 404, 404]);
    await watching;
    expect(watcher.last).toMatchObject({ type: "error", data: "the answer was called off" });
    await until("its finally", async () => (await runs("closed called-off")) === 1);
  });

  test("called off on another worker while pieces flow, every watcher is told and let go", async () => {
    for (let round = 0; round < 8; round++) {
      const channel = `raced-${round}`;
      const watchers = Array.from({ length: 4 }, () => client(channel, "&n=100000&ms=0"));
      const watching = watchers.map((each) => each.once());
      await until("pieces", () => watchers.every(({ events }) => events.length > 0));
      await server.request(`/answer?ch=${channel}`, { method: "DELETE", keepalive: false });
      await Promise.all(watching);
      for (const each of watchers) expect(each.last?.type).toBe("error");
    }
  });

  test.each([
    ["throws", /^the handler failed \(id \w+\)$/, ""],
    ["late", /^the handler failed/, "a"],
    ["nothing", /^the handler failed/, ""],
    ["reserved", /^the handler failed/, ""],
    ["wrong", /^the handler failed/, ""],
    ["noIterator", /^the handler failed/, ""],
    ["nextThrows", /^the handler failed/, ""],
    ["nextNothing", /^the handler failed/, ""],
    ["longEvent", /^the handler failed/, ""],
    ["lineEvent", /^the handler failed/, ""],
    ["trap", /^the handler failed/, ""],
    ["lastThrows", /^the handler failed/, "a"],
    ["large", /larger than 204800 bytes/, ""],
    ["flood", /larger than 204800 bytes/, "x".repeat(204_800)],
  ])(
    "a generator that goes wrong (%s) ends its answer with an error, and nothing else",
    async (kind, sentence, text) => {
      const watcher = await client(kind, `&kind=${kind}`).follow();
      expect(watcher.last?.type).toBe("error");
      expect(watcher.last?.data).toMatch(sentence);
      expect(watcher.text).toBe(text);
      expect(await runs(kind)).toBe(1);
      const id = /id (\w+)/.exec(watcher.last?.data ?? "")?.[1];
      if (id !== undefined) expect(server.log).toContain(id);
    },
  );

  once(
    "one that nobody watches goes on for answer_linger, then it is closed; " +
      "watched, a silent one is left alone",
    async () => {
      const watched = client("watched", "&kind=silent");
      void watched.once();
      const left = client("left", "&kind=silent");
      const leaving = left.once();
      const stubborn = client("stubborn", "&kind=stubborn");
      const stubbornLeaving = stubborn.once();
      await until(
        "all three",
        async () => (await runs("watched")) + (await runs("left")) + (await runs("stubborn")) === 3,
      );
      left.leave();
      stubborn.leave();
      await Promise.all([leaving, stubbornLeaving]);
      await until("the end of it", async () => (await runs("closed left")) === 1);
      // Whoever asks before its end watches it, and it goes on.
      for (const name of ["left", "stubborn"])
        await until("the last word", async () => (await server.statistics(name)).published_messages === 1);
      for (const each of [left, stubborn]) {
        await each.follow();
        expect(each.last).toMatchObject({ type: "error", data: "nobody watched it any more" });
      }
      expect(await runs("closed watched")).toBe(0);
      await server.request("/answer?ch=watched", { method: "DELETE" });
      await until("the end of the other", async () => (await runs("closed watched")) === 1);
    },
  );

  test("an answer whose channel is deleted ends, and does not come back by its next piece", async () => {
    const watcher = client("outlived", "&n=1000");
    const watching = watcher.once();
    await until("the first piece", () => watcher.events.length > 0);
    expect((await server.request("/pub?id=outlived", { method: "DELETE" })).status).toBe(200);
    await watching;
    expect(watcher.last?.type).toBe("error");
    await until("its finally", async () => (await runs("closed outlived")) === 1);
    expect((await server.request("/channels-stats?id=outlived")).status).toBe(404);
  });

  once(
    "kill -9: of the worker that makes it, an error is told; of another one, nobody misses anything",
    async () => {
      const channels = ["dies", "lives"];
      const watchers = channels.map((channel) =>
        Array.from({ length: 8 }, () => client(channel, "&n=60&ms=50")),
      );
      const following = watchers.flat().map((each) => each.follow());
      await until("some pieces for all", () => watchers.flat().every(({ events }) => events.length > 2));
      const makers = await Promise.all(channels.map((channel) => runs(`pid ${channel}`)));
      const [victim] = makers;
      process.kill(victim!, "SIGKILL");
      await Promise.all(following);
      for (const [at, group] of watchers.entries()) {
        for (const each of group) {
          if (makers[at] === victim)
            expect(each.last).toMatchObject({
              type: "error",
              data: "the worker that made this answer is gone",
            });
          else expect([each.text, each.last?.type]).toEqual([whole(60), "end"]);
        }
        expect(await runs(channels[at]!)).toBe(1);
      }
      await until("a new worker", () => workerPids(server).length === 2);
    },
  );

  test("bytes that a generator uses again are those that it yielded", async () => {
    const watchers = [client("reused", "&kind=reused"), client("reused", "&kind=reused")];
    await Promise.all(watchers.map((each) => each.follow()));
    const yielded = Array.from({ length: 40 }, (_, n) => String.fromCharCode(65 + (n % 26)).repeat(3)).join(
      "",
    );
    for (const each of watchers) expect(each.text).toBe(yielded);
  });

  test("watchers come, go and resume on both workers, one is killed: all in order, once", async () => {
    const channels = Array.from({ length: 6 }, (_, at) => `mixed-${at}`);
    const watchers = channels.map((channel, at) =>
      Array.from({ length: 4 }, () => client(channel, `&kind=mixed&seed=${at}`)),
    );
    const numbers = ({ events }: EventClient): number[] =>
      events
        .filter(({ type }) => type !== "end" && type !== "error")
        .map(({ data }) => Number(data.slice(1, -1)));
    /** One connection: until it has seen so many pieces, or all, or is cut. */
    const visit = async (each: EventClient, stay: number): Promise<void> => {
      const before = each.events.length;
      let isCut = false;
      const connection = each.once().then(() => {
        isCut = true;
      });
      await until("pieces, or the end", () => isCut || each.events.length > before + stay);
      if (Number.isFinite(stay)) each.leave();
      await connection;
    };
    const staying = async (each: EventClient, first: number): Promise<void> => {
      for (let stay = first; !each.isOver; stay *= 1.4) await visit(each, stay);
    };
    // A subscriber by another road, now there, now not.
    const others = channels.map(async (channel, at) => {
      while (!watchers[at]!.every(({ isOver }) => isOver)) {
        const other = new EventClient(`${server.url}/ev?id=${channel}`);
        const leaving = visit(other, 10);
        await Promise.race([leaving, until("the end", () => watchers[at]!.every(({ isOver }) => isOver))]);
        other.leave();
        await leaving;
        const seen = other.events.map(({ data }) => data).filter((data) => data.startsWith("<"));
        const first = Number(seen[0]?.slice(1, -1));
        expect(seen).toEqual(seen.map((_, n) => `<${first + n}>`));
      }
    });
    const followed = watchers.flatMap((group) =>
      group.map((each, at) => staying(each, [2, 5, 9, Number.POSITIVE_INFINITY][at]!)),
    );
    await until("pieces of all", () => watchers.flat().every(({ events }) => events.length > 20));
    const makers = await Promise.all(channels.map((channel) => runs(`pid ${channel}`)));
    // Whoever makes the fewer.
    const victim = makers.find((pid) => makers.filter((other) => other === pid).length <= 3)!;
    if (victim !== undefined) process.kill(victim, "SIGKILL");
    await Promise.all([...followed, ...others]);
    for (const [at, group] of watchers.entries()) {
      const length = makers[at] === victim ? numbers(group[0]!).length : 400;
      for (const each of group) {
        expect(numbers(each)).toEqual(Array.from({ length }, (_, n) => n + 1));
        expect(each.last?.type).toBe(makers[at] === victim ? "error" : "end");
      }
    }
    await until("a new worker", () => workerPids(server).length === 2);
  });

  once(
    "a reload in the middle: who watches comes back to the new workers, the old one makes it to its end",
    async () => {
      const watchers = Array.from({ length: 6 }, () => client("reloaded", "&n=40&ms=50"));
      const following = watchers.map((each) => each.follow());
      await until("some pieces", () => watchers.every(({ events }) => events.length > 2));
      const before = await runs("pid reloaded");
      server.process.kill("SIGHUP");
      await Promise.all(following);
      for (const each of watchers) expect([each.text, each.last?.type]).toEqual([whole(40), "end"]);
      expect(await runs("reloaded")).toBe(1);
      await until("the old worker has gone", () => !workerPids(server).includes(before));
    },
  );
});

test("a restart of the server is told to whoever comes back for an answer that was being made", async () => {
  const first = await startHandlers({ workers: 2, listener: "native" }, { files: FILES, toml: TOML });
  const watcher = new EventClient(`${first.url}/answer?ch=cut&n=1000`);
  const watching = watcher.once();
  await until("some pieces", () => watcher.events.length > 2);
  first.process.kill("SIGKILL");
  await first.process.exited;
  await watching;
  const { folder, port } = first;
  const { startServer } = await import("../binary/running-server.ts");
  const second = await startServer({ folder, port, toml: TOML, workers: 2 });
  await watcher.follow();
  expect(watcher.last).toMatchObject({
    type: "error",
    data: "the server was restarted while this answer was made",
  });
  expect(watcher.text).toStartWith("<1><2><3>");
  await second.stop();
});
