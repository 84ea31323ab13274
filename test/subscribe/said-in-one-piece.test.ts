/**
 * Many publish frames in one piece: each is answered as if it had come alone, in order, whatever comes
 * between them, and what was answered is in the store. Raw bytes of the compiled binary, on both listeners.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { HEAD_LOCK, HEADER_BYTES } from "../../src/store/memory/layout-header.ts";
import { KernelSocket } from "../binary/kernel-socket.ts";
import { standing } from "../binary/raw-client.ts";
import { clientFrame, HANDSHAKE, Opcode, RawWebSocket } from "../binary/raw-web-socket.ts";
import { type RunningServer, startServer, until } from "../binary/running-server.ts";

const SEED = 20_261_129;
const JSON_PROTOCOL = { "Sec-WebSocket-Protocol": "sluice.json.v1" };
const TOML = `
[limits]
max_unsent_size = "256KiB"
[store]
max_messages_stored_per_channel = 5000
[[location]]
match = "= /pub"
publisher = "normal"
channels_path = "$arg_id"
store_messages = true
[[location]]
match = "~ ^/say/(.*)$"
subscriber = "websocket"
channels_path = "$1"
websocket_allow_publish = true
store_messages = true
[[location]]
match = "~ ^/read/(.*)$"
subscriber = "polling"
channels_path = "$1.b5000"
message_template = "~id~=~text~;"
[[location]]
match = "= /channels-stats"
statistics = true
channels_path = "$arg_id"
`;

type Fields = Record<string, unknown>;

/** Numerical Recipes' generator: the same frames in each run. */
let state = SEED;
const below = (count: number): number => {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  return Math.floor((state / 2 ** 32) * count);
};

const framed = (fields: Fields): Buffer => clientFrame(Opcode.TEXT, JSON.stringify(fields));
const plain = (ref: number, data = `m${ref}`): Fields => ({ kind: "publish", ref, data });

const numberOf = (answer: Fields | undefined): number => Number(String(answer?.["position"]).split("-")[1]);
/** A channel's positions begin anywhere: what they have more than its ids. The first answer is that of m0. */
const baseOf = (found: ReadonlyMap<number, string>, position: number): number =>
  position - ([...found].find(([, text]) => text === "m0")?.[0] ?? 0);

describe.each(["native", "wire"])("publish frames in one piece, %s listener", (listener) => {
  let server: RunningServer;
  beforeAll(async () => {
    server = await startServer({ toml: TOML, workers: 1, args: ["--listener", listener] });
  });
  afterAll(() => server.stop());

  const open = async (channels: string): Promise<RawWebSocket> => {
    const socket = await RawWebSocket.open(server.port, `/say/${channels}`, JSON_PROTOCOL);
    expect(JSON.parse(await socket.text()).kind).toBe("hello");
    return socket;
  };
  /** The next that is no message: an answer, or a close frame's code. */
  const told = async (socket: RawWebSocket): Promise<Fields> => {
    for (;;) {
      const { opcode, payload } = await socket.frame();
      if (opcode === Opcode.CLOSE) return { closed: payload.length < 2 ? 0 : payload.readUInt16BE() };
      const fields = JSON.parse(payload.toString());
      if (fields.kind !== "message") return fields;
    }
  };
  const answers = async (socket: RawWebSocket, count: number): Promise<Fields[]> => {
    const all: Fields[] = [];
    while (all.length < count) all.push(await told(socket));
    return all;
  };
  /** Texts by id. */
  const read = async (channel: string): Promise<Map<number, string>> => {
    const { text } = await server.request(`/read/${channel}`);
    const lines = text.split(";").filter((line) => line !== "");
    return new Map(lines.map((line) => [Number(line.split("=")[0]), line.slice(line.indexOf("=") + 1)]));
  };

  const KINDS: readonly ((ref: number, one: string, two: string) => Fields)[] = [
    (ref, channel) => ({ kind: "publish", ref, channel, data: `plain ${ref}` }),
    (ref, channel) => ({ kind: "publish", ref, channel, data: `plain ${ref}` }),
    (ref, _, channel) => ({ kind: "publish", channel, data: `"quoted" ü ${ref}`, ref }),
    (ref) => plain(ref),
    (ref, channel) => ({ kind: "publish", ref: `text "${ref}"`, channel, data: "x".repeat(below(600) + 1) }),
    (ref, channel) => ({ kind: "publish", ref: ref + 0.5, channel, data: `ü ${ref}` }),
    (ref, channel) => ({ kind: "publish", ref, channel, data: "once", key: `k${below(8)}` }),
    (ref) => ({ kind: "publish", ref, channel: "foreign", data: "x" }),
    (ref, channel) => ({ kind: "publish", ref, channel, data: "" }),
    (ref) => ({ kind: "publish", ref, data: "x", more: 1 }),
    (ref) => ({ kind: "token", ref, token: "none" }),
    (ref) => ({ kind: "subscribe", ref, channels: ["more"] }),
  ];

  /** A channel's positions begin anywhere. */
  const wordsOf = (all: readonly Fields[]): string[] => {
    const first = new Map<string, number>();
    return all.map((fields) =>
      JSON.stringify(fields).replace(/"([0-9a-z]+)-(\d+)"/g, (_, life, position) => {
        if (!first.has(life)) first.set(life, Number(position));
        return String(Number(position) - (first.get(life) ?? 0));
      }),
    );
  };

  test("what comes in one piece is answered and stored as what comes frame by frame", async () => {
    const kinds = Array.from({ length: 400 }, () => [below(KINDS.length), below(2 ** 31)] as const);
    const said = (one: string, two: string): Buffer[] =>
      kinds.map(([kind, seed], ref) => {
        state = seed;
        return framed(KINDS[kind]?.(ref, one, two) ?? {});
      });
    const slow = await open("slow1/slow2");
    const single: Fields[] = [];
    for (const frame of said("slow1", "slow2")) {
      slow.connection.send(frame);
      single.push(await told(slow));
    }
    const quick = await open("fast1/fast2");
    const piece = Buffer.concat(said("fast1", "fast2"));
    const cuts = [0, below(piece.length), below(piece.length), piece.length].sort((a, b) => a - b);
    for (let at = 1; at < cuts.length; at++)
      quick.connection.send(piece.subarray(cuts[at - 1] ?? 0, cuts[at] ?? 0));
    const together = await answers(quick, kinds.length);
    expect(wordsOf(together)).toEqual(wordsOf(single));
    expect(await read("fast1")).toEqual(await read("slow1"));
    expect(await read("fast2")).toEqual(await read("slow2"));
    slow.close();
    quick.close();
  });

  test("beside publishers by HTTP each is where its answer says, each client's in order", async () => {
    const socket = await open("mixed");
    let isOver = false;
    const posting = (async () => {
      for (let post = 0; !isOver; post++) await server.publish("mixed", `p${post}`);
    })();
    const where: number[] = [];
    for (let round = 0; round < 8; round++) {
      const refs = Array.from({ length: 150 }, (_, at) => round * 150 + at);
      socket.connection.send(Buffer.concat(refs.map((ref) => framed(plain(ref)))));
      for (const ref of refs) {
        const answer = await told(socket);
        expect([answer["kind"], answer["ref"]]).toEqual(["published", ref]);
        where.push(numberOf(answer));
      }
    }
    isOver = true;
    await posting;
    const found = await read("mixed");
    const base = baseOf(found, where[0] ?? 0);
    expect(where.map((position) => found.get(position - base))).toEqual(where.map((_, ref) => `m${ref}`));
    expect(where).toEqual(where.toSorted((a, b) => a - b));
    const posts = [...found.values()].filter((text) => text.startsWith("p"));
    expect(posts).toEqual(posts.map((_, at) => `p${at}`));
    socket.close();
  });

  test("those before a close frame or a faulty one are in, those behind it are not", async () => {
    for (const [channel, end] of [
      ["closed", clientFrame(Opcode.CLOSE, Buffer.from([0x03, 0xe8]))],
      ["broken", clientFrame(Opcode.TEXT, "{}", { masked: false })],
    ] as const) {
      const socket = await open(channel);
      const frames = (from: number, to: number): Buffer[] =>
        Array.from({ length: to - from }, (_, at) => framed(plain(from + at)));
      socket.connection.send(Buffer.concat([...frames(0, 100), end, ...frames(100, 105)]));
      expect((await answers(socket, 100)).map(({ ref }) => ref)).toEqual(
        Array.from({ length: 100 }, (_, ref) => ref),
      );
      await until("it has left", async () => (await server.statistics(channel)).subscribers === 0);
      expect((await read(channel)).size).toBe(100);
      socket.close();
    }
  });

  test("frames for a store whose lock is taken wait for it, and those behind them too", async () => {
    const socket = await open("locked");
    const bytes = Bun.mmap(/ store=(\S+)/.exec(server.log)?.[1] ?? "", { shared: true });
    const lock = new Int32Array(bytes.buffer, bytes.byteOffset, HEADER_BYTES / 4);
    const refs = Array.from({ length: 150 }, (_, ref) => ref);
    await until("the lock", () => Atomics.compareExchange(lock, HEAD_LOCK, 0, process.pid) === 0);
    socket.connection.send(Buffer.concat(refs.slice(0, 100).map((ref) => framed(plain(ref)))));
    // It is answered at once: the frames before it have been read, and wait.
    socket.sendFrame(Opcode.PING, "read");
    for (let opcode = -1; opcode !== Opcode.PONG; ) ({ opcode } = await socket.frame());
    socket.connection.send(Buffer.concat(refs.slice(100).map((ref) => framed(plain(ref)))));
    Atomics.compareExchange(lock, HEAD_LOCK, process.pid, 0);
    const all = await answers(socket, refs.length);
    expect(all.map(({ kind, ref }) => [kind, ref])).toEqual(refs.map((ref) => ["published", ref]));
    expect([...(await read("locked")).values()]).toEqual(refs.map((ref) => `m${ref}`));
    socket.close();
  });

  test("a client that reads no answers is cut off, and what was taken from it is in, in order", async () => {
    const flood = new KernelSocket(server.port, { receiveBuffer: 4096 });
    const fields = Object.entries({ Host: "x", ...HANDSHAKE, ...JSON_PROTOCOL });
    const head = fields.map(([name, value]) => `${name}: ${value}\r\n`).join("");
    await flood.send(`GET /say/unread HTTP/1.1\r\n${head}\r\n`);
    await standing(server.port, "unread");
    const burst = Buffer.concat(Array.from({ length: 500 }, (_, ref) => framed(plain(ref))));
    // Closed, it may be read on from for a while, for nobody.
    for (let round = 0; round < 400 && (await flood.send(burst, 2000)); round++);
    await until("it is cut off", async () => (await server.statistics("unread")).subscribers === 0);
    const found = await read("unread");
    const refs = [...found.values()].map((text) => Number(text.slice(1)));
    expect(refs.length).toBeGreaterThan(0);
    const [first = 0] = refs;
    expect(refs).toEqual(refs.map((_, at) => (first + at) % 500));
    flood.reset();
  });

  test("a worker that is killed between frames leaves all that it answered, in order and once", async () => {
    const socket = await open("killed");
    const [pid = 0] = await server.workerPids();
    const answered: Fields[] = [];
    let next = 0;
    const burst = (): void => {
      const frames = Array.from({ length: 200 }, () => framed(plain(next++)));
      socket.connection.send(Buffer.concat(frames));
    };
    burst();
    try {
      for (;;) {
        answered.push(await told(socket));
        if (answered.length % 200 === 100) burst();
        if (answered.length === 450) process.kill(pid, "SIGKILL");
      }
    } catch {
      // The connection died with the worker.
    }
    await until("there is a worker", async () => {
      const pids = await server.workerPids().catch(() => []);
      return pids.length === 1 && pids[0] !== pid;
    });
    const found = await read("killed");
    expect(answered.length).toBeGreaterThanOrEqual(450);
    const base = baseOf(found, numberOf(answered[0]));
    for (const answer of answered) expect(found.get(numberOf(answer) - base)).toBe(`m${answer["ref"]}`);
    expect([...found.values()]).toEqual([...found.values()].map((_, at) => `m${at}`));
  });
});
