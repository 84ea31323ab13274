/**
 * `sluice convert` of an nginx.conf with Nchan's directives: what it says of them, and that what comes out
 * serves as their users expect: one address for all who listen, by whatever transport they ask for. The
 * example is that of docs/coming-from-nchan.md.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ask, RawConnection } from "../binary/raw-client.ts";
import { RawWebSocket } from "../binary/raw-web-socket.ts";
import { type RunningServer, startServer, until } from "../binary/running-server.ts";
import { runSluice } from "./run-sluice.ts";

setDefaultTimeout(60_000);

const page = readFileSync(join(import.meta.dir, "../../docs/coming-from-nchan.md"), "utf8");
const EXAMPLE = /^```nginx\n([\s\S]*?)^```$/m.exec(page)?.[1] ?? "";

const folder = mkdtempSync(join(tmpdir(), "sluice-nchan-"));
const convert = async (text: string) => {
  const file = join(folder, "nginx.conf");
  writeFileSync(file, text);
  const { code, out, err } = await runSluice(["convert", file]);
  return { code, out: out.replaceAll(file, "F"), err: err.replaceAll(file, "F") };
};

let server: RunningServer;
beforeAll(async () => {
  const { code, out, err } = await convert(EXAMPLE);
  if (code !== 0) throw new Error(err);
  // It listens where the test says, and tells when it is ready.
  const toml = out.replace(/^\[\[server\]\]\nlisten = .*\n/m, "").replaceAll("server.location", "location");
  server = await startServer({
    toml: toml.replace("built_in_paths = false", "built_in_paths = true"),
    workers: 1,
  });
});
afterAll(async () => {
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const publish = (id: string, body: string) => ask(server.port, `/pub?id=${id}`, { method: "POST", body });

describe("an example of the guide", () => {
  test("one address serves long polls, event sources and WebSockets, from the oldest on", async () => {
    expect((await publish("room", "first")).status).toBe(200);
    const poll = await ask(server.port, "/sub?id=room");
    expect(poll.body.toString()).toBe("first");
    const events = await RawConnection.open(server.port);
    events.request("/sub?id=room", { headers: { Accept: "text/event-stream" } });
    expect((await events.head()).fields.get("content-type")).toStartWith("text/event-stream");
    await until("the first event", () => events.peek().includes("data: first"));
    const socket = await RawWebSocket.open(server.port, "/sub?id=room");
    expect((await socket.frame()).payload.toString()).toBe("first");
    await publish("room", "second");
    expect((await socket.frame()).payload.toString()).toBe("second");
    await until("the second event", () => events.peek().includes("data: second"));
    // It goes on where it was.
    const id = /id: (\S+)\r?\ndata: first/.exec(events.peek())?.[1] ?? "";
    events.close();
    const again = await RawConnection.open(server.port);
    again.request("/sub?id=room", { headers: { Accept: "text/event-stream", "Last-Event-ID": id } });
    await until("only what was missed", () => again.peek().includes("data: second"));
    expect(again.peek()).not.toContain("data: first");
    again.close();
    socket.close();
  });

  test("pubsub: a POST, a WebSocket and a listener at one address", async () => {
    const socket = await RawWebSocket.open(server.port, "/chat/lounge");
    const events = await RawConnection.open(server.port);
    events.request("/chat/lounge", { headers: { Accept: "text/event-stream" } });
    await events.head();
    expect((await ask(server.port, "/chat/lounge", { method: "POST", body: "posted" })).status).toBe(200);
    expect((await socket.frame()).payload.toString()).toBe("posted");
    socket.sendFrame(1, "from a socket");
    await until("both are heard", () => /data: posted[\s\S]*data: from a socket/.test(events.peek()));
    socket.close();
    events.close();
  });

  test("rules of the location stay", async () => {
    const { status } = await ask(server.port, "/pub?id=a", { method: "POST", body: "x" }, "127.0.0.9");
    expect(status).toBe(403);
  });
});

describe("what is said", () => {
  const site = (location: string): string =>
    `events {} http { server { listen 127.0.0.1:1; location / { ${location} } } }`;

  test.each([
    ["nchan_subscriber; nchan_channel_id a;", "nchan_subscriber: positions are ours"],
    [
      "nchan_pubsub; nchan_channel_id $arg_a $arg_b;",
      'nchan_channel_id: several ids are one path, joined by "/"',
    ],
    [
      "nchan_publisher; nchan_channel_id a; nchan_message_timeout 5m;",
      "nchan_message_timeout: for all channels",
    ],
    [
      "nchan_subscriber; nchan_channel_id a; nchan_subscribe_request /x;",
      "nchan_subscribe_request: left out: onSubscribe",
    ],
    ["nchan_publisher; nchan_channel_id a; nchan_redis_pass x;", "nchan_redis_pass: left out: [cluster]"],
    ["nchan_publisher; nchan_channel_id a; nchan_unheard_of x;", "nchan_unheard_of: left out"],
  ])("%s", async (location, sentence) => {
    const { code, out } = await convert(site(location));
    expect(code).toBe(0);
    expect(out).toContain(`# F:1: ${sentence}`);
  });

  test("what guards a message and is not done is a fault", async () => {
    const { code, err } = await convert(
      site("nchan_publisher; nchan_channel_id a; nchan_publisher_upstream_request /x;"),
    );
    expect(code).toBe(2);
    expect(err).toContain(
      'F:1: "nchan_publisher_upstream_request" directive is not supported: onPublish of a hooks file',
    );
  });

  test("check names the way", async () => {
    const file = join(folder, "nginx.conf");
    writeFileSync(file, site("nchan_publisher;"));
    const { code, err } = await runSluice(["check", file]);
    expect(code).toBe(2);
    expect(err).toContain('unknown directive "nchan_publisher", `sluice convert` reads those of Nchan');
  });
});
