/**
 * The events channel as an nginx.conf declares it (push-stream spec 7, A.3), over raw sockets on the compiled
 * binary: what is told of whom in which order, who may read it, its limits. Each server runs once with
 * addresses that Bun serves itself, and once with a stream without header template, which takes another road.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { channelInfo, expectHeaderOnly, expectJson } from "../binary/answer-checks.ts";
import { ask, type RawAnswer, RawConnection, standing } from "../binary/raw-client.ts";
import { Opcode, RawWebSocket } from "../binary/raw-web-socket.ts";
import { type RunningServer, until } from "../binary/running-server.ts";
import { startNginx } from "./nginx-server.ts";

const ALLOWED = "push_stream_allow_connections_to_events_channel on;";
const LINES = 'push_stream_message_template "~event-type~|~event-id~|~text~\\n";';
const READ_ONLY = "Only internal routines can change events channel.";
const NOT_ALLOWED = "Subscription to events channel is not allowed.";
const MODES = { st: "streaming", ev: "eventsource", lp: "long-polling", po: "polling" } as const;
const HEADER = "push_stream_header_template HEADER;";

const subscriber = (name: string, mode: string, rest = ""): string => `
  location ~ ^/${name}/(.*)$ { push_stream_subscriber ${mode}; push_stream_channels_path $1; ${rest} }`;
const LOCATIONS = `
  ${Object.entries(MODES)
    .map(([name, mode]) => {
      const header = mode === "streaming" ? HEADER : "";
      return subscriber(name, mode, header) + subscriber(`x-${name}`, mode, `${header} ${LINES} ${ALLOWED}`);
    })
    .join("")}
  ${subscriber("ws", "websocket")}
  ${subscriber(
    "x-ws",
    "websocket",
    `${ALLOWED} push_stream_websocket_allow_publish on; push_stream_store_messages on;`,
  )}
  ${subscriber("short-ev", "eventsource", "push_stream_subscriber_connection_ttl 200ms;")}
  ${subscriber("short-lp", "long-polling", "push_stream_longpolling_connection_ttl 200ms;")}
  ${subscriber("known", "eventsource", "push_stream_authorized_channels_only on;")}
  ${subscriber("tags", "polling", `${ALLOWED} push_stream_message_template "~time~ ~tag~\\n";`)}
  location /in-if {
    push_stream_subscriber polling; push_stream_channels_path $arg_id;
    if ($arg_allow) { ${ALLOWED} }
  }
`;
const NATIVE = "sluice_listener native;";
const SILENT = "location ~ ^/sub/(.*)$ { push_stream_subscriber; push_stream_channels_path $1; }";

const ways: readonly (readonly [string, number, string])[] = [
  ["native, 1 worker", 1, NATIVE],
  ["wire listener, 2 workers", 2, SILENT],
];

const start = (workers: number, silent: string, http: string) =>
  startNginx({ workers, http: `push_stream_events_channel_id X; ${http}`, locations: LOCATIONS + silent });

/** What a test asks of a server. */
class Events {
  readonly server: RunningServer;
  constructor(server: RunningServer) {
    this.server = server;
  }

  get(path: string): Promise<RawAnswer> {
    return ask(this.server.port, path);
  }

  publish(id: string, body = "x"): Promise<RawAnswer> {
    return ask(this.server.port, `/pub?id=${id}`, { method: "POST", body });
  }

  remove(id: string): Promise<RawAnswer> {
    return ask(this.server.port, `/pub?id=${id}`, { method: "DELETE" });
  }

  standing(channel: string, count = 1): Promise<void> {
    return standing(this.server.port, channel, count);
  }

  async open(path: string): Promise<RawConnection> {
    const connection = await RawConnection.open(this.server.port);
    connection.request(path);
    return connection;
  }

  /** Everything that is stored, as "channel_created a"; the form of each is checked. */
  async all(): Promise<string[]> {
    const { body } = await this.get("/x-po/X.b100000");
    const lines = body.toString().split("\n").slice(0, -1);
    return lines.map((line) => {
      const [, type, name] = /^([a-z]+_[a-z]+)\|\|\{"type": "\1", "channel": "([^"]*)"\}$/.exec(line) ?? [];
      if (type === undefined) throw new Error(`no event: ${line}`);
      return `${type} ${name}`;
    });
  }

  /** Of these channels. */
  async told(names: readonly string[]): Promise<string[]> {
    return (await this.all()).filter((event) => names.includes(event.slice(event.indexOf(" ") + 1)));
  }

  /** Waits until that much was told, and that nothing else was. */
  async toldAtLast(names: readonly string[], expected: readonly string[]): Promise<void> {
    const now = (): Promise<string[]> => this.told(names).catch(() => []);
    await until(expected.join(", "), async () => (await now()).length >= expected.length);
    expect(await this.told(names)).toEqual([...expected]);
  }
}

const of = (type: string, ...names: readonly string[]): string[] => names.map((name) => `${type} ${name}`);
const created = (...names: readonly string[]) => of("channel_created", ...names);
const subscribed = (...names: readonly string[]) => of("client_subscribed", ...names);
const unsubscribed = (...names: readonly string[]) => of("client_unsubscribed", ...names);
const destroyed = (...names: readonly string[]) => of("channel_destroyed", ...names);

describe.each(ways)("%s", (_, workers, silent) => {
  let events: Events;
  let channels = 0;
  const fresh = (): string => `e${++channels}`;

  beforeAll(async () => {
    events = new Events(await start(workers, silent, ""));
  });
  afterAll(async () => {
    expect(events.server.log).not.toContain("failed");
    await events.server.stop();
  });

  describe("sequences (A.3)", () => {
    test("a first publish, and a second", async () => {
      const [a, b] = [fresh(), fresh()];
      await events.publish(`${a}/${b}`);
      await events.publish(a);
      expect(await events.told([a, b])).toEqual(created(a, b));
    });

    test("a publish that is refused after a channel was made for it (2.1)", async () => {
      const [a, b, c] = [fresh(), fresh(), fresh()];
      expect((await events.publish(a, "")).status).toBe(400);
      expect((await events.publish(`${b}/X/${c}`)).status).toBe(403);
      expect(await events.told([a, b, c])).toEqual(created(a, b));
    });

    test("a poll for a new channel makes none; polls that are answered at once", async () => {
      const a = fresh();
      expect((await events.get(`/po/${a}`)).status).toBe(304);
      expect(await events.told([a])).toEqual([]);
      await events.publish(a);
      for (const mode of ["po", "lp"]) expect((await events.get(`/${mode}/${a}.b1`)).status).toBe(200);
      expect(await events.told([a])).toEqual(created(a));
    });

    test("who is refused", async () => {
      const [a, b] = [fresh(), fresh()];
      for (const path of [`/ev/${a}/ALL`, `/lp/${a}/X`, `/known/${a}/${b}`, `/st/${a}/b*`])
        expect((await events.get(path)).status).toBe(403);
      const socket = await RawWebSocket.open(events.server.port, `/ws/${a}/X`);
      await socket.connection.untilEnd();
      expect(await events.told([a, b])).toEqual([]);
    });

    const held = ["st", "ev", "lp", "ws", ...(silent === NATIVE ? [] : ["sub"])];
    test.each(held)("an existing channel, two new ones, and the disconnect: %s", async (mode) => {
      const [a, b, c] = [fresh(), fresh(), fresh()];
      await events.publish(a);
      const path = `/${mode}/${a}/${b}/${c}`;
      const connection =
        mode === "ws" ? await RawWebSocket.open(events.server.port, path) : await events.open(path);
      const came = [...created(a, b, c), ...subscribed(a, b, c)];
      await events.toldAtLast([a, b, c], came);
      connection.close();
      await events.toldAtLast([a, b, c], [...came, ...unsubscribed(a, b, c)]);
    });

    test("a waiting long poll that is answered, one that times out, a stream whose ttl is over", async () => {
      const [a, b, c] = [fresh(), fresh(), fresh()];
      const poll = await events.open(`/lp/${a}`);
      await events.standing(a);
      await events.publish(a, "news");
      expect((await poll.answer()).body.toString()).toBe("news");
      const late = await events.open(`/short-lp/${b}`);
      const stream = await events.open(`/short-ev/${c}`);
      expect((await late.answer()).status).toBe(304);
      await stream.answer();
      for (const name of [a, b, c])
        expect(await events.told([name])).toEqual([
          ...created(name),
          ...subscribed(name),
          ...unsubscribed(name),
        ]);
      for (const one of [poll, late, stream]) one.close();
    });

    test("a WebSocket that its client closes, and one that sends what is refused", async () => {
      const a = fresh();
      const expected = [...created(a)];
      for (const opcode of [Opcode.CLOSE, Opcode.BINARY]) {
        const socket = await RawWebSocket.open(events.server.port, `/ws/${a}`);
        socket.sendFrame(opcode);
        await socket.connection.untilEnd();
        expected.push(...subscribed(a), ...unsubscribed(a));
        // The next may come to another worker before this one has heard that its client is gone.
        await events.toldAtLast([a], expected);
      }
    });
  });

  describe("the channel itself", () => {
    test("nobody changes it", async () => {
      const before = await events.all();
      for (const method of ["POST", "PUT", "DELETE"]) {
        const answer = await ask(events.server.port, "/pub?id=X", { method, body: "x" });
        expectHeaderOnly(answer, { status: 403, explain: READ_ONLY });
      }
      expect(await events.all()).toEqual(before);
      expect((await events.told(["X"])).length).toBe(0);
    });

    test("is counted and listed as a channel, its messages are not the zone's (0.4)", async () => {
      const summary = async () => JSON.parse((await events.get("/channels-stats")).body.toString());
      const own = async () => JSON.parse((await events.get("/pub?id=X")).body.toString());
      const infos = async () => JSON.parse((await events.get("/channels-stats?id=ALL")).body.toString());
      const [zone, x] = [await summary(), await own()];
      expect(x.channel).toBe("X");
      expect((await infos()).infos[0].channel).toBe("X");
      expect((await infos()).channels).toBe((await infos()).infos.length);
      const a = fresh();
      await events.publish(a);
      expect((await summary()).published_messages).toBe(zone.published_messages + 1);
      const later = await own();
      expect(later.published_messages).toBeGreaterThan(x.published_messages);
      expect(later.stored_messages).toBe(later.published_messages);
      expectJson(await events.get(`/pub?id=${a}`), channelInfo(a, 1, 1));
    });

    test("events take tags of the zone (6.1)", async () => {
      const last = async (path: string): Promise<string[]> =>
        (await events.get(path)).body
          .toString()
          .trim()
          .split(/ (?=\d+$)/);
      for (let tries = 0; ; tries++) {
        const a = fresh();
        await events.publish(a);
        const [told, message] = [await last("/tags/X.b1"), await last(`/tags/${a}.b1`)];
        // Another event, or the next second, may have come in between.
        if (told[0] === message[0] && Number(told[1]) + 1 === Number(message[1])) break;
        expect(tries).toBeLessThan(20);
      }
    });

    test.each(["po", "lp", "st", "ev"])("without the directive: 403 (%s)", async (mode) => {
      for (const path of [`/${mode}/X`, `/${mode}/X.b3`, `/${mode}/other/X`]) {
        const answer = await events.get(path);
        expectHeaderOnly(answer, { status: 403, explain: NOT_ALLOWED });
      }
    });

    test("the directive inside an if; a WebSocket's refusal", async () => {
      expectHeaderOnly(await events.get("/in-if?id=X"), { status: 403, explain: NOT_ALLOWED });
      expect((await events.get("/in-if?id=X.b1&allow=1")).status).toBe(200);
      const socket = await RawWebSocket.open(events.server.port, "/ws/X");
      const text = `{"http_status": 403, "explain":"${NOT_ALLOWED}"}`;
      const bytes = `\x88${String.fromCharCode(text.length + 2)}\x03\xf0${text}`;
      expect((await socket.connection.untilEnd()).toString("latin1")).toBe(bytes);
    });

    test("eventsource: the event's name is its type", async () => {
      const stream = await events.open("/x-ev/X");
      await events.standing("X");
      const a = fresh();
      await events.publish(a);
      await stream.head();
      const text =
        ": \nevent: channel_created\n" +
        `data: channel_created||{"type": "channel_created", "channel": "${a}"}\n\n`;
      expect((await stream.chunkedText(text.length)).replace("\\n", "")).toBe(text);
      stream.close();
      await events.standing("X", 0);
    });

    test("a request for it and another channel first hears of its own coming", async () => {
      const [a, b] = [fresh(), fresh()];
      const socket = await RawWebSocket.open(events.server.port, `/x-ws/X/${a}`);
      expect(await socket.text()).toBe(`{"type": "client_subscribed", "channel": "${a}"}`);
      const stream = await events.open(`/x-st/X/${b}`);
      await stream.head();
      const text = `HEADERclient_subscribed||{"type": "client_subscribed", "channel": "${b}"}\n`;
      expect(await stream.chunkedText(text.length)).toBe(text);
      for (const one of [socket, stream]) one.close();
      await events.standing("X", 0);
    });

    test("a waiting long poll gets one event and is done", async () => {
      const [a, b] = [fresh(), fresh()];
      const polls = await Promise.all(Array.from({ length: 4 }, () => events.open("/x-lp/X")));
      await events.standing("X", 4);
      await events.publish(`${a}/${b}`);
      for (const poll of polls) {
        const answer = await poll.answer();
        expect(answer.body.toString()).toBe(
          `channel_created||{"type": "channel_created", "channel": "${a}"}\n`,
        );
        expect(answer.fields.get("etag")).toMatch(/^W\/\d+$/);
        poll.close();
      }
      await events.standing("X", 0);
    });

    test("a WebSocket that may publish publishes to its other channels", async () => {
      const a = fresh();
      const socket = await RawWebSocket.open(events.server.port, `/x-ws/X/${a}`);
      await socket.text();
      const { published_messages: before } = JSON.parse((await events.get("/pub?id=X")).body.toString());
      socket.sendFrame(Opcode.TEXT, "hello");
      expect(await socket.text()).toBe("hello");
      expectJson(await events.get(`/pub?id=${a}`), channelInfo(a, 1, 1, 1));
      expectJson(await events.get("/pub?id=X"), channelInfo("X", before, before, 1));
      socket.close();
      await events.standing("X", 0);
    });
  });

  test("DELETE: who stood there leaves, then the channel is destroyed, in this order for all", async () => {
    const readers = await Promise.all(
      Array.from({ length: 4 }, () => RawWebSocket.open(events.server.port, "/x-ws/X")),
    );
    await events.standing("X", 4);
    const names = Array.from({ length: 12 }, fresh);
    const [kept, ...gone] = [fresh(), ...names];
    await Promise.all(
      gone.map(async (name) => {
        const socket = await RawWebSocket.open(events.server.port, `/ws/${name}`);
        const streams = await Promise.all([1, 2, 3].map(() => events.open(`/ev/${name}/${kept}`)));
        await events.standing(name, 4);
        await events.publish(name);
        expect((await events.remove(name)).status).toBe(200);
        await socket.connection.untilEnd();
        for (const stream of streams) stream.close();
      }),
    );
    await until("the end of all", async () => (await events.told(names)).length === 10 * names.length);
    const all = await events.told(names);
    for (const name of names) {
      const own = all.filter((event) => event.endsWith(` ${name}`));
      const four = [name, name, name, name];
      expect(own).toEqual([
        ...created(name),
        ...subscribed(...four),
        ...unsubscribed(...four),
        ...destroyed(name),
      ]);
    }
    // Who lost one channel stayed in the other.
    await until("who has left", async () => (await events.told([kept])).length === 1 + 6 * names.length);
    for (const reader of readers) {
      const heard: string[] = [];
      while (heard.length < all.length) {
        const { type, channel } = JSON.parse(await reader.text());
        if (names.includes(channel)) heard.push(`${type} ${channel}`);
      }
      expect(heard).toEqual(all);
      reader.close();
    }
  });
});

/** Both at once: they wait for timers most of the time. */
const onBoth = (run: (workers: number, silent: string) => Promise<void>) => (): Promise<unknown> =>
  Promise.all([run(1, NATIVE), run(2, SILENT)]);

describe("servers of their own", () => {
  const eighty = async (workers: number, silent: string): Promise<void> => {
    const http =
      "push_stream_max_messages_stored_per_channel 20; push_stream_channel_inactivity_time 1s; " +
      "push_stream_message_ttl 6s;";
    const events = new Events(await start(workers, silent, http));
    const names = Array.from({ length: 20 }, (_, i) => `c${i}`);
    const now = async (): Promise<string> => (await events.get("/pub?id=X")).body.toString();
    const reaches = async (count: number, stored: number): Promise<void> => {
      const expected = channelInfo("X", count, stored);
      await until(expected, async () => (await now()) === expected);
    };
    try {
      const streams = await Promise.all(names.map((name) => events.open(`/ev/${name}`)));
      await reaches(40, 20);
      expect((await events.remove(names.slice(0, 10).join("/"))).status).toBe(200);
      await reaches(60, 20);
      for (const stream of streams) stream.close();
      await reaches(80, 20);
      const last = await events.told(names.slice(10));
      for (const name of names.slice(10))
        expect(last.filter((event) => event.endsWith(` ${name}`))).toEqual([
          ...unsubscribed(name),
          ...destroyed(name),
        ]);
      const summary = JSON.parse((await events.get("/channels-stats")).body.toString());
      expect([summary.channels, summary.published_messages, summary.stored_messages]).toEqual([1, 0, 0]);
      // Its messages expire, it is not collected.
      await reaches(80, 0);
    } finally {
      await events.server.stop();
    }
  };
  test(
    "20 subscribers on 20 channels: 40 events, 60 after 10 deletions, 80 at last; 20 stored expire",
    onBoth(eighty),
    30_000,
  );

  const reload = async (workers: number, silent: string): Promise<void> => {
    const events = new Events(await start(workers, silent, ""));
    const { server } = events;
    try {
      const stream = await events.open("/x-ev/X/a");
      await events.standing("a");
      const before = await server.workerPids();
      const conf = readFileSync(server.configFile, "utf8");
      const name = "push_stream_events_channel_id";
      writeFileSync(server.configFile, conf.replace(`${name} X`, `${name} Y`));
      process.kill(server.process.pid, "SIGHUP");
      await stream.answer();
      await until("new workers", async () => {
        const pids = await server.workerPids().catch(() => before);
        return pids.length === workers && pids.every((pid) => !before.includes(pid));
      });
      for (const id of ["b", "Y"]) expect((await events.publish(id)).status).toBe(200);
      expect((await events.publish("X")).status).toBe(403);
      await events.toldAtLast(
        ["a", "b", "Y", "X"],
        [...created("a"), ...subscribed("a"), ...unsubscribed("a"), ...created("b", "Y")],
      );
      stream.close();
    } finally {
      await server.stop();
    }
  };
  test("a reload goes on with it; another id is for the next start", onBoth(reload), 30_000);
});
