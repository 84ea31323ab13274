/**
 * Who is there, over the compiled binary with two workers: on every transport, within the linger, in the
 * dialect's eyes, and as a list.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { SECRET } from "../access/issuing.ts";
import { layout, type RunningServer, startServer, until } from "../binary/running-server.ts";
import { runSluice } from "../cli/run-sluice.ts";
import { hook, Receiver } from "../webhooks/receiver.ts";
import { listOf, namesIn, Person, TRANSPORTS } from "./people.ts";

setDefaultTimeout(30_000);

const MEMBERS = `
token = ["header", "query:token"]
token_issuers = ["app"]
require = "optional"
public = ["*"]
presence = "members"
presence_linger = "1s"
presence_info_max = 64`;

const TOML = (): string => `
[store]
unstored_message_ttl = "2s"
${hook(receiver, ["joined", "left"])}
[[issuer]]
name = "app"
algorithms = ["HS256"]
key = "env:HUB_KEY"
${layout("", {
  sub: `${MEMBERS}\nheader_template = "^"\nmessage_template = "<~id~ ~text~>"`,
  ev: `${MEMBERS}\nevent_ids = "auto"`,
  lp: `${MEMBERS}\nlongpolling_connection_ttl = "500ms"\nlast_event_id = "$http_last_event_id"`,
  ws: `${MEMBERS}\nlast_event_id = "$arg_lastEventId"`,
})}
[[location]]
match = "~ ^/counted/(.*)$"
subscriber = "eventsource"
event_ids = "auto"
channels_path = "$1"
presence = "count"
[[location]]
match = "~ ^/plain/(.*)$"
subscriber = "eventsource"
event_ids = "auto"
channels_path = "$1"
[[location]]
match = "~ ^/presence/(.*)$"
presence_list = true
channels_path = "$1"
[[location]]
match = "~ ^/private/(.*)$"
presence_list = true
channels_path = "$1"
token_issuers = ["app"]
`;

let server: RunningServer;
const receiver = new Receiver();
const everybody: Person[] = [];

beforeAll(async () => {
  server = await startServer({ toml: TOML(), env: { HUB_KEY: SECRET } });
}, 20_000);

afterAll(async () => {
  await Promise.all(everybody.map((person) => person.go()));
  await server.stop();
  receiver.stop();
  expect(server.log).not.toContain("stack=");
});

function person(
  ...args: ConstructorParameters<typeof Person> extends [unknown, ...infer Rest] ? Rest : never
): Person {
  const made = new Person(server, ...args);
  everybody.push(made);
  return made;
}

const told = ({ events }: Person): string[] =>
  events.map(({ event, sub, count }) => `${event} ${sub ?? count}`);
const isThere = (channel: string, ...names: string[]) =>
  until(
    `${names} in ${channel}`,
    async () => `${namesIn(await listOf(server, channel))}` === `${names.sort()}`,
  );

test.concurrent.each(TRANSPORTS)(
  "%s: who stands is a member, with what the grant tells, until he is gone",
  async (transport) => {
    const channel = `one-${transport}`;
    const watcher = await person("watcher", "ws", channel).come();
    await until("the watcher", () => told(watcher).length === 1);
    const ann = await person("ann", transport, channel).come();
    await until("ann has joined", () => told(watcher).length === 2);
    const { count, members } = await listOf(server, channel);
    expect(count).toBe(2);
    expect(members.find(({ sub }) => sub === "ann")).toMatchObject({ info: { color: "red", of: "ann" } });
    await ann.go();
    await until("ann has left", () => told(watcher).length === 3);
    expect(told(watcher)).toEqual(["join watcher", "join ann", "leave ann"]);
    expect(watcher.events[1]).toMatchObject({ info: { color: "red", of: "ann" }, count: 2, channel });
  },
);

test.concurrent("tabs on all transports are one member; it leaves with the last", async () => {
  const watcher = await person("watcher", "ev", "tabs").come();
  await until("the watcher", () => told(watcher).length === 1);
  const tabs = TRANSPORTS.map((transport) => person("ann", transport, "tabs"));
  await Promise.all(tabs.map((tab) => tab.come()));
  await until("four", async () =>
    (await listOf(server, "tabs")).members.some(({ connections }) => connections >= 3),
  );
  expect((await listOf(server, "tabs")).count).toBe(2);
  const asked = (id: string, type: string): Promise<string> =>
    server.request(`/channels-stats?id=${id}`, { headers: { Accept: type } }).then(({ text }) => text);
  const json = await asked("tabs", "application/json");
  expect(JSON.parse(json)).toMatchObject({ channel: "tabs", members: 2 });
  expect(JSON.parse(await asked("tabs*", "application/json")).infos).toMatchObject([{ members: 2 }]);
  for (const type of ["text/plain", "application/xml", "application/yaml"])
    expect(await asked("tabs", type)).not.toContain("members");
  const lines = (await runSluice(["stats", "tabs", "--url", server.url])).out;
  expect(lines).toContain("MEMBERS");
  // Nobody was ever a member there.
  await server.publish("plain", "x");
  expect(await asked("plain", "application/json")).not.toContain("members");
  expect((await server.publish("tabs", "x")).text).not.toContain("members");
  await Promise.all(tabs.slice(1).map((tab) => tab.go()));
  await until("one", async () =>
    (await listOf(server, "tabs")).members.every(({ connections }) => connections <= 1),
  );
  expect(told(watcher)).toEqual(["join watcher", "join ann"]);
  await tabs[0]?.go();
  await until("left", () => told(watcher).length === 3);
});

test.concurrent("a reconnect within the linger is no leave and no join, on whichever worker", async () => {
  const watcher = await person("watcher", "ws", "back").come();
  await until("the watcher", () => told(watcher).length === 1);
  const ann = await person("ann", "ev", "back").come();
  for (let time = 0; time < 8; time++) {
    await until("ann is there", () => ann.opened > time);
    await ann.go();
    await ann.come();
  }
  await isThere("back", "ann", "watcher");
  expect(told(watcher)).toEqual(["join watcher", "join ann"]);
});

test.concurrent("a long poll that comes back is the same presence, answered or at its end", async () => {
  const watcher = await person("watcher", "ws", "polls").come();
  await until("the watcher", () => told(watcher).length === 1);
  const ann = await person("ann", "lp", "polls").come();
  const nobody = await person("", "lp", "polls").come();
  await until("both", () => told(watcher).length === 3);
  for (let n = 1; n <= 5; n++) {
    await server.publish("polls", String(n));
    await Bun.sleep(60);
  }
  await until("some polls", () => ann.opened > 8 && nobody.opened > 8);
  expect(told(watcher)).toHaveLength(3);
  expect(watcher.events.find(({ anonymous }) => anonymous === true)?.event).toBe("join");
  await Promise.all([ann.go(), nobody.go()]);
  await until("both left", () => told(watcher).length === 5);
});

test.concurrent("who did not ask sees messages alone: no event, no gap, no id left out", async () => {
  const channel = "dialect";
  const stream = await person("", "sub", channel).come();
  const plain = await person("", "ev", channel, "plain").come();
  await until("they stand", async () => (await server.statistics(channel)).subscribers === 2);
  const people = ["a", "b", "c"].map((name) => person(name, "ws", channel));
  for (const [n, each] of people.entries()) {
    await each.come();
    await until("joined", async () => namesIn(await listOf(server, channel)).includes(each.sub));
    await server.publish(channel, `m${n}`);
  }
  await until("all", () => plain.messages.length === 3 && stream.raw.includes("m2"));
  // Comes back after more of them, with the id of before.
  await plain.go();
  await people[0]?.go();
  await until("a has left", async () => !namesIn(await listOf(server, channel)).includes("a"));
  await server.publish(channel, "m3");
  await plain.come();
  await until("the rest", () => plain.messages.length === 4 && stream.raw.includes("m3"));
  expect([plain.messages, plain.events, plain.lastEventId.includes("~")]).toEqual([
    ["m0", "m1", "m2", "m3"],
    [],
    false,
  ]);
  expect(stream.raw).toBe("^<1 m0><2 m1><3 m2><4 m3>");
  expect((await server.statistics(channel)).published_messages).toBe(4);
});

test.concurrent("list and events fit together from the list's position on, and any event's", async () => {
  const people = Array.from({ length: 6 }, (_, i) => person(`p${i}`, TRANSPORTS[i % 4] ?? "ws", "fit"));
  await Promise.all(people.map((each) => each.come()));
  await isThere("fit", ...people.map(({ sub }) => sub));
  const list = await listOf(server, "fit");
  const late = person("late", "ev", "fit");
  late.lastEventId = list.position;
  await Promise.all([people[0]?.go(), people[1]?.go(), late.come()]);
  await until("they have left", () => late.events.filter(({ event }) => event === "leave").length === 2);
  const there = new Set(namesIn(list));
  let number = list.number;
  for (const event of late.events) {
    expect(event.number).toBe(++number);
    if (event.event === "join") there.add(event.sub ?? "");
    else there.delete(event.sub ?? "");
  }
  expect([...there].sort()).toEqual(namesIn(await listOf(server, "fit")));
});

test.concurrent("whoever was away for longer than events rest is told that some are lost", async () => {
  const ann = await person("ann", "ev", "away").come();
  await until("ann has heard of herself", () => ann.events.length === 1);
  await ann.go();
  await isThere("away");
  let tries = 0;
  await until("they rest no longer", async () => {
    // Another each time: whoever comes back within the linger does not join.
    const late = person(`late${tries++}`, "ev", "away");
    late.lastEventId = ann.lastEventId;
    await late.come();
    await until("something is told", () => late.events.some(({ sub }) => sub === late.sub));
    await late.go();
    const [first, second] = late.events;
    if (first?.event !== "lost") return false;
    // So many as lie between where she was and what comes next.
    expect(first.number - (ann.events[0]?.number ?? 0)).toBe(first.missed ?? 0);
    expect(second?.number).toBe(first.number + 1);
    return true;
  });
  // Of another life of the store: messages are gone, too, and it begins with whoever is there.
  const stale = person("stale", "ev", "away");
  stale.lastEventId = ann.lastEventId.replace(/^.*?-/, "1-");
  await stale.come();
  await until("told", () => stale.events.some(({ sub }) => sub === "stale"));
  expect(stale.messages).toEqual(["gap"]);
});

test.concurrent("a location that counts tells how many there are, once a second, and no names", async () => {
  const people = Array.from({ length: 5 }, () => person("", "ev", "crowd", "counted"));
  await Promise.all(people.map((each) => each.come()));
  await until("five", () => people.every(({ events }) => events.at(-1)?.count === 5));
  for (const { events } of people) {
    expect(events.length).toBeLessThanOrEqual(3);
    expect(events.every(({ event, sub }) => event === "occupancy" && sub === undefined)).toBeTrue();
  }
  expect(await listOf(server, "crowd")).toMatchObject({ count: 5, members: [] });
});

test.concurrent("webhooks are told of each by name, on whichever worker", async () => {
  const people = ["ann", "bob"].map((name) => person(name, "ev", "hooked"));
  const [ann, bob] = people;
  await ann?.come();
  await isThere("hooked", "ann");
  await bob?.come();
  await isThere("hooked", "ann", "bob");
  await ann?.go();
  const told = () => receiver.events.filter(({ channel }) => channel === "hooked");
  await until("three", () => told().length === 3);
  expect(told().map(({ event, sub, count }) => [event, sub, count])).toEqual([
    ["joined", "ann", 1],
    ["joined", "bob", 2],
    ["left", "ann", 1],
  ]);
  expect(told()[1]).toMatchObject({ info: { color: "red", of: "bob" } });
});

test.concurrent("sluice presence shows a table, or the JSON; and says where there is none", async () => {
  await person("ann", "ev", "shown").come();
  await person("", "ws", "shown").come();
  await until("two", async () => (await listOf(server, "shown")).count === 2);
  const table = await runSluice(["presence", "shown", "--url", server.url]);
  expect(table.out).toMatch(/^MEMBER .*CONNECTIONS .*FOR .*INFO\n/);
  expect(table.out).toMatch(/\nann +1 .*"color":"red"/);
  expect(table.out).toMatch(/\n~\S{12} +1 /);
  expect(table.out).toEndWith("2 members\n");
  const json = await runSluice(["presence", "shown", "--url", server.url, "--json"]);
  expect(JSON.parse(json.out)).toMatchObject({ channel: "shown", count: 2 });
  const elsewhere = await runSluice(["presence", "a", "--url", `${server.url}/none`]);
  expect([elsewhere.code, elsewhere.err]).toEqual([1, expect.stringContaining("presence_list")]);
  expect(await server.metric("sluice_presence_members")).toBeGreaterThanOrEqual(2);
});

describe("bad input", () => {
  test.concurrent("info that is too large is left out, and the log says so", async () => {
    const long = "x".repeat(256);
    await person(long, "ev", "large").come();
    await isThere("large", long);
    expect((await listOf(server, "large")).members[0]?.info).toBeUndefined();
    await until("said", () => server.log.includes("presence_info_max"));
  });

  test.concurrent("a list says what is wrong with what it is asked", async () => {
    const status = async (path: string, init?: RequestInit) => (await server.request(path, init)).status;
    expect(await status("/presence/a/b")).toBe(400);
    expect(await status("/presence/")).toBe(400);
    expect(await status("/presence/room", { method: "POST", body: "x" })).toBe(405);
    expect(await status("/private/room")).toBe(401);
    expect(JSON.parse((await server.request("/presence/nobody-was-ever-here")).text)).toMatchObject({
      channel: "nobody-was-ever-here",
      count: 0,
      number: 0,
      members: [],
    });
  });
});
