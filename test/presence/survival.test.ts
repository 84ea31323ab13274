/**
 * Random comings and goings on every transport while a worker is killed with SIGKILL, over the compiled
 * binary with two workers. Afterwards the list is the truth; on the way every member's joins and leaves
 * alternate, nobody is left out, and any list with the events behind it is the last list.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { SECRET } from "../access/issuing.ts";
import { layout, type RunningServer, startServer, until } from "../binary/running-server.ts";
import { randomBelow } from "../random.ts";
import { type Listed, listOf, namesIn, Person, type Told, TRANSPORTS } from "./people.ts";

setDefaultTimeout(60_000);

const MEMBERS = `
token = ["header", "query:token"]
token_issuers = ["app"]
presence = "members"
presence_linger = "1s"
presence_max_events = 0`;

let server: RunningServer;
beforeAll(async () => {
  const toml = `
[[issuer]]
name = "app"
algorithms = ["HS256"]
key = "env:HUB_KEY"
${layout("", {
  sub: `${MEMBERS}\nheader_template = "^"`,
  ev: `${MEMBERS}\nevent_ids = "auto"`,
  lp: `${MEMBERS}\nlongpolling_connection_ttl = "300ms"`,
  ws: `${MEMBERS}\nlast_event_id = "$arg_lastEventId"`,
})}
[[location]]
match = "~ ^/presence/(.*)$"
presence_list = true
channels_path = "$1"
`;
  server = await startServer({ toml, env: { HUB_KEY: SECRET } });
}, 20_000);
afterAll(async () => {
  await server.stop();
});

const seed = Number(process.env["FUZZ_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
const random = randomBelow(seed);

/** The list as it becomes by the events behind it; null: they do not go so far, or some of them are lost. */
function after({ number, members }: Pick<Listed, "number" | "members">, events: readonly Told[]): string[] {
  const there = new Set(members.map(({ sub }) => sub));
  for (const event of events) {
    if (event.number <= number) continue;
    if (event.event === "join") there.add(event.sub ?? "");
    if (event.event === "leave") there.delete(event.sub ?? "");
  }
  return [...there].sort();
}

const run = (events: readonly Told[]): string =>
  events.map(({ event, sub, number }) => `${number % 1e6} ${event} ${sub}`).join("\n");

test(`whoever comes, goes and dies: list, events and truth are one`, async () => {
  const people = Array.from(
    { length: 14 },
    (_, i) => new Person(server, `p${i % 10}`, TRANSPORTS[i % TRANSPORTS.length] ?? "ws", "hall"),
  );
  const watchers = (["ev", "ws", "ev"] as const).map(
    (transport, i) => new Person(server, `w${i}`, transport, "hall"),
  );
  await Promise.all(watchers.map((watcher) => watcher.come()));
  const lists: Listed[] = [];
  const pids = await server.workerPids();
  for (let step = 0; step < 90; step++) {
    const someone = people[random(people.length)];
    if (someone?.wants === true) await someone.go();
    else await someone?.come();
    if (step === 30 || step === 60) process.kill(pids[step === 30 ? 0 : 1] ?? 0, "SIGKILL");
    if (step % 10 === 5) lists.push(await listOf(server, "hall").catch(() => ({}) as Listed));
    await Bun.sleep(random(60));
  }
  const right = [...people, ...watchers].filter(({ wants }) => wants).map(({ sub }) => sub);
  const truth = [...new Set(right)].sort();
  await until(
    `the list is the truth (seed ${seed})`,
    async () => `${namesIn(await listOf(server, "hall"))}` === `${truth}`,
  );
  const last = await listOf(server, "hall");
  await until("all is told", () =>
    watchers.every(({ events }) => (events.at(-1)?.number ?? 0) >= last.number),
  );
  for (const { events, sub } of watchers) {
    const known = new Map<string, string>();
    events.forEach((event, i) => {
      expect(event.event, `${sub}, seed ${seed}\n${run(events)}`).toMatch(/^(join|leave)$/);
      if (i > 0)
        expect(event.number, `${sub}, seed ${seed}\n${run(events)}`).toBe((events[i - 1]?.number ?? 0) + 1);
      const before = known.get(event.sub ?? "");
      if (before !== undefined)
        expect(before, `${sub}: ${event.sub}, seed ${seed}\n${run(events)}`).not.toBe(event.event);
      known.set(event.sub ?? "", event.event);
    });
    for (const list of lists.filter(({ members }) => members !== undefined))
      if ((events[0]?.number ?? Number.POSITIVE_INFINITY) <= list.number + 1)
        expect(after(list, events), `${sub} from ${list.number}, seed ${seed}`).toEqual(truth);
  }
  expect(lists.length).toBeGreaterThan(5);
  await Promise.all([...people, ...watchers].map((person) => person.go()));
  await until("nobody is left", async () => (await listOf(server, "hall")).count === 0);
  expect((await server.request("/presence/hall")).text).toContain('"members":[]');
});
