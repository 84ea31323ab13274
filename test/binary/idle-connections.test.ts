/**
 * Connections on which nothing moves (promise P8): those that wait for messages stay for as long as their
 * location says, all others are closed, so that half-sent requests and forgotten connections do not pile up.
 * In this process, because the time is fixed in a real server (75 s) and only startWorker takes a shorter
 * one.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { RunningWorker } from "../../src/app/running-worker.ts";
import { startWorker } from "../../src/app.ts";
import { loadConfig } from "../../src/config/load.ts";
import { openStore } from "../../src/store/opening.ts";
import type { Store } from "../../src/store/store.ts";
import { storePolicy, storeShape } from "../../src/supervisor/store/store-settings.ts";
import { KernelSocket } from "./kernel-socket.ts";
import { PulledBody } from "./pulled-client.ts";
import { freePort, layout, until } from "./running-server.ts";

/** Bun looks at its connections every four seconds. */
const TIMES = 'keepalive_timeout = "4s"\nclient_body_timeout = "4s"\nsend_timeout = "4s"';

const LISTENERS = [
  { listener: "native", sub: 'header_template = "\\n"' },
  { listener: "wire", sub: "" },
];

describe.each(LISTENERS)("$listener listener", ({ listener, sub }) => {
  let folder = "";
  let port = 0;
  let store: Store | null = null;
  let worker: RunningWorker | null = null;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "sluice-idle-"));
    port = freePort();
    const file = join(folder, "sluice.toml");
    writeFileSync(
      file,
      layout(`listener = "${listener}"\n${TIMES}\nlisten = ["127.0.0.1:${port}"]\n[store]\nsize = "16MiB"`, {
        sub,
      }),
    );
    const loaded = loadConfig({ file });
    if (!loaded.ok) throw new Error(JSON.stringify(loaded.faults));
    const { config } = loaded;
    const storePath = join(folder, "store");
    store = openStore(storeShape(config, storePath), storePolicy(config)).store;
    const slot = store.workers.claimSlot(process.pid, Math.floor(Date.now() / 1000));
    worker = startWorker({ config, store, slot, storePath, maxConnections: 0 });
  });

  afterAll(() => {
    worker?.stop();
    store?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  async function send(text: string): Promise<{ socket: KernelSocket; text: () => string }> {
    const socket = new KernelSocket(port);
    await socket.send(text);
    let received = "";
    return {
      socket,
      text: () => {
        received += Buffer.from(socket.read()).toString("latin1");
        return received;
      },
    };
  }

  const get = (path: string) => send(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
  const post = (channel: string, head: string, body: string) =>
    send(`POST /pub?id=${channel} HTTP/1.1\r\nHost: x\r\n${head}\r\n\r\n${body}`);

  test("a silent stream and a silent long poll live on, half-sent and unused ones do not", async () => {
    const stream = await get("/sub/quiet");
    const events = await get("/ev/quiet");
    const poll = await get("/lp/quiet");
    const closing = {
      "a connection that sends nothing after its answer": await get("/health/live"),
      "half a body": await post("half", "Content-Length: 100", "abc"),
      "half a chunk": await post("half", "Transfer-Encoding: chunked", "10\r\nabc"),
    };
    for (const [name, client] of Object.entries(closing)) {
      await until(
        `${name} is closed`,
        () => {
          client.text();
          return client.socket.ended;
        },
        20_000,
      );
    }
    for (const held of [stream, events, poll]) {
      held.text();
      expect(held.socket.ended).toBeFalse();
    }
    const published = await post("quiet", "Content-Length: 4", "late");
    await until("the answer", () => published.text().startsWith("HTTP/1.1 200"));
    for (const held of [stream, events, poll]) await until("the message", () => held.text().includes("late"));
    // Answered, the long poll's connection is an idle one like any other.
    await until(
      "it is closed",
      () => {
        poll.text();
        return poll.socket.ended;
      },
      20_000,
    );
    stream.text();
    expect(stream.socket.ended).toBeFalse();
    const info = await get("/channels-stats?id=half");
    await until("the statistics", () => info.text().includes("\r\n\r\n"));
    expect(info.text()).toContain('"published_messages": 0');
    for (const { socket } of [stream, events, published, info]) socket.close();
  }, 60_000);

  /** Connections of the server that it has not closed, whatever their clients do (proc(5), /proc/net/tcp). */
  function established(): number {
    const local = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
    const lines = readFileSync("/proc/net/tcp", "utf8").split("\n");
    return lines.filter((line) => {
      const [, address = "", , state] = line.trim().split(/\s+/);
      return address.endsWith(local) && state === "01";
    }).length;
  }

  test("a stream that has ended does not hold a reader who does not take the rest", async () => {
    const before = established();
    const reader = await PulledBody.get(port, "/sub/unread", { receiveBuffer: 65_536 });
    const message = "x".repeat(500_000);
    for (let i = 0; i < 20; i++) {
      const published = await post(
        "unread",
        `Content-Length: ${message.length}\r\nConnection: close`,
        message,
      );
      await until("the answer", () => published.text().startsWith("HTTP/1.1 200") && published.socket.ended);
      published.socket.close();
    }
    const deleted = await send("DELETE /pub?id=unread HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    await until("the answer", () => deleted.text().startsWith("HTTP/1.1 200") && deleted.socket.ended);
    deleted.socket.close();
    expect(established()).toBe(before + 1);
    await until("the server lets go", () => established() === before, 20_000);
    reader.socket.close();
  }, 60_000);
});
