/**
 * Signals, reload and restart of a server that was started with an nginx.conf (push-stream spec 8), with one
 * worker and two, both where streams have a header template and where they have none, on the wire listener.
 */
import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { ask, RawConnection, standing } from "../binary/raw-client.ts";
import { RawWebSocket } from "../binary/raw-web-socket.ts";
import { binary, RunningServer, until } from "../binary/running-server.ts";
import { type NginxParts, nginxConf, startNginx } from "./nginx-server.ts";

setDefaultTimeout(60_000);

let server: RunningServer;
afterEach(async () => {
  server.process.kill("SIGKILL");
  await server.process.exited;
});

/** Every kind of subscriber; pings and ttls are of minutes, so nothing of it ends by itself. */
const subscribers = (header = "HEADER"): string => `
push_stream_ping_message_interval 5m;
push_stream_subscriber_connection_ttl 10m;
push_stream_footer_template "BYE";
push_stream_header_template "HEADER";
location ~ ^/sub/(.*)$ {
  push_stream_subscriber; push_stream_channels_path $1; push_stream_header_template "${header}";
}
location ~ ^/ev/(.*)$ { push_stream_subscriber eventsource; push_stream_channels_path $1; }
location ~ ^/lp/(.*)$ { push_stream_subscriber long-polling; push_stream_channels_path $1; }
location ~ ^/poll/(.*)$ { push_stream_subscriber polling; push_stream_channels_path $1; }
location ~ ^/ws/(.*)$ { push_stream_subscriber websocket; push_stream_channels_path $1; }
`;

interface Held {
  readonly stream: RawConnection;
  readonly events: RawConnection;
  readonly poll: RawConnection;
  readonly socket: RawWebSocket;
}

async function holdAll(channel: string): Promise<Held> {
  const held = async (path: string): Promise<RawConnection> => {
    const connection = await RawConnection.open(server.port);
    connection.request(path);
    return connection;
  };
  const all = {
    stream: await held(`/sub/${channel}`),
    events: await held(`/ev/${channel}`),
    poll: await held(`/lp/${channel}`),
    socket: await RawWebSocket.open(server.port, `/ws/${channel}`),
  };
  await standing(server.port, channel, 4);
  return all;
}

/** What each received until the server closed its connection (push-stream spec 8.2). */
async function expectEnds({ stream, events, poll, socket }: Held, header: string): Promise<void> {
  expect((await stream.answer()).body.toString()).toBe(`${header}BYE`);
  expect((await events.answer()).body.toString()).toBe(": HEADER\n: BYE\n");
  const timeout = await poll.answer();
  expect([timeout.status, timeout.fields.get("etag")]).toEqual([304, "W/0"]);
  expect(timeout.fields.has("last-modified")).toBeTrue();
  const frames = (await socket.connection.untilEnd()).toString("hex");
  expect(frames).toBe(
    `8106${Buffer.from("HEADER").toString("hex")}8103${Buffer.from("BYE").toString("hex")}8800`,
  );
  for (const connection of [stream, events, poll]) expect((await connection.untilEnd()).length).toBe(0);
}

const listens = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1" });
    socket.on("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });

const pidFile = (): string => join(server.folder, "nginx.pid");
const errorLog = (): string => readFileSync(join(server.folder, "error.log"), "utf8");
const countOf = (text: string): number => errorLog().split(text).length - 1;

const summary = async (): Promise<Record<string, unknown>> =>
  JSON.parse((await ask(server.port, "/channels-stats")).body.toString());

/** Writes another configuration, and waits until it is the one that serves. */
async function reload(parts: NginxParts | string): Promise<void> {
  const before = countOf("reloaded generation=");
  const text = typeof parts === "string" ? parts : nginxConf(server.port, server.folder, parts);
  writeFileSync(server.configFile, text);
  server.process.kill("SIGHUP");
  await until(`a reload in ${errorLog()}`, () => countOf("reloaded generation=") > before);
}

describe.each([
  [1, "HEADER"],
  [2, ""],
])("%d worker(s), streams begin with %j", (workers, header) => {
  test.each(["SIGTERM", "SIGINT"] as const)(
    "%s: everybody gets their last bytes, status 0, nothing is left",
    async (signal) => {
      server = await startNginx({ workers, server: subscribers(header) });
      expect(readFileSync(pidFile(), "utf8")).toBe(`${server.process.pid}\n`);
      const held = await holdAll("a");
      const idle = await RawConnection.open(server.port);
      idle.request("/channels-stats?id=a");
      await idle.answer();
      const begun = await RawConnection.open(server.port);
      begun.send("GET /channels-stats HTTP/1.1\r\nHo");
      server.process.kill(signal);
      await expectEnds(held, header);
      await until("its end", () => server.process.exitCode !== null);
      expect(server.process.exitCode).toBe(0);
      expect(existsSync(pidFile())).toBeFalse();
      expect(await listens(server.port)).toBeFalse();
    },
  );

  test("SIGHUP: all are released at once, state stays, locations and templates are new", async () => {
    const http = 'push_stream_events_channel_id "events";';
    server = await startNginx({ workers, http, server: subscribers(header) });
    const held = await holdAll("a");
    for (const text of ["one", "two"]) await server.publish("a", text);
    await held.stream.head();
    await held.stream.chunked(header.length + 6);
    await held.events.head();
    await held.events.chunked(31);
    await held.poll.answer();
    for (let frame = 0; frame < 3; frame++) await held.socket.frame();
    const pids = await server.workerPids();
    const parts = {
      workers,
      http,
      server: subscribers(header),
      locations: `location ~ ^/new/(.*)$ {
        push_stream_subscriber polling; push_stream_channels_path $1;
        push_stream_message_template "<~id~:~text~>";
      }`,
    };
    await reload({ ...parts, basics: "push_stream_shared_memory_size 20m; default_type text/html;" });
    expect((await held.stream.restOfChunks()).toString()).toBe("BYE");
    expect((await held.events.restOfChunks()).toString()).toBe(": BYE\n");
    expect((await held.socket.connection.untilEnd()).toString("hex")).toBe("81034259458800");
    expect((await held.stream.untilEnd()).length + (await held.events.untilEnd()).length).toBe(0);
    await until("new workers only", async () => {
      const now = await server.workerPids().catch((): number[] => []);
      return now.length === workers && !now.some((pid) => pids.includes(pid));
    });
    expect(errorLog()).toContain(
      "Cannot change memory area size without restart, ignoring change on zone: push_stream_module",
    );
    expect(await summary()).toMatchObject({
      channels: 2,
      published_messages: 2,
      stored_messages: 2,
      subscribers: 0,
    });
    expect((await ask(server.port, "/new/a.b5")).body.toString()).toBe("HEADER<1:one><2:two>BYE");
    const before = Number(
      JSON.parse((await ask(server.port, "/channels-stats?id=events")).body.toString())["published_messages"],
    );
    await server.publish("b", "three");
    expect((await ask(server.port, "/channels-stats?id=events")).body.toString()).toContain(
      `"published_messages": ${before + 1}`,
    );
    expect(readFileSync(pidFile(), "utf8")).toBe(`${server.process.pid}\n`);
    await reload({ workers, server: subscribers(header) });
    await until(
      "the location is gone",
      async () => (await ask(server.port, "/new/a.b5").catch(() => ({ status: 0 }))).status === 404,
    );
  });

  test("SIGHUP with faults: all are in the log, the old configuration goes on", async () => {
    server = await startNginx({ workers, server: subscribers(header) });
    const held = await holdAll("a");
    const pids = (await server.workerPids()).sort();
    const good = readFileSync(server.configFile, "utf8");
    writeFileSync(
      server.configFile,
      good.replace(
        "push_stream_shared_memory_size 10m;",
        "push_stream_shared_memory_size 10m; push_stream_message_ttl 0; unheard_of on;",
      ),
    );
    server.process.kill("SIGHUP");
    await until("the refusal", () =>
      errorLog().includes("reload refused; the old configuration stays in force"),
    );
    for (const text of [
      "push stream module: push_stream_message_ttl cannot be zero.",
      'unknown directive "unheard_of"',
    ])
      expect(errorLog()).toContain(text);
    await server.publish("a", "still");
    await held.stream.head();
    expect(await held.stream.chunkedText(header.length + 5)).toBe(`${header}still`);
    expect((await server.workerPids()).sort()).toEqual(pids);
    for (const connection of [held.stream, held.events, held.poll, held.socket]) connection.close();
    await reload(good);
  });

  test("SIGQUIT: it stops listening, and what is held ends by its own timer", async () => {
    const parts = subscribers(header).replace("connection_ttl 10m", "connection_ttl 1s");
    server = await startNginx({ workers, server: parts });
    const held = await holdAll("a");
    const idle = await RawConnection.open(server.port);
    idle.request("/channels-stats?id=a");
    await idle.answer();
    server.process.kill("SIGQUIT");
    await idle.untilEnd();
    await until("nobody listens", async () => !(await listens(server.port)));
    expect(server.process.exitCode).toBeNull();
    await expectEnds(held, header);
    await until("its end", () => server.process.exitCode !== null);
    expect(server.process.exitCode).toBe(0);
  });

  test("kill -9 of a worker: its connections end, messages stay, another takes its place", async () => {
    server = await startNginx({ workers, server: subscribers(header) });
    await server.publish("a", "kept");
    const streams: RawConnection[] = [];
    for (let count = 1; count <= 6; count++) {
      const stream = await RawConnection.open(server.port);
      stream.request("/sub/a");
      streams.push(stream);
      await standing(server.port, "a", count);
    }
    const [victim = 0] = await server.workerPids();
    process.kill(victim, "SIGKILL");
    await until("a replacement", async () => {
      const pids = await server.workerPids().catch((): number[] => []);
      return pids.length === workers && !pids.includes(victim);
    });
    await until("exact counts", async () => {
      const left = streams.filter(({ ended }) => !ended).length;
      return (await summary())["subscribers"] === left;
    });
    expect((await ask(server.port, "/poll/a.b1")).body.toString()).toContain("kept");
    for (const stream of streams) stream.close();
  });
});

test("a restart begins empty", async () => {
  server = await startNginx({ workers: 1, server: subscribers() });
  await server.publish("a", "lost");
  server.process.kill("SIGTERM");
  await server.process.exited;
  const again = Bun.spawn([binary, "serve", "--config", server.configFile], {
    env: { ...process.env, RUNTIME_DIRECTORY: server.folder },
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
  });
  server = new RunningServer(server.port, server.folder, server.configFile, again);
  await until("it serves", () => existsSync(pidFile()));
  expect(await summary()).toMatchObject({ channels: 0, published_messages: 0, stored_messages: 0 });
});

test("kill -9 of main: the next start begins empty as well", async () => {
  server = await startNginx({ workers: 1, server: subscribers() });
  await server.publish("a", "lost");
  server.process.kill("SIGKILL");
  await server.process.exited;
  await until("the workers left, too", async () => !(await listens(server.port)));
  const again = Bun.spawn([binary, "serve", "--config", server.configFile], {
    env: { ...process.env, RUNTIME_DIRECTORY: server.folder },
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
  });
  server = new RunningServer(server.port, server.folder, server.configFile, again);
  await until(
    "it serves",
    async () => (await listens(server.port)) && readFileSync(pidFile(), "utf8") === `${again.pid}\n`,
  );
  expect(await summary()).toMatchObject({ channels: 0, published_messages: 0 });
});

test("SIGUSR1: logs that were moved away are begun anew", async () => {
  server = await startNginx({ workers: 2 });
  const access = join(server.folder, "access.log");
  await ask(server.port, "/channels-stats?id=first");
  await until("the first line", () => readFileSync(access, "utf8").includes("id=first"));
  for (const name of ["access.log", "error.log"])
    renameSync(join(server.folder, name), join(server.folder, `${name}.1`));
  server.process.kill("SIGUSR1");
  await until("new files", () => existsSync(access) && existsSync(join(server.folder, "error.log")));
  await until("a line in the new one", async () => {
    await ask(server.port, "/channels-stats?id=second");
    return readFileSync(access, "utf8").includes("id=second");
  });
  expect(readFileSync(access, "utf8")).not.toContain("id=first");
  await until("the log goes on", () => errorLog().includes("log files opened again"));
});

test.each(["HEADER", ""])("reloads leave no descriptor and no child behind (%j)", async (header) => {
  server = await startNginx({ workers: 2, server: subscribers(header) });
  const descriptors = (): number => readdirSync(`/proc/${server.process.pid}/fd`).length;
  const children = (): number =>
    readFileSync(`/proc/${server.process.pid}/task/${server.process.pid}/children`, "utf8").trim().split(" ")
      .length;
  const files = (): readonly string[] => readdirSync(server.folder).sort();
  await reload(readFileSync(server.configFile, "utf8"));
  await until("two children", () => children() === 2);
  const before = { open: descriptors(), files: files().length };
  for (let count = 0; count < 4; count++) {
    const held = await holdAll("a");
    await reload(readFileSync(server.configFile, "utf8"));
    await expectEnds(held, header);
    await until("two children", () => children() === 2);
  }
  // One of a worker that is gone may have been open still when they were counted first, and may be now.
  await until("no more are open than before", () => descriptors() <= before.open);
  expect(files().length).toBe(before.files);
});
