/**
 * Readers that stop reading while megabytes are published (promises P2 and P4), on the compiled binary with
 * two workers. What a reader has not taken rests in the store, so it costs no memory, harms nobody, and later
 * gets everything in order, is told how much it missed, or is closed.
 *
 * Their receive buffers are small, but loopback takes some megabytes for each before the server feels
 * anything: hence the volumes.
 */

import { afterEach, describe, expect, test } from "bun:test";
import { JSON_SUBPROTOCOL } from "../../src/wire/subprotocols.ts";
import { keepsLess, ownBytes } from "../process-memory.ts";
import { Random } from "../random.ts";
import { decodeJsonFrame } from "../server-frames.ts";
import { KernelSocket } from "./kernel-socket.ts";
import { Opcode, PulledBody, PulledWebSocket } from "./pulled-client.ts";
import { layout, type RunningServer, startServer, until } from "./running-server.ts";

const MIB = 1024 * 1024;
/** With less, loopback's segments do not fit and each window costs a probe timer of the sender. */
const SIP = 128 * 1024;
const SMALL = { receiveBuffer: 65_536 };
const ONE_LINE = 'header_template = "\\n"\nmessage_template = "~text~\\n"';
const config = (storeSize: string, sub = ONE_LINE): string =>
  layout(`[store]\nsize = "${storeSize}"`, {
    sub,
    ev: 'event_ids = "auto"',
    ws: 'last_event_id = "$arg_eventid"',
  });

/** Lengths are the same in every run. */
const random = new Random(1);
let server: RunningServer;
let open: { close(): void }[] = [];

async function serve(toml: string): Promise<void> {
  server = await startServer({ toml });
}

afterEach(async () => {
  for (const client of open) client.close();
  open = [];
  if (server.process.exitCode === null) await server.stop();
  // A reader that does not read is daily business: nothing to warn of, no stack.
  expect(server.log).not.toMatch(/ (warn|error) /);
});

const body = async (path: string): Promise<PulledBody> => {
  const client = await PulledBody.get(server.port, path, SMALL);
  open.push(client.socket);
  return client;
};
const webSocket = async (path: string, receiveBuffer = SMALL.receiveBuffer): Promise<PulledWebSocket> => {
  const client = await PulledWebSocket.open(server.port, path, { receiveBuffer, protocol: JSON_SUBPROTOCOL });
  open.push(client.socket);
  return client;
};

/** A message that tells its number and can be checked: "<number> <hash> <payload>", random length. */
function numbered(number: number, maxLength: number): string {
  const bytes = crypto.getRandomValues(new Uint8Array(1 + random.below(maxLength / 2)));
  const payload = Buffer.from(bytes).toString("hex");
  return `${number} ${Bun.hash(payload).toString(36)} ${payload}`;
}

/** The number of a message whose payload is what was sent; fails the test when it is not. */
function numberOf(text: string): number {
  const [number, hash, payload = ""] = text.split(" ");
  expect(Bun.hash(payload).toString(36)).toBe(hash ?? "");
  return Number(number);
}

/** What a pulled body carried: numbers of messages, and gaps. */
class Lines {
  readonly numbers: number[] = [];
  readonly missed: number[] = [];
  readonly #body: PulledBody;
  #rest = "";
  #isGap = false;

  constructor(source: PulledBody) {
    this.#body = source;
  }

  get hasEnded(): boolean {
    return this.#body.finished || this.#body.socket.ended;
  }

  /** Takes what is there; false when nothing was. */
  take(limit?: number): boolean {
    const bytes = this.#body.pull(limit);
    const lines = (this.#rest + bytes.toString("latin1")).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) this.#line(line);
    return bytes.length > 0;
  }

  #line(line: string): void {
    if (line === "event: gap") this.#isGap = true;
    else if (this.#isGap && line.startsWith("data: ")) {
      this.missed.push(JSON.parse(line.slice("data: ".length)).missed);
      this.#isGap = false;
    } else if (/^(data: )?\d+ /.test(line)) this.numbers.push(numberOf(line.replace("data: ", "")));
  }
}

const upTo = (count: number, from = 0): number[] => Array.from({ length: count - from }, (_, i) => from + i);

describe("readers that stop and go on", () => {
  test("cost no memory, hold nobody up, and get everything in order", async () => {
    await serve(config("48MiB"));
    const count = 350;
    const pids = await server.workerPids();
    const lively = [
      await webSocket("/ws/much", 0),
      await webSocket("/ws/much", 0),
      await webSocket("/ws/much", 0),
    ];
    const seen = lively.map(() => 0);
    const slow = [];
    for (let i = 0; i < 12; i++)
      slow.push(await body(["/sub/much", "/ev/much", "/ev/other/much"][i % 3] ?? ""));
    await until("all are seated", async () => (await server.statistics("much")).subscribers === 15);
    const before = pids.reduce((sum, pid) => sum + ownBytes(pid), 0);
    for (let i = 0; i < count; i++) {
      expect((await server.publish("much", numbered(i, 140_000))).status).toBe(200);
      // Whoever reads has each message before the next one is published, slow neighbours or not.
      for (const [who, client] of lively.entries()) {
        await until(`message ${i} for those who read`, () => {
          for (const { opcode } of client.pull())
            if (opcode === Opcode.TEXT) seen[who] = (seen[who] ?? 0) + 1;
          return (seen[who] ?? 0) > i + 1; // one more: the hello
        });
      }
    }
    await until("all that stopped are known", async () => (await server.metric("sluice_lagging")) === 12);
    // 24 MiB for each of twelve readers would be 288; what is allowed is the garbage of publishing them.
    await keepsLess(pids, before, 160 * MIB);
    expect(await server.metric("sluice_closed_slow")).toBe(0);
    const readers = slow.map((client) => new Lines(client));
    for (const reader of readers) {
      await until("everything", () => {
        while (reader.take());
        return reader.numbers.length >= count;
      });
      expect(reader.numbers).toEqual(upTo(count));
      expect(reader.missed).toEqual([]);
    }
    await until("all are live again", async () => (await server.metric("sluice_lagging")) === 0);
    await server.publish("much", numbered(count, 10));
    for (const reader of readers)
      await until("the next", () => reader.take() || reader.numbers.at(-1) === count);
  }, 60_000);

  test("newcomers that ask for megabytes and read nothing are as cheap, and get them all", async () => {
    await serve(config("48MiB"));
    const count = 350;
    for (let i = 0; i < count; i++) await server.publish("old", numbered(i, 120_000));
    const clients = [await body("/sub/old.b350"), await body("/ev/old.b350")];
    const socket = await webSocket("/ws/old.b350");
    await until("they are known to lag", async () => (await server.metric("sluice_lagging")) === 2);
    await server.publish("old", numbered(count, 10));
    for (const client of clients) {
      const reader = new Lines(client);
      await until("everything", () => {
        while (reader.take());
        return reader.numbers.length > count;
      });
      expect(reader.numbers).toEqual(upTo(count + 1));
    }
    const numbers: number[] = [];
    await until("everything on the socket", () => {
      for (const frame of framesOf(socket)) if (frame.kind === "message") numbers.push(frame.number);
      return numbers.length > count;
    });
    expect(numbers).toEqual(upTo(count + 1));
  }, 60_000);
});

describe.each([
  ["native listener", ONE_LINE],
  ["wire listener", 'message_template = "~text~\\n"'],
])("a channel that stores less than its readers are behind, %s", (_listener, sub) => {
  test("what it no longer stores rests for them: nothing is missing or mixed up", async () => {
    const rests = 'max_messages_stored_per_channel = 4\nunstored_message_ttl = "60s"';
    await serve(layout(`[store]\nsize = "48MiB"\n${rests}`, { sub, ev: 'event_ids = "auto"' }));
    const count = 200;
    const clients = [await body("/sub/few"), await body("/sub/few"), await body("/ev/few")];
    await until("all are seated", async () => (await server.statistics("few")).subscribers === 3);
    for (let i = 0; i < count; i++) await server.publish("few", numbered(i, 140_000));
    await until("they lag", async () => (await server.metric("sluice_lagging")) === 3);
    const readers = clients.map((client) => new Lines(client));
    // In turns, so that each waits for room while the others are given theirs.
    await until("everything", () => {
      for (const reader of readers) reader.take(SIP);
      return readers.every(({ numbers, hasEnded }) => hasEnded || numbers.at(-1) === count - 1);
    });
    for (const { numbers, missed } of readers)
      expect({ numbers, missed }).toEqual({ numbers: upTo(count), missed: [] });
    expect((await server.statistics("few")).stored_messages).toBe(4);
  }, 60_000);
});

test("readers that stop for longer than the store remembers: told how many, or closed", async () => {
  await serve(config("8MiB"));
  const count = 500;
  const events = [await body("/ev/short"), await body("/ev/other/short")];
  const stream = await body("/sub/short");
  for (let i = 0; i < count; i++) await server.publish("short", numbered(i, 80_000));
  await until("they lag", async () => (await server.metric("sluice_lagging")) === 3);
  for (const client of events) {
    const reader = new Lines(client);
    await until("the last", () => {
      while (reader.take());
      return reader.numbers.at(-1) === count - 1;
    });
    // One hole, as long as it says.
    const { numbers, missed } = reader;
    expect(missed).toHaveLength(1);
    const hole = numbers.findIndex((number, i) => number !== i);
    expect(numbers).toEqual([...upTo(hole), ...upTo(count, hole + (missed[0] ?? 0))]);
  }
  const reader = new Lines(stream);
  await until("the end of the stream", () => {
    while (reader.take());
    return stream.finished || stream.socket.ended;
  });
  expect(reader.numbers).toEqual(upTo(reader.numbers.length));
  expect(reader.numbers.length).toBeLessThan(count);
  expect(await server.metric("sluice_closed_slow")).toBe(1);
  await until("only the others are left", async () => (await server.statistics("short")).subscribers === 2);
}, 60_000);

interface NumberedFrame {
  readonly kind: string;
  readonly number: number;
  /** Of a gap. */
  readonly missed: number | null;
}

/** The frames of the JSON protocol that have arrived, messages checked. */
function framesOf(socket: PulledWebSocket): NumberedFrame[] {
  const frames: NumberedFrame[] = [];
  for (const { opcode, payload } of socket.pull()) {
    if (opcode === Opcode.CLOSE) frames.push({ kind: "close", number: -1, missed: null });
    if (opcode !== Opcode.TEXT) continue;
    const frame = decodeJsonFrame(payload.toString("utf8"));
    if (frame?.kind === "message") {
      const number = numberOf(Buffer.from(frame.data).toString("latin1"));
      frames.push({ kind: "message", number, missed: null });
    } else {
      const missed = frame?.kind === "gap" ? frame.missed : null;
      frames.push({ kind: frame?.kind ?? "nothing", number: -1, missed });
    }
  }
  return frames;
}

test("a WebSocket that stops holds nobody up, costs no memory, and gets all in order later", async () => {
  await serve(config("32MiB"));
  const count = 500;
  const lively = await webSocket("/ws/wide", 0);
  const heard: number[] = [];
  const listen = (socket: PulledWebSocket, numbers: number[]): void => {
    for (const frame of framesOf(socket)) if (frame.kind === "message") numbers.push(frame.number);
  };
  const slow = await webSocket("/ws/wide");
  const slowAbout = await webSocket("/ws/narrow/wide");
  for (let i = 0; i < count; i++) {
    await server.publish("wide", numbered(i, 80_000));
    await until("the one who reads follows", () => {
      listen(lively, heard);
      return heard.length > i;
    });
  }
  // One socket in one channel, one in two.
  await until("they lag", async () => (await server.metric("sluice_lagging")) === 3);
  for (const socket of [slow, slowAbout]) {
    const numbers: number[] = [];
    await until("everything", () => {
      listen(socket, numbers);
      return numbers.length >= count;
    });
    expect(numbers).toEqual(upTo(count));
  }
  await until("they are live again", async () => (await server.metric("sluice_lagging")) === 0);
  await server.publish("wide", numbered(count, 10));
  for (const socket of [lively, slow, slowAbout]) {
    const last: number[] = [];
    await until("the next", () => {
      listen(socket, last);
      return last.length > 0;
    });
    expect(last).toEqual([count]);
  }
  expect(heard).toEqual(upTo(count));
  expect(await server.metric("sluice_closed_slow")).toBe(0);
}, 60_000);

test("WebSockets that stop longer than the store remembers: told how many, or closed", async () => {
  await serve(config("8MiB"));
  const count = 500;
  const ours = await webSocket("/ws/short");
  const plain = await PulledWebSocket.open(server.port, "/ws/short", SMALL);
  open.push(plain.socket);
  for (let i = 0; i < count; i++) await server.publish("short", numbered(i, 80_000));
  await until("they lag", async () => (await server.metric("sluice_lagging")) === 2);
  const frames: NumberedFrame[] = [];
  await until("the last", () => {
    frames.push(...framesOf(ours));
    return frames.at(-1)?.number === count - 1;
  });
  const numbers = frames.filter(({ kind }) => kind === "message").map(({ number }) => number);
  expect(frames.filter(({ kind }) => kind === "gap")).toHaveLength(1);
  expect(numbers).toHaveLength(count - (frames.find(({ kind }) => kind === "gap")?.missed ?? 0));
  const seen: number[] = [];
  const codes: number[] = [];
  await until("the end", () => {
    for (const { opcode, payload } of plain.pull()) {
      if (opcode === Opcode.CLOSE) codes.push(payload.readUInt16BE());
      if (opcode === Opcode.TEXT) seen.push(numberOf(payload.toString("latin1")));
    }
    return codes.length > 0;
  });
  // Comes back later, with its position.
  expect(codes).toEqual([1013]);
  expect(seen).toEqual(upTo(seen.length));
  expect(await server.metric("sluice_closed_slow")).toBe(1);
}, 60_000);

test("a stop does not wait for those who do not read, or do not finish what they send", async () => {
  await serve(`shutdown_timeout = "2s"\n${config("16MiB")}`);
  const stuck = [await body("/sub/end"), await body("/ev/end"), await body("/ev/other/end")];
  const stuckSockets = [await webSocket("/ws/end")];
  for (let i = 0; i < 300; i++) await server.publish("end", numbered(i, 60_000));
  await until(
    "they lag",
    async () => (await server.metric("sluice_lagging")) === stuck.length + stuckSockets.length,
  );
  const half = new KernelSocket(server.port);
  open.push(half);
  await half.send("POST /pub?id=end HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc");
  expect(await server.stop()).toBe(0);
  expect(server.log).not.toContain("killing");
});

test("any bytes of any length arrive as they were sent while the reader is always behind", async () => {
  await serve(config("64MiB", 'header_template = "\\n"\nmessage_template = "~size~:~text~"'));
  const client = await body("/sub/bytes");
  const lengths = [1, 255, 256, 257, 65_535, 65_536, 262_143, 262_144, 262_145, MIB];
  for (let i = 0; i < 40; i++) lengths.push(1 + random.below(MIB));
  const hashes: bigint[] = [];
  for (const length of lengths) {
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length; at += 65_536) crypto.getRandomValues(bytes.subarray(at, at + 65_536));
    hashes.push(Bun.hash.wyhash(bytes));
    expect((await server.publish("bytes", bytes)).status).toBe(200);
  }
  await until("it lags", async () => (await server.metric("sluice_lagging")) === 1);
  let parts: Buffer[] = [];
  let total = 0;
  const expected = 1 + lengths.reduce((sum, length) => sum + `${length}:`.length + length, 0);
  await until(
    "all bytes",
    () => {
      // Small sips, so that the socket fills again and again.
      for (let bytes = client.pull(16_384); bytes.length > 0; bytes = client.pull(16_384)) {
        parts.push(bytes);
        total += bytes.length;
      }
      return total >= expected;
    },
    30_000,
  );
  const whole = Buffer.concat(parts);
  parts = [];
  let at = 1;
  lengths.forEach((length, i) => {
    const head = `${length}:`;
    expect(whole.toString("latin1", at, at + head.length)).toBe(head);
    at += head.length + length;
    expect(Bun.hash.wyhash(whole.subarray(at - length, at)), `message ${i} of ${length} bytes`).toBe(
      hashes[i] ?? 0n,
    );
  });
}, 60_000);
