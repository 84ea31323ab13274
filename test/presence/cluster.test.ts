/**
 * Who is there on several nodes: one list, and one member however many nodes he is on. Nodes that go:
 * store/members.test.ts, cluster/notes.test.ts.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { SECRET } from "../access/issuing.ts";
import { layout, type RunningServer, startServer, until } from "../binary/running-server.ts";
import { Engine, hasRedis } from "../cluster/engine.ts";
import { listOf, namesIn, Person } from "./people.ts";

setDefaultTimeout(60_000);

const MEMBERS = `
token = ["header", "query:token"]
token_issuers = ["app"]
presence = "members"
presence_linger = "1s"`;

const nodes: RunningServer[] = [];
let engine: Engine;

beforeAll(async () => {
  if (!hasRedis) return;
  engine = await new Engine().start();
  const toml = (node: string): string => `
[cluster]
engine = "redis://127.0.0.1:${engine.port}"
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
  for (const node of ["one", "two"])
    nodes.push(await startServer({ toml: toml(node), env: { HUB_KEY: SECRET } }));
}, 30_000);

afterAll(async () => {
  await Promise.all(nodes.map((node) => node.stop()));
  await engine?.stop();
});

const told = ({ events }: Person): string[] => events.map(({ event, sub }) => `${event} ${sub}`);

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
});
