/**
 * Statistics locations as an nginx.conf declares them (push-stream spec 5, A.1), over raw sockets on the
 * compiled binary and over real traffic: every format byte for byte, numbers that are right at once after
 * whatever ended a connection, pids that are processes. Each server runs once with addresses that Bun serves
 * itself, and once with a stream without header template, which takes another road.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { channelInfo, expectAntiCache, expectHeaderOnly } from "../binary/answer-checks.ts";
import { ask, RawConnection, standing } from "../binary/raw-client.ts";
import { Opcode, RawWebSocket } from "../binary/raw-web-socket.ts";
import { type RunningServer, until } from "../binary/running-server.ts";
import { startNginx } from "./nginx-server.ts";

const MAX_ID = 40;
const HTTP = `
  push_stream_max_messages_stored_per_channel 2;
  push_stream_wildcard_channel_prefix bd_;
  push_stream_max_channel_id_length ${MAX_ID};
  push_stream_allowed_origins *;
`;
const subscriber = (name: string, mode: string, rest = ""): string => `
  location ~ ^/${name}/(.*)$ { push_stream_subscriber ${mode}; push_stream_channels_path $1; ${rest} }`;
const SHORT = "push_stream_subscriber_connection_ttl 300ms; push_stream_footer_template BYE;";
const LOCATIONS = `
  location /unstored { push_stream_publisher; push_stream_channels_path $arg_id; }
  location /stats-of-one {
    push_stream_channels_statistics; push_stream_channels_path $arg_id;
    if ($arg_other) { push_stream_channels_path other_$arg_other; }
  }
  ${subscriber("st", "streaming", "push_stream_header_template HEADER;")}
  ${subscriber("ev", "eventsource")}
  ${subscriber("lp", "long-polling")}
  ${subscriber("po", "polling")}
  ${subscriber("ws", "websocket", "push_stream_header_template HEADER;")}
  ${subscriber("short-st", "streaming", `push_stream_header_template HEADER; ${SHORT}`)}
  ${subscriber("short-ev", "eventsource", SHORT)}
  ${subscriber("short-lp", "long-polling", SHORT)}
  ${subscriber("short-ws", "websocket", SHORT)}
`;
const NATIVE = "sluice_listener native;";
const SILENT = "location ~ ^/sub/(.*)$ { push_stream_subscriber; push_stream_channels_path $1; }";

const ways: readonly (readonly [string, number, string])[] = [
  ["native, 2 workers", 2, NATIVE],
  ["wire listener, 1 worker", 1, SILENT],
];

const start = (workers: number, silent: string, basics = "push_stream_shared_memory_size 10m;") =>
  startNginx({
    workers,
    basics: `${basics} default_type text/html;`,
    http: HTTP,
    locations: LOCATIONS + silent,
  });

interface Summary {
  readonly subscribers: number;
  readonly uptime: number;
  readonly by_worker: readonly {
    readonly pid: string;
    readonly subscribers: number;
    readonly uptime: number;
  }[];
}

/** Spec 5.2: what is accepted, what it is answered with, and the format. */
const ACCEPTED = [
  ["text/plain", "text/plain", "plain"],
  ["application/json", "application/json", "json"],
  ["application/yaml", "application/yaml", "yaml"],
  ["application/xml", "application/xml", "xml"],
  ["text/x-json", "text/x-json", "json"],
  ["text/x-yaml", "text/x-yaml", "yaml"],
  ["*/*", "application/json", "json"],
  ["TEXT/PLAIN", "application/json", "json"],
  ["what/ever;q=0.1, what/plain;q=0", "text/plain", "plain"],
  ["text/html,application/xhtml+xml,application/xml;q=0.9", "application/xml", "xml"],
] as const;

type Counts = readonly [name: string, published: number, stored: number, subscribers: number];
const XML = '<?xml version="1.0" encoding="UTF-8" ?>\r\n';
const xmlChannel = ([name, published, stored, subscribers]: Counts): string =>
  `<channel>\r\n  <name>${name}</name>\r\n  <published_messages>${published}</published_messages>\r\n` +
  `  <stored_messages>${stored}</stored_messages>\r\n  <subscribers>${subscribers}</subscribers>\r\n` +
  "</channel>\r\n";
const plainChannel = ([name, published, stored, subscribers]: Counts): string =>
  `channel: ${name}\r\npublished_messages: ${published}\r\nstored_messages: ${stored}\r\n` +
  `active_subscribers: ${subscribers}`;
const yamlChannel = ([name, published, stored, subscribers]: Counts): string =>
  `  channel: ${name}\r\n  published_messages: ${published}\r\n  stored_messages: ${stored}\r\n` +
  `  subscribers: ${subscribers}`;

const single = {
  json: (counts: Counts) => channelInfo(...counts),
  plain: (counts: Counts) => `${plainChannel(counts)}\r\n`,
  yaml: (counts: Counts) => `${yamlChannel(counts)}\r\n`,
  xml: (counts: Counts) => `${XML}${xmlChannel(counts)}\r\n`,
};

/** With H, T, C, W, U for what `matches` fills in (spec 5.4). */
const group = {
  json: (all: readonly Counts[]) =>
    '{"hostname": "H", "time": "T", "channels": C, "wildcard_channels": W, "uptime": U, "infos": [\r\n' +
    all.map((counts) => channelInfo(...counts).trimEnd()).join(",\r\n") +
    `${all.length > 0 ? "\r\n" : ""}]}\r\n`,
  plain: (all: readonly Counts[]) =>
    "hostname: H, time: T, channels: C, wildcard_channels: W, uptime: U, infos: \r\n" +
    `${all.map(plainChannel).join(",\r\n")}\r\n`,
  yaml: (all: readonly Counts[]) =>
    "hostname: H\r\ntime: T\r\nchannels: C\r\nwildcard_channels: W\r\nuptime: U\r\ninfos: \r\n" +
    `${all.map((counts) => ` -\r\n${yamlChannel(counts)}`).join("\r\n")}\r\n`,
  xml: (all: readonly Counts[]) =>
    `${XML}<root>\r\n  <hostname>H</hostname>\r\n  <time>T</time>\r\n  <channels>C</channels>\r\n` +
    "  <wildcard_channels>W</wildcard_channels>\r\n  <uptime>U</uptime>\r\n" +
    `  <infos>\r\n${all.map(xmlChannel).join("")}  </infos>\r\n</root>\r\n`,
};

const FIELDS = [
  ["channels", "C"],
  ["wildcard_channels", "W"],
  ["published_messages", "5"],
  ["stored_messages", "3"],
  ["messages_in_trash", "2"],
  ["channels_in_delete", "0"],
  ["channels_in_trash", "0"],
  ["subscribers", "3"],
  ["uptime", "U"],
] as const;
const fields = (line: (name: string, value: string) => string): string =>
  FIELDS.map(([name, value]) => line(name, value)).join("");
/** One for each worker. */
const each = (workers: number, text: string, between: string): string =>
  Array(workers).fill(text).join(between);

const XML_WORKER =
  "<worker>\r\n  <pid>P</pid>\r\n  <subscribers>N</subscribers>\r\n  <uptime>U</uptime>\r\n</worker>\r\n";

/** With N for the subscribers of a worker and P for its pid (spec 5.5). */
const summaryShape = {
  json: (workers: number) =>
    `{"hostname": "H", "time": "T", ${fields((name, value) => `"${name}": ${value}, `)}"by_worker": [\r\n` +
    `${each(workers, '{"pid": "P", "subscribers": N, "uptime": U}', ",\r\n")}\r\n]}\r\n`,
  plain: (workers: number) =>
    `hostname: H\r\ntime: T\r\n${fields((name, value) => `${name}: ${value}\r\n`)}by_worker:\r\n` +
    `${each(workers, "  pid: P\r\n  subscribers: N\r\n  uptime: U", ",\r\n")}\r\n`,
  yaml: (workers: number) =>
    `  hostname: H\r\n  time: T\r\n${fields((name, value) => `  ${name}: ${value}\r\n`)}  by_worker:\r\n` +
    `${each(workers, "   -\r\n    pid: P\r\n    subscribers: N\r\n    uptime: U", "\r\n")}\r\n`,
  xml: (workers: number) =>
    `${XML}<infos>\r\n  <hostname>H</hostname>\r\n  <time>T</time>\r\n` +
    `${fields((name, value) => `  <${name}>${value}</${name}>\r\n`)}  <by_worker>` +
    `${each(workers, XML_WORKER, "")}</by_worker>\r\n</infos>\r\n`,
};

function expectShape(body: string, shape: string, channels: number, wildcards: number): void {
  const filled: Readonly<Record<string, string>> = {
    H: hostname().toLowerCase().replaceAll(".", "\\."),
    T: String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d`,
    C: String(channels),
    W: String(wildcards),
    U: String.raw`\d+`,
    N: String.raw`\d+`,
    P: String.raw`[1-9]\d*`,
  };
  const pattern = shape
    .replace(/[.*+?^${}()|[\]\\]/g, "\\$&")
    .replace(/(?<=[ ">])[HTCWUNP](?=[",\r<\\])/g, (letter) => filled[letter] ?? letter);
  if (!new RegExp(`^${pattern}$`).test(body)) expect(body).toBe(shape);
}

describe.each(ways)("%s", (_, workers, silent) => {
  let server: RunningServer;
  let names = 0;
  const fresh = (): string => `s${++names}`;
  const stats = (query = "", headers: Record<string, string> = {}) =>
    ask(server.port, `/channels-stats${query}`, { headers });
  const info = async (channel: string): Promise<string> => (await stats(`?id=${channel}`)).body.toString();
  const summary = async (): Promise<Summary> => JSON.parse((await stats()).body.toString());
  const publish = (id: string, path = "/pub") =>
    ask(server.port, `${path}?id=${id}`, { method: "POST", body: "x" });
  const remove = (id: string) => ask(server.port, `/pub?id=${id}`, { method: "DELETE" });
  const open = async (path: string): Promise<RawConnection> => {
    const connection = await RawConnection.open(server.port);
    connection.request(path);
    return connection;
  };

  beforeAll(async () => {
    server = await start(workers, silent);
  });
  afterAll(async () => {
    expect(server.log).not.toContain("failed");
    await server.stop();
  });

  test("every format over real traffic (5.2 to 5.5, A.1), for publishers, too", async () => {
    for (let count = 0; count < 3; count++) await publish("A");
    await publish("A", "/unstored");
    await publish("bd_B");
    const [ev, lp] = [await open("/ev/A"), await open("/lp/A")];
    const ws = await RawWebSocket.open(server.port, "/ws/A/bd_B");
    await standing(server.port, "A", 3);
    const [a, b]: readonly Counts[] = [
      ["A", 4, 2, 3],
      ["bd_B", 1, 1, 1],
    ];
    if (a === undefined || b === undefined) throw new Error("two channels");
    for (const [accept, type, format] of ACCEPTED) {
      const headers = { Accept: accept };
      const cases: readonly (readonly [string, string])[] = [
        ["?id=A", single[format](a)],
        ["?id=nobody/A.b3", single[format](a)],
        ["?id=bd_B/A", group[format]([b, a])],
        ["?id=ALL", group[format]([a, b])],
        ["?id=*", group[format]([a, b])],
        ["?id=b*d", group[format]([b])],
        ["?id=A/b*/nobody", group[format]([b])],
        ["?id=nothing*", group[format]([])],
        ["", summaryShape[format](workers)],
      ];
      for (const [query, shape] of cases) {
        const answer = await stats(query, headers);
        expect(answer.statusLine).toBe("HTTP/1.1 200 OK");
        expect(answer.fields.get("content-type")).toBe(type);
        expect(answer.fields.get("content-length")).toBe(String(answer.body.length));
        expectAntiCache(answer);
        for (const name of ["tag", "commit"])
          expect(answer.fields.get(`x-nginx-pushstream-${name}`)).toMatch(/^\S+$/);
        expect(answer.fields.has("access-control-allow-origin")).toBeFalse();
        expectShape(answer.body.toString(), shape, 1, 1);
      }
      for (const [id, shape] of [
        ["A", single[format](a)],
        ["bd_B/A", group[format]([b, a])],
      ] as const) {
        const answer = await ask(server.port, `/pub?id=${id}`, { headers });
        expect(answer.fields.get("content-type")).toBe(type);
        for (const name of ["tag", "commit"])
          expect(answer.fields.has(`x-nginx-pushstream-${name}`)).toBeFalse();
        expectShape(answer.body.toString(), shape, 1, 1);
      }
    }
    const { by_worker } = await summary();
    expect(by_worker.reduce((sum, { subscribers }) => sum + subscribers, 0)).toBe(3);
    const missing = await stats("?id=nobody/no-one", { Accept: "text/plain" });
    expectHeaderOnly(missing, { status: 404 });
    expectAntiCache(missing);
    for (const one of [ev, lp, ws]) one.close();
    await standing(server.port, "A", 0);
    expect((await remove("A/bd_B")).status).toBe(200);
  });

  test.each(["HEAD", "OPTIONS", "POST", "PUT", "DELETE"])("%s: 405 (5.1)", async (method) => {
    const answer = await ask(server.port, "/channels-stats?id=ALL", { method });
    expectHeaderOnly(answer, { status: 405, allow: "GET" });
    expectAntiCache(answer);
    for (const name of ["tag", "commit"]) expect(answer.fields.has(`x-nginx-pushstream-${name}`)).toBeFalse();
  });

  test("an id that is too long, and one inside an if", async () => {
    for (const id of [
      "x".repeat(MAX_ID + 1),
      `a/${"x".repeat(MAX_ID + 1)}.b1`,
      `${"x".repeat(MAX_ID + 1)}/ALL`,
    ]) {
      const answer = await stats(`?id=${id}`);
      expectHeaderOnly(answer, { status: 400, explain: "Channel id is too large." });
      expect(answer.fields.has("x-nginx-pushstream-tag")).toBeTrue();
    }
    expectHeaderOnly(await stats(`?id=${"x".repeat(MAX_ID)}`), { status: 404 });
    expect((await stats(`?id=ALL/${"x".repeat(MAX_ID + 1)}`)).status).toBe(200);
    await publish("other_one");
    const answer = await ask(server.port, "/stats-of-one?id=nobody&other=one");
    expect(answer.body.toString()).toBe(channelInfo("other_one", 1, 1));
    expectHeaderOnly(await ask(server.port, "/stats-of-one?id=nobody"), { status: 404 });
  });

  describe("counts are right when the peer can ask (5.6)", () => {
    test("a POST that was answered, on any connection", async () => {
      const channel = fresh();
      const readers = await Promise.all(Array.from({ length: 4 }, () => RawConnection.open(server.port)));
      for (let count = 1; count <= 10; count++) {
        await publish(channel);
        for (const reader of readers) reader.request(`/channels-stats?id=${channel}`);
        for (const reader of readers)
          expect((await reader.answer()).body.toString()).toBe(
            channelInfo(channel, count, Math.min(count, 2)),
          );
      }
      for (const reader of readers) reader.close();
    });

    test("whoever has the first byte is counted", async () => {
      const channel = fresh();
      for (let count = 1; count <= 8; count += 2) {
        const stream = await open(`/st/${channel}`);
        await stream.head();
        await stream.chunked("HEADER".length);
        expect(await info(channel)).toBe(channelInfo(channel, 0, 0, count));
        const socket = await RawWebSocket.open(server.port, `/ws/${channel}`);
        expect(await socket.text()).toBe("HEADER");
        expect(await info(channel)).toBe(channelInfo(channel, 0, 0, count + 1));
      }
      expect((await summary()).subscribers).toBe(8);
      await remove(channel);
    });

    /** Opens, and resolves when it has ended, with what is still open. */
    type End = (channel: string) => Promise<{ close(): void }>;
    const whole = async (path: string): Promise<{ close(): void }> => {
      const connection = await open(path);
      await connection.answer();
      return connection;
    };
    const answered =
      (path: string, then: (channel: string) => Promise<unknown>): End =>
      async (channel) => {
        const connection = await open(`${path}/${channel}`);
        await standing(server.port, channel);
        await then(channel);
        await connection.answer();
        return connection;
      };
    const untilClose =
      (path: string, then: (socket: RawWebSocket, channel: string) => unknown): End =>
      async (channel) => {
        const socket = await RawWebSocket.open(server.port, `${path}/${channel}`);
        await standing(server.port, channel);
        await then(socket, channel);
        while ((await socket.frame()).opcode !== Opcode.CLOSE);
        return socket;
      };
    const ends: readonly (readonly [string, End])[] = [
      ["a WebSocket closed by its client", untilClose("/ws", (socket) => socket.sendFrame(Opcode.CLOSE))],
      [
        "a WebSocket closed for what it sent",
        untilClose("/ws", (socket) => socket.sendFrame(Opcode.BINARY, "x")),
      ],
      ["a long poll that is answered", answered("/lp", (channel) => publish(channel, "/unstored"))],
      [
        "a poll",
        async (channel) => {
          await publish(channel);
          return await whole(`/po/${channel}`);
        },
      ],
    ];
    test.each(ends)("%s", async (_name, end) => {
      const others = await Promise.all(Array.from({ length: 4 }, () => RawConnection.open(server.port)));
      const channel = fresh();
      for (let again = 0; again < 4; again++) {
        const open = await end(channel);
        for (const other of others) other.request(`/channels-stats?id=${channel}`);
        for (const other of others)
          expect((await other.answer()).body.toString()).toEndWith('"subscribers": 0}\r\n');
        expect((await summary()).subscribers).toBe(0);
        open.close();
      }
      for (const other of others) other.close();
    });

    test("a ttl that is over, on every transport", async () => {
      const ttls: readonly End[] = [
        ...["short-st", "short-ev", "short-lp"].map(
          (path) => (channel: string) => whole(`/${path}/${channel}`),
        ),
        untilClose("/short-ws", () => undefined),
      ];
      await Promise.all(
        ttls.map(async (end) => {
          const channel = fresh();
          const open = await end(channel);
          const answers = await Promise.all([1, 2, 3, 4].map(() => info(channel)));
          expect(answers).toEqual(Array(4).fill(channelInfo(channel, 0, 0, 0)));
          open.close();
        }),
      );
      expect((await summary()).subscribers).toBe(0);
    });

    test("a deletion ends them all, in both workers", async () => {
      for (let again = 0; again < 3; again++) {
        const channel = fresh();
        const streams = await Promise.all(Array.from({ length: 6 }, () => open(`/ev/${channel}`)));
        const polls = await Promise.all(Array.from({ length: 6 }, () => open(`/lp/${channel}`)));
        await standing(server.port, channel, 12);
        expect((await remove(channel)).status).toBe(200);
        for (const connection of [...streams, ...polls]) await connection.answer();
        expect((await summary()).subscribers).toBe(0);
        expect((await stats(`?id=${channel}`)).status).toBe(404);
        for (const connection of [...streams, ...polls]) connection.close();
      }
    });

    test("who just goes is seen to be gone", async () => {
      const channel = fresh();
      const all = [await open(`/ev/${channel}`), await open(`/lp/${channel}`), await open(`/st/${channel}`)];
      const socket = await RawWebSocket.open(server.port, `/ws/${channel}`);
      await standing(server.port, channel, 4);
      for (const one of [...all, socket]) one.close();
      await standing(server.port, channel, 0);
      expect((await summary()).subscribers).toBe(0);
    });
  });

  test("connections in the summary, subscriptions in the channels (4.16)", async () => {
    const [a, b] = [fresh(), fresh()];
    const [stream, poll] = [await open(`/ev/${a}/${b}`), await open(`/lp/${b}`)];
    await standing(server.port, b, 2);
    expect(await info(a)).toBe(channelInfo(a, 0, 0, 1));
    expect((await summary()).subscribers).toBe(2);
    await remove(b);
    await poll.answer();
    expect((await summary()).subscribers).toBe(1);
    expect(await info(a)).toBe(channelInfo(a, 0, 0, 1));
    for (const one of [stream, poll]) one.close();
    await standing(server.port, a, 0);
  });
});

describe("processes", () => {
  let servers: readonly RunningServer[];
  beforeAll(async () => {
    servers = await Promise.all([start(1, NATIVE), start(2, SILENT)]);
  });
  afterAll(async () => {
    await Promise.all(servers.map((server) => server.stop()));
  });
  const summaryOf = async ({ port }: RunningServer): Promise<Summary> =>
    JSON.parse((await ask(port, "/channels-stats")).body.toString());

  test("uptime counts seconds", async () => {
    const before = await Promise.all(servers.map(summaryOf));
    await Bun.sleep(2000);
    for (const [i, after] of (await Promise.all(servers.map(summaryOf))).entries()) {
      expect(after.uptime - (before[i]?.uptime ?? 0)).toBeWithin(2, 20);
      for (const [worker, { uptime }] of after.by_worker.entries())
        expect(uptime - (before[i]?.by_worker[worker]?.uptime ?? 0)).toBeWithin(2, 20);
    }
  });

  test.each([1, 2])(
    "by_worker names processes of this server; a killed one is replaced, what is stored stays (%d)",
    async (workers) => {
      const server = servers[workers - 1];
      if (server === undefined) throw new Error("two servers");
      const summary = (): Promise<Summary> => summaryOf(server);
      await ask(server.port, "/pub?id=kept", { method: "POST", body: "x" });
      const streams = await Promise.all(Array.from({ length: 8 }, () => RawConnection.open(server.port)));
      for (const stream of streams) stream.request("/ev/kept");
      await standing(server.port, "kept", 8);
      const before = await summary();
      const pids = before.by_worker.map(({ pid }) => Number(pid));
      expect(new Set(pids).size).toBe(workers);
      // Its parent is the fourth word after the name, which may hold anything but is in brackets.
      const parent = (pid: number): number =>
        Number(
          readFileSync(`/proc/${pid}/stat`, "latin1")
            .replace(/^.*\) \S+ /s, "")
            .split(" ")[0],
        );
      for (const pid of pids) expect([pid, parent(pid)]).toEqual([pid, server.process.pid]);
      const [victim] = pids;
      // To kill(2) 0 is a whole group of processes.
      if (victim === undefined || victim <= 1) throw new Error("a worker");
      const lost = before.by_worker[0]?.subscribers ?? 0;
      process.kill(victim, "SIGKILL");
      const now = (): Promise<Summary | null> => summary().catch(() => null);
      await until("another worker", async () => {
        const workersNow = (await now())?.by_worker ?? [];
        return workersNow.length === workers && workersNow.every(({ pid }) => Number(pid) !== victim);
      });
      const after = await summary();
      expect(after.subscribers).toBe(8 - lost);
      expect(after.uptime).toBeGreaterThanOrEqual(before.uptime);
      expect((await ask(server.port, "/channels-stats?id=kept")).body.toString()).toBe(
        channelInfo("kept", 1, 1, 8 - lost),
      );
      for (const stream of streams) stream.close();
      await standing(server.port, "kept", 0);
    },
  );
});

describe.each([
  ["native, 1 worker", 1, NATIVE],
  ["wire listener, 2 workers", 2, SILENT],
] as const)("20,000 channels, %s", (_, workers, silent) => {
  test("in one answer, while a subscriber gets what is published meanwhile", async () => {
    const server = await start(workers, silent);
    try {
      const names = Array.from({ length: 20_000 }, (_, i) => `many-${i}`);
      const publisher = await RawConnection.open(server.port);
      for (let at = 0; at < names.length; at += 500) {
        publisher.request(`/pub?id=${names.slice(at, at + 500).join("/")}`, { method: "POST", body: "x" });
        expect((await publisher.answer()).status).toBe(200);
      }
      const socket = await RawWebSocket.open(server.port, "/ws/many-0");
      expect(await socket.text()).toBe("HEADER");
      const types = [
        "application/json",
        "text/plain",
        "application/yaml",
        "application/xml",
        "text/x-json",
        "text/x-yaml",
      ];
      const lists = await Promise.all(types.map(() => RawConnection.open(server.port)));
      for (const [i, list] of lists.entries())
        list.request("/channels-stats?id=many*", { headers: { Accept: types[i] ?? "" } });
      let complete = 0;
      const answers = lists.map(async (list) => {
        const answer = await list.answer();
        complete++;
        return answer;
      });
      publisher.request("/pub?id=many-0", { method: "POST", body: "meanwhile" });
      expect(await socket.text()).toBe("meanwhile");
      expect(complete).toBeLessThan(types.length);
      for (const answer of await Promise.all(answers)) {
        expect(answer.status).toBe(200);
        expect([...answer.body.toString().matchAll(/many-\d+/g)].map(String)).toEqual(names);
      }
      for (const one of [socket, publisher, ...lists]) one.close();
    } finally {
      await server.stop();
    }
  }, 30_000);
});
