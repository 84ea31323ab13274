/**
 * Answers of handlers over two nodes: one makes it, whoever is asked; watchers anywhere have all of it, come
 * back anywhere, and are told when the node, or the worker, that made it has died.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { layout, type RunningServer, startServer, until } from "../binary/running-server.ts";
import { EventClient } from "../handlers/event-client.ts";
import { folderWith, removeFolders, workerPids } from "../handlers/handler-server.ts";
import { Engine, hasRedis } from "./engine.ts";

setDefaultTimeout(20_000);

const ANSWER = `
export default ({ answer, query }) => {
  const ch = query.get("ch");
  if (query.has("only")) return answer(ch);
  return answer(ch, async function* ({ log, sleep }) {
    log("made", { ch, pid: process.pid });
    try {
      if (query.has("silent")) await sleep(60_000);
      for (let n = 1; n <= Number(query.get("n")); n++) {
        yield "<" + n + ">";
        await sleep(Number(query.get("ms") ?? 10));
      }
    } finally { log("closed", { ch }); }
  });
};`;

describe.if(hasRedis)("answers on two nodes", () => {
  let engine: Engine;
  let nodes: RunningServer[];
  const start = (name: string): Promise<RunningServer> => {
    const cluster =
      `[cluster]\nengine = "redis://127.0.0.1:${engine.port}"\nnode = "${name}"\n` +
      `engine_timeout = "2s"\n[store]\nsize = "4MiB"`;
    const toml =
      `${layout(cluster, {})}\n[[location]]\nmatch = "= /answer"\n` +
      `handler = "answer.ts"\nanswer_linger = "20s"\n`;
    // Both doors in one cluster.
    const args = name === "b" ? ["--listener", "wire"] : [];
    return startServer({ toml, folder: folderWith({ "answer.ts": ANSWER }), workers: 2, args });
  };
  beforeAll(async () => {
    engine = await new Engine().start();
    nodes = await Promise.all([start("a"), start("b")]);
  });
  afterAll(async () => {
    await Promise.all(nodes.map((node) => node.stop()));
    await engine.stop();
    removeFolders();
  });

  const client = (at: number, ch: string, more = "", position = ""): EventClient =>
    new EventClient(`${nodes[at]?.url}/answer?ch=${ch}${more}`, position);
  const whole = (n: number): string => Array.from({ length: n }, (_, at) => `<${at + 1}>`).join("");
  const lines = (what: string, ch: string): string[] =>
    nodes.flatMap(({ log }) => log.split("\n").filter((line) => line.includes(`${what} ch=${ch}`)));
  /** Index of the node that makes it, and the pid of its worker. */
  const maker = (ch: string): [node: number, pid: number] => {
    const at = nodes.findIndex(({ log }) => log.includes(`made ch=${ch} `));
    return [at, Number(new RegExp(`made ch=${ch} pid=(\\d+)`).exec(nodes[at]?.log ?? "")?.[1])];
  };

  test("asked on both at once, many times over, one of them makes it, and all have all of it", async () => {
    const rounds = Array.from({ length: 10 }, (_, round) =>
      Array.from({ length: 8 }, (__, at) => client(at % 2, `race-${round}`, "&n=10")),
    );
    await Promise.all(rounds.flat().map((each) => each.once("POST")));
    for (const [round, clients] of rounds.entries()) {
      for (const each of clients) expect([each.text, each.last?.type]).toEqual([whole(10), "end"]);
      await until("the line of it", () => lines("made", `race-${round}`).length > 0);
      expect(lines("made", `race-${round}`).length).toBe(1);
    }
    // It is over, on every node.
    for (const at of [0, 1]) expect((await client(at, "race-0").follow()).text).toBe(whole(10));
    const done = client(1, "race-0", "", rounds[0]?.[0]?.position);
    await done.once();
    expect(done.statuses).toEqual([204]);
    expect(lines("made", "race-0").length).toBe(1);
  });

  test("a client that comes back to the other node each time misses nothing, has nothing twice", async () => {
    let watcher = client(0, "roams", "&n=40&ms=20");
    let text = "";
    for (let at = 1; ; at++) {
      const connection = watcher.once();
      await until("some pieces", () => watcher.isOver || watcher.events.length > 5);
      watcher.leave();
      await connection;
      text += watcher.text;
      if (watcher.isOver) break;
      watcher = client(at % 2, "roams", "", watcher.position);
    }
    expect([text, watcher.last]).toEqual([whole(40), { type: "end", data: "done", id: watcher.position }]);
    expect(lines("made", "roams").length).toBe(1);
  });

  test("none is begun by whoever only looks, or has a position", async () => {
    for (const watcher of [client(0, "none", "&only"), client(1, "none", "&n=3", "1-1")]) {
      await watcher.once();
      expect(watcher.statuses).toEqual([404]);
    }
  });

  test("DELETE on the other node calls it off for all", async () => {
    const watchers = [client(0, "off", "&n=1000"), client(1, "off", "&n=1000")];
    const watching = watchers.map((each) => each.once());
    await until("pieces on both", () => watchers.every(({ events }) => events.length > 0));
    const [at] = maker("off");
    const other = nodes[1 - at];
    expect((await other?.request("/answer?ch=off", { method: "DELETE" }))?.status).toBe(204);
    await Promise.all(watching);
    for (const each of watchers) expect(each.last).toMatchObject({ data: "the answer was called off" });
    await until("its finally", () => lines("closed", "off").length === 1);
    expect((await other?.request("/answer?ch=off", { method: "DELETE" }))?.status).toBe(404);
  });

  test("a silent one is called off from the other node as well, within seconds", async () => {
    const watchers = [client(0, "mute", "&silent"), client(1, "mute", "&silent")];
    const watching = watchers.map((each) => each.once());
    await until("one of them", () => lines("made", "mute").length === 1);
    const [at] = maker("mute");
    expect((await nodes[1 - at]?.request("/answer?ch=mute", { method: "DELETE" }))?.status).toBe(204);
    await Promise.all(watching);
    for (const each of watchers) expect(each.last).toMatchObject({ data: "the answer was called off" });
    await until("its finally", () => lines("closed", "mute").length === 1);
  });

  test("kill -9 of the worker that makes it: told on every node, once", async () => {
    const watchers = [0, 0, 1, 1].map((at) => client(at, "worker", "&n=1000"));
    const following = watchers.map((each) => each.follow());
    await until("pieces everywhere", () => watchers.every(({ events }) => events.length > 0));
    process.kill(maker("worker")[1], "SIGKILL");
    await Promise.all(following);
    for (const each of watchers)
      expect(each.last).toMatchObject({ type: "error", data: "the worker that made this answer is gone" });
    const all = await client(0, "worker").follow();
    expect(all.events.filter(({ type }) => type === "error").length).toBe(1);
    await until("new workers", () => nodes.every((node) => workerPids(node).length === 2));
  });

  test("kill -9 of the node that makes it: told on the other in seconds, once, of nothing too", async () => {
    const channels = ["node", "still"];
    // Asked on one: it makes both.
    const first = [client(0, "node", "&n=100000"), client(0, "still", "&silent")];
    const lost = first.map((each) => each.once());
    await until("both", () => channels.every((ch) => lines("made", ch).length === 1));
    const watchers = channels.flatMap((ch) => [client(1, ch, "&n=1"), client(1, ch, "&n=1")]);
    const following = watchers.map((each) => each.follow());
    const moving = [first[0], ...watchers.slice(0, 2)];
    await until("some pieces", () => moving.every((each) => (each?.events.length ?? 0) >= 3));
    const [victim] = nodes;
    if (victim === undefined) throw new Error("no node");
    const pids = [victim.process.pid, ...workerPids(victim)];
    for (const pid of pids) process.kill(pid, "SIGKILL");
    await victim.process.exited;
    await Promise.all([...lost, ...following]);
    for (const each of watchers)
      expect(each.last).toMatchObject({ type: "error", data: "the node that made this answer is gone" });
    // Who was on the node that died comes back here, and hears of it, too.
    const back = await client(1, "node", "", first[0]?.position).follow();
    expect(back.last).toMatchObject({ type: "error", data: "the node that made this answer is gone" });
    const all = await client(1, "node").follow();
    expect(all.events.filter(({ type }) => type === "error").length).toBe(1);
    expect(all.text).toStartWith("<1><2><3>");
    expect(channels.map((ch) => lines("made", ch).length)).toEqual([1, 1]);
    expect((await nodes[1]?.statistics("still"))?.published_messages).toBe(1);
  });

  test("no engine: none is begun (503, Retry-After); who watches one hears of its end later", async () => {
    const watcher = client(1, "cut", "&n=100000");
    const following = watcher.follow();
    await until("pieces", () => watcher.events.length > 3);
    await engine.kill();
    const response = await nodes[1]?.request("/answer?ch=later&n=3");
    expect(response?.status).toBe(503);
    expect(response?.headers.get("retry-after")).toBe("1");
    expect(response?.headers.get("x-nginx-pushstream-explain")).toBe(
      "The cluster's engine cannot be reached.",
    );
    await until("the answer to end", () => lines("closed", "cut").length === 1);
    await engine.start();
    await following;
    expect(watcher.last?.type).toBe("error");
    expect((await client(1, "later", "&n=3").follow()).text).toBe(whole(3));
  });
});
