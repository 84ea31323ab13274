/**
 * WebSocket clients that send what costs a server more than them, and clients that break off in every state:
 * on both listeners.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { keepsLess, ownBytes } from "../process-memory.ts";
import { KernelSocket } from "./kernel-socket.ts";
import { standing } from "./raw-client.ts";
import { clientFrame, Opcode, RawWebSocket } from "./raw-web-socket.ts";
import { layout, type RunningServer, startServer, until } from "./running-server.ts";

const MIB = 2 ** 20;
const MANY = 100_000;
/** Of seven bytes each: what a socket's first window takes. */
const FRAMES_A_READ = 9000;
const HANDSHAKE =
  "Host: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
  "Sec-WebSocket-Key: /mQoZf6pRiv8+6o72GncLQ==\r\n\r\n";
const times = (count: number, frame: Buffer): Buffer => Buffer.alloc(frame.length * count, frame);

describe.each(["native", "wire"])("%s listener", (listener) => {
  let server: RunningServer;
  let pid: number;
  beforeAll(async () => {
    const toml = layout('send_buffer = "16KiB"', {
      sub: 'header_template = "^"',
      ws: "websocket_allow_publish = true",
    });
    server = await startServer({ toml, workers: 1, args: ["--listener", listener] });
    pid = (await server.workerPids())[0] ?? 0;
  });
  afterAll(async () => {
    await server.stop();
  });

  test("hundreds of thousands of pings of a client that reads nothing add up to nothing", async () => {
    const other = await RawWebSocket.open(server.port, "/ws/others");
    const flood = new KernelSocket(server.port, { receiveBuffer: 4096 });
    await flood.send(`GET /ws/flood HTTP/1.1\r\n${HANDSHAKE}`);
    await standing(server.port, "flood");
    const pings = times(MANY, clientFrame(Opcode.PING, "x".repeat(125)));
    let before = 0;
    for (let round = 0; round < 4; round++) {
      // The native listener cuts it off before that.
      await flood.send(pings, 10_000);
      other.sendFrame(Opcode.TEXT, "still here");
      expect(await other.text()).toBe("still here");
      // The first round brings what the collector lets lie about.
      if (round === 0) before = ownBytes(pid);
    }
    await keepsLess([pid], before, 16 * MIB);
    flood.reset();
    other.close();
  });

  test("100,000 messages in one piece arrive, in order and none twice", async () => {
    const socket = await RawWebSocket.open(server.port, "/ws/burst");
    const numbers = Array.from({ length: 5000 }, (_, i) => String(i));
    for (let round = 0; round < 4; round++) {
      socket.connection.send(Buffer.concat(numbers.map((text) => clientFrame(Opcode.TEXT, text))));
      for (const text of numbers) expect(await socket.text()).toBe(text);
    }
    expect((await server.statistics("burst")).published_messages).toBe(4 * numbers.length);
    socket.close();
  });

  test("of thousands of messages in one piece no more are read than others can wait for", async () => {
    const flood = await RawWebSocket.open(server.port, "/ws/turns");
    const other = await RawWebSocket.open(server.port, "/ws/turns");
    await standing(server.port, "turns", 2);
    // Both are there when it looks again: so much of the first that one read takes.
    process.kill(pid, "SIGSTOP");
    flood.connection.send(times(FRAMES_A_READ, clientFrame(Opcode.TEXT, "a")));
    await Bun.sleep(100);
    other.sendFrame(Opcode.TEXT, "other");
    await Bun.sleep(20);
    process.kill(pid, "SIGCONT");
    let before = 0;
    while ((await other.text()) !== "other") before++;
    expect(before).toBeLessThan(FRAMES_A_READ / 2);
    // Nothing of it is lost, nor of what comes behind it.
    flood.sendFrame(Opcode.TEXT, "last");
    for (let left = FRAMES_A_READ - before; left > 0; left--) expect(await other.text()).toBe("a");
    expect(await other.text()).toBe("last");
    flood.close();
    other.close();
  });

  test("what a client said before it left is published, also where a turn had no time for it", async () => {
    const pieces = times(FRAMES_A_READ, clientFrame(Opcode.TEXT, "a"));
    const polite = await RawWebSocket.open(server.port, "/ws/left");
    polite.connection.send(Buffer.concat([pieces, clientFrame(Opcode.CLOSE)]));
    const published = async (): Promise<number> => (await server.statistics("left")).published_messages;
    await until("all is published", async () => (await published()) === FRAMES_A_READ);
    await until("it has left", async () => (await server.statistics("left")).subscribers === 0);
    polite.close();
  });

  test("a message of 100,000 empty fragments is one message, and costs nothing while it comes", async () => {
    const socket = await RawWebSocket.open(server.port, "/ws/fragments");
    const before = ownBytes(pid);
    socket.sendFrame(Opcode.TEXT, "be", { fin: false });
    socket.connection.send(times(MANY, clientFrame(Opcode.CONTINUATION, "", { fin: false })));
    socket.sendFrame(Opcode.PING, "still here");
    const { opcode, payload } = await socket.frame();
    expect([opcode, payload.toString()]).toEqual([Opcode.PONG, "still here"]);
    await keepsLess([pid], before, 30 * MIB);
    socket.sendFrame(Opcode.CONTINUATION, "gun");
    expect(await socket.text()).toBe("begun");
    socket.close();
  });

  test("a client that resets its connection leaves nothing behind, whatever it was at", async () => {
    const whole = clientFrame(Opcode.TEXT, "x".repeat(300));
    const states: readonly (readonly [string | Buffer, boolean])[] = [
      ["", false],
      ["GET /ws/gone HTTP/1.1\r\nHo", false],
      [`GET /ws/gone HTTP/1.1\r\n${HANDSHAKE}`, false],
      ["", true],
      [whole.subarray(0, 1), true],
      [whole.subarray(0, 7), true],
      [whole.subarray(0, 100), true],
      [clientFrame(Opcode.TEXT, "a", { fin: false }), true],
      [Buffer.concat([whole, whole.subarray(0, 100)]), true],
      [clientFrame(Opcode.CLOSE), true],
      [clientFrame(Opcode.CLOSE).subarray(0, 3), true],
    ];
    const offset = server.log.length;
    for (let round = 0; round < 5; round++) {
      for (const [bytes, isOpen] of states) {
        const socket = new KernelSocket(server.port);
        if (isOpen) {
          await socket.send(`GET /ws/gone HTTP/1.1\r\n${HANDSHAKE}`);
          await until("it is open", () => socket.read().length > 0);
        }
        if (bytes.length > 0) await socket.send(bytes);
        socket.reset();
      }
    }
    await until("all have left", async () => (await server.statistics("gone")).subscribers === 0);
    expect(server.log.slice(offset)).not.toMatch(/ (?:warn|error) /);
    const socket = await RawWebSocket.open(server.port, "/ws/gone");
    socket.sendFrame(Opcode.TEXT, "next");
    expect(await socket.text()).toBe("next");
    socket.close();
  });
});
