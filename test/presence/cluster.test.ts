/**
 * Who is there on several nodes: one list, one member however many nodes he is on, and webhooks that are told
 * so once. Nodes that go: store/members.test.ts, cluster/notes.test.ts.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { SECRET } from "../access/issuing.ts";
import { layout, type RunningServer, startServer, until } from "../binary/running-server.ts";
import { Engine, hasRedis, Wire } from "../cluster/engine.ts";
import { hook, Receiver } from "../webhooks/receiver.ts";
import { listOf, namesIn, Person } from "./people.ts";

setDefaultTimeout(60_000);

const MEMBERS = `
token = ["header", "query:token"]
token_issuers = ["app"]
presence = "members"
presence_linger = "1s"`;

const nodes: RunningServer[] = [];
const receiver = new Receiver();
let engine: Engine;

const toml = (node: string, port = engine.port): string => `
${hook(receiver, ["joined", "left"])}
[cluster]
engine = "redis://127.0.0.1:${port}"
node = "${node}"
[store]
size = "4MiB"
[[issuer]]
name = "app"
algorithms = ["HS256"]
key = "env:HUB_KEY"
${layout("", {
  ev: `${MEMBERS}\nevent_ids = "auto"`,
  lp: `${MEMBERS}\nlongpolling_connection_ttl = "300ms"`,
  ws: `${MEMBERS}\nlast_event_id = "$arg_lastEventId"`,
})}
[[location]]
match = "~ ^/presence/(.*)$"
presence_list = true
channels_path = "$1"
`;

beforeAll(async () => {
  if (!hasRedis) return;
  engine = await new Engine().start();
  for (const node of ["one", "two"])
    nodes.push(await startServer({ toml: toml(node), workers: 2, env: { HUB_KEY: SECRET } }));
}, 30_000);

afterAll(async () => {
  await Promise.all(nodes.map((node) => node.stop()));
  receiver.stop();
  await engine?.stop();
});

const isBack = ({ opened }: Person): boolean => opened > 1;
const told = ({ events }: Person): string[] => events.map(({ event, sub }) => `${event} ${sub}`);
const hooked = (channel: string): string[] =>
  receiver.events
    .filter((event) => event.channel === channel)
    .map((event) => `${event.event} ${String(event["sub"])}`);

test.skipIf(!hasRedis)("a member is one on all nodes, and leaves with the last", async () => {
  const [one, two] = nodes;
  if (one === undefined || two === undefined) throw new Error("no nodes");
  const everywhere = (...names: string[]) =>
    until(`${names} on both`, async () => {
      const lists = await Promise.all([one, two].map((node) => listOf(node, "room")));
      return lists.every((list) => `${namesIn(list)}` === `${names.sort()}`);
    });
  const watcher = await new Person(one, "watcher", "ws", "room").come();
  await everywhere("watcher");
  const here = await new Person(one, "ann", "ev", "room").come();
  await everywhere("ann", "watcher");
  const there = await new Person(two, "ann", "lp", "room").come();
  await until("ann on both nodes", async () =>
    (await listOf(one, "room")).members.some(({ connections }) => connections === 2),
  );
  const bob = await new Person(two, "bob", "ws", "room").come();
  await everywhere("ann", "bob", "watcher");
  expect((await listOf(one, "room")).members.find(({ sub }) => sub === "bob")?.info).toEqual({
    color: "red",
    of: "bob",
  });
  for (const node of [one, two])
    await until("the sums on both nodes", async () => {
      const { members, subscribers } = (await node.statistics("room")) as Record<string, number>;
      return members === 3 && (subscribers === 4 || subscribers === 3); // between two polls he is away
    });
  // Away from one node, and still there; then on neither.
  await here.go();
  await until("one is left", async () =>
    (await listOf(one, "room")).members.every(({ connections }) => connections === 1),
  );
  expect(told(watcher)).toEqual(["join watcher", "join ann", "join bob"]);
  await there.go();
  await everywhere("bob", "watcher");
  await until("told", () => told(watcher).at(-1) === "leave ann");
  // Comes back on the other node in time: nothing has happened.
  await bob.go();
  const again = await new Person(one, "bob", "ev", "room").come();
  await everywhere("bob", "watcher");
  await Bun.sleep(1500);
  expect(told(watcher)).toEqual(["join watcher", "join ann", "join bob", "leave ann"]);
  await Promise.all([watcher.go(), again.go()]);
  await until("webhooks to be told", () => hooked("room").length >= 6);
  expect(hooked("room").slice(0, 4)).toEqual(["joined watcher", "joined ann", "joined bob", "left ann"]);
  expect(hooked("room").slice(4).sort()).toEqual(["left bob", "left watcher"]);
});

test.skipIf(!hasRedis)(
  "whose worker dies before other nodes have heard of him, and who is back on another, is there on all",
  async () => {
    const [one, two] = nodes;
    if (one === undefined || two === undefined) throw new Error("no nodes");
    const names = Array.from({ length: 12 }, (_, at) => `p${10 + at}`);
    const pids = await one.workerPids();
    // The store takes them in, and no note gets out.
    engine.signal("SIGSTOP");
    const people = await Promise.all(names.map((name) => new Person(one, name, "ev", "untold").come()));
    await until("all are in the table", async () => namesIn(await listOf(one, "untold")).length === 12);
    process.kill(pids[1] ?? 0, "SIGKILL");
    // One note of a worker is on its way to the engine, the others wait behind it.
    await until("those of the dead worker are back", () => people.filter(isBack).length > 1);
    engine.signal("SIGCONT");
    await until(
      "the other node knows all of them",
      async () => `${namesIn(await listOf(two, "untold"))}` === `${names}`,
      15_000,
    );
    await Promise.all(people.map((person) => person.go()));
    await until("webhooks to be told", () => hooked("untold").length >= 24);
    for (const name of names)
      expect(hooked("untold").filter((text) => text.endsWith(` ${name}`))).toEqual([
        `joined ${name}`,
        `left ${name}`,
      ]);
  },
);

test.skipIf(!hasRedis)(
  "who left while a node was cut off, longer than the log reaches, is not listed there when it is back",
  async () => {
    const [one] = nodes;
    if (one === undefined) throw new Error("no nodes");
    const wire = new Wire(engine.port);
    const away = await startServer({ toml: toml("away", wire.port), workers: 1, env: { HUB_KEY: SECRET } });
    const people = await Promise.all(
      ["goes", "stays"].map((name) => new Person(one, name, "ev", "unseen").come()),
    );
    const watcher = await new Person(away, "watcher", "ws", "unseen").come();
    const isListed = (node: RunningServer, ...names: string[]) =>
      until(`${names} to be listed`, async () => `${namesIn(await listOf(node, "unseen"))}` === `${names}`);
    for (const node of [one, away]) await isListed(node, "goes", "stays", "watcher");
    const nowhere = new Engine();
    wire.switchTo(nowhere.port);
    await people[0]?.go();
    await isListed(one, "stays", "watcher");
    await engine.call("XTRIM", "{sluice:main:0}log", "MAXLEN", "0");
    await Promise.all([isListed(away, "goes", "stays", "watcher"), nowhere.stop()]);
    wire.switchTo(engine.port);
    await isListed(away, "stays", "watcher");
    await until("it to be told", () => told(watcher).includes("leave goes"));
    // Who is there still was not taken for gone in between.
    expect(told(watcher).filter((text) => text.startsWith("leave"))).toEqual(["leave goes"]);
    await Promise.all([people[1]?.go(), watcher.go()]);
    await away.stop();
    wire.stop();
  },
);

/** All of it at once, and its main first: it would start workers again. */
async function kill(node: RunningServer): Promise<void> {
  const pids = await node.workerPids();
  node.process.kill("SIGKILL");
  for (const pid of pids) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It went with its main.
    }
  }
  await node.process.exited;
}

test.skipIf(!hasRedis)(
  "the members of a node that is killed have left when it is back, or is silent for too long; told once",
  async () => {
    const counts = await Promise.all(nodes.map((node) => node.metric("sluice_webhook_sent_events_total")));
    const sending = (counts[0] ?? 0) > (counts[1] ?? 0) ? 0 : 1;
    const dying = nodes[sending];
    const other = nodes[1 - sending];
    if (dying === undefined || other === undefined) throw new Error("no nodes");
    const silent = await startServer({ toml: toml("three"), workers: 1, env: { HUB_KEY: SECRET } });
    const stays = await new Person(other, "stays", "ev", "fate").come();
    const watcher = await new Person(other, "watcher", "ws", "fate").come();
    const lost = await new Person(dying, "lost", "ev", "fate").come();
    const buried = await new Person(silent, "buried", "ws", "fate").come();
    await until("all are told", () => hooked("fate").length === 4);
    for (const person of [lost, buried]) person.wants = false;
    await Promise.all([kill(dying), kill(silent)]);
    const name = sending === 0 ? "one" : "two";
    nodes[sending] = await startServer({
      toml: toml(name),
      folder: dying.folder,
      workers: 2,
      env: { HUB_KEY: SECRET },
    });
    await until("the one is told", () => hooked("fate").includes("left lost"), 20_000);
    await until("and the other", () => hooked("fate").includes("left buried"), 20_000);
    // The one that told the webhook may have read further than the other.
    for (const node of nodes)
      await until(
        "the others alone",
        async () => `${namesIn(await listOf(node, "fate"))}` === "stays,watcher",
      );
    await Promise.all([stays.go(), watcher.go()]);
    await until("those who go", () => hooked("fate").filter((text) => /^left [sw]/.test(text)).length === 2);
    // What was told a few seconds before another node took over may come twice; that is over by then.
    const joined = ["buried", "lost", "stays", "watcher"].map((sub) => `joined ${sub}`);
    expect([...new Set(hooked("fate"))].filter((text) => text.startsWith("joined")).sort()).toEqual(joined);
    expect(hooked("fate").filter((text) => text === "left buried")).toEqual(["left buried"]);
    expect([...new Set(told(watcher))].filter((text) => text.startsWith("leave")).sort()).toEqual([
      "leave buried",
      "leave lost",
    ]);
    await silent.stop();
  },
);
