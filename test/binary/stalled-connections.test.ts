/**
 * What clients cost that take nothing, or do not finish what they begin: a thousand of all kinds at once on
 * the compiled binary, at both doors. In user space each is bounded by limits.max_unsent_size (promise P4),
 * and none stays for ever.
 */
import { afterEach, describe, expect, test } from "bun:test";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { keepsLess, ownBytes } from "../process-memory.ts";
import type { KernelSocket } from "./kernel-socket.ts";
import { Opcode, PulledBody, PulledWebSocket } from "./pulled-client.ts";
import { clientFrame } from "./raw-web-socket.ts";
import { layout, type RunningServer, startServer, until } from "./running-server.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
/** The default of limits.max_unsent_size. */
const UNSENT = 256 * KIB;
/** Garbage of a process that was busy a moment ago. */
const CONSTANT = 96 * MIB;
/** Small, so that a thousand of them do not fill the kernel's memory. */
const SMALL = { receiveBuffer: 16 * KIB };
const AT_A_TIME = 50;

/** A stream that begins with nothing is for the wire listener (running-server.ts). */
const DOORS = [
  ["native", 'header_template = "."'],
  ["wire", ""],
] as const;

let server: RunningServer;
let open: { readonly socket: KernelSocket }[] = [];

async function serve(sub: string, top = ""): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "sluice-test-"));
  writeFileSync(join(folder, "echo.ts"), "export const websocket = { message(s, d) { s.send(d); } };\n");
  const handler = '[[location]]\nmatch = "= /echo"\nhandler = "echo.ts"\n';
  const toml = layout(`send_buffer = "16KiB"\n${top}`, { sub, ev: 'gzip = true\ngzip_types = ["*"]' });
  server = await startServer({ toml: toml + handler, workers: 1, folder });
}

afterEach(async () => {
  for (const { socket } of open) socket.close();
  open = [];
  expect(await server.stop()).toBe(0);
});

/** `count` clients, some at a time. */
async function opened<T extends { readonly socket: KernelSocket }>(
  count: number,
  one: () => Promise<T>,
): Promise<T[]> {
  const clients: T[] = [];
  while (clients.length < count) {
    clients.push(...(await Promise.all(Array.from({ length: AT_A_TIME }, one))));
  }
  open.push(...clients);
  return clients;
}

const webSocket = (path: string) => () => PulledWebSocket.open(server.port, path, SMALL);
const body =
  (path: string, headers: Record<string, string> = {}) =>
  () =>
    PulledBody.get(server.port, path, { ...SMALL, headers });

/** What no codec makes smaller. */
const noise = (length: number): Uint8Array<ArrayBuffer> =>
  Buffer.from(crypto.getRandomValues(new Uint8Array((length / 4) * 3)).toBase64());

const joined = (count: number, frame: Uint8Array): Buffer =>
  Buffer.concat(Array.from({ length: count }, () => frame));

describe.each(DOORS)("%s door", (door, sub) => {
  test("a thousand clients that take nothing cost max_unsent_size each; readers have all", async () => {
    await serve(sub);
    const [pid = 0] = await server.workerPids();
    await opened(400, webSocket("/ws/much"));
    await opened(200, body("/ev/much"));
    await opened(100, body("/ev/much", { "Accept-Encoding": "gzip" }));
    await opened(100, body("/sub/much"));
    const pinging = await opened(100, webSocket("/ws/other"));
    const echoing = await opened(100, webSocket("/echo"));
    const reader = await PulledWebSocket.open(server.port, "/ws/much");
    open.push(reader);
    const before = ownBytes(pid);
    const count = 160;
    let heard = 0;
    for (let i = 0; i < count; i++) {
      await server.publish("much", noise(16 * KIB));
      await until("it is heard", () => {
        heard += reader.pull().filter(({ opcode }) => opcode === Opcode.TEXT).length;
        return heard > i;
      });
    }
    const pings = joined(200, clientFrame(Opcode.PING, noise(100)));
    const words = joined(20, clientFrame(Opcode.BINARY, noise(8 * KIB)));
    for (let i = 0; i < 20; i++) {
      for (const { socket } of pinging) await socket.send(pings, 20);
      for (const { socket } of echoing) await socket.send(words, 20);
    }
    await until(
      "those who stand in the channel lag",
      async () => (await server.metric("sluice_lagging")) === 800,
    );
    expect(await server.metric("sluice_closed_slow")).toBe(0);
    // What nobody reads is not kept.
    await keepsLess([pid], before, open.length * UNSENT + CONSTANT);
    // The handler's sockets have nothing to read on from, nor has Bun for those that ask for pongs; the wire
    // listener owes them the last one only (RFC 6455 5.5.3), and counts the test's own idle connections.
    const left = door === "native" ? 801 : 910;
    await until("they are gone", async () => (await server.metric("sluice_connections")) <= left);
  }, 60_000);

  test("clients that do not finish a message are cut off, those that answer a ping are not", async () => {
    await serve(sub, '[limits]\nmax_silence = "3s"');
    const half = await webSocket("/ws/a")();
    await half.socket.send(clientFrame(Opcode.TEXT, noise(100_000)).subarray(0, 50_000));
    const fragments = await webSocket("/ws/a")();
    await fragments.socket.send(clientFrame(Opcode.TEXT, "begun", { fin: false }));
    const trickling = await webSocket("/ws/a")();
    await trickling.socket.send(clientFrame(Opcode.TEXT, noise(1000)).subarray(0, 100));
    const polite = await webSocket("/ws/a")();
    const silent = await webSocket("/ws/a")();
    const clients = [half, fragments, trickling, polite, silent];
    open.push(...clients);
    const begun = Date.now();
    await until("all but one are gone", async () => {
      await trickling.socket.send("x", 0);
      for (const client of clients) {
        for (const { opcode, payload } of client.pull())
          if (client === polite && opcode === Opcode.PING)
            await client.socket.send(clientFrame(Opcode.PONG, payload));
      }
      return clients.every((client) => client === polite || client.socket.ended);
    });
    await until("a round more", () => Date.now() - begun > 5000);
    expect((await server.statistics("a")).subscribers).toBe(1);
    expect(polite.socket.ended).toBe(false);
  }, 30_000);
});
