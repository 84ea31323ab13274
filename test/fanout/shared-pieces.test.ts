/** Of a large message, readers that are behind keep one copy all together, whichever turn they come in. */
import { afterAll, expect, test } from "bun:test";
import type { Fanout } from "../../src/fanout/fanout.ts";
import { PieceWriter } from "../../src/fanout/piece-writer.ts";
import { chunkOf, sharedChunk } from "../../src/listen/wire/chunk.ts";
import { Outlet, type TcpSocket } from "../../src/listen/wire/outlet.ts";
import { SharedPiece } from "../../src/listen/wire/shared-piece.ts";
import { bytes, Channel, newStore, removeTempFolders } from "../store/fixture.ts";
import { joinStream, PLAIN, TestWorker } from "./fixture.ts";
import { turns } from "./test-stream.ts";

afterAll(removeTempFolders);

const LARGE = "x".repeat(200_000);

test("slow streams that come back in turns of their own are given the same bytes as one object", async () => {
  const store = newStore({}, { ringSize: 64, size: 4 * 1024 * 1024 });
  const worker = new TestWorker(store);
  try {
    const channel = new Channel(store, "c");
    const given: Uint8Array[] = [];
    const slow = Array.from({ length: 3 }, () => {
      const stream = joinStream(worker, PLAIN, [channel]);
      const write = stream.sink.write.bind(stream.sink);
      stream.sink.write = (piece) => {
        given.push(piece);
        return write(piece);
      };
      stream.sink.isFull = true;
      return stream;
    });
    worker.publish(channel, "small");
    await turns();
    worker.publish(channel, LARGE);
    await turns();
    given.length = 0;
    for (const stream of slow) {
      await stream.sink.drain();
      await turns();
    }
    expect(new Set(given).size).toBe(1);
    for (const stream of slow) expect(stream.take().at(-1)).toEndWith(LARGE);
    // Another message is another object, and nothing of the first.
    for (const stream of slow) stream.sink.isFull = true;
    worker.publish(channel, "small", `${LARGE.slice(1)}y`);
    await turns();
    given.length = 0;
    for (const stream of slow) {
      await stream.sink.drain();
      await turns();
    }
    for (const stream of slow) expect(stream.take().at(-1)).toEndWith(`${LARGE.slice(1)}y`);
    forgets(worker.fanout);
  } finally {
    worker.stop();
    store.close();
  }
});

/** A look when nobody lags. */
const forgets = (fanout: Fanout): void => fanout.closeStuck(performance.now());

class TestOutlet extends Outlet {
  constructor(socket: TcpSocket) {
    super(socket, -1);
  }
  protected override roomy(): void {
    // nothing waits for it
  }
  protected override moved(): void {
    // in no list
  }
  override retire(): void {
    // it stays
  }
  override cutOff(): void {
    // it stays
  }
  override closed(): void {
    this.leave();
  }
}

/** Takes `room` bytes, then nothing. */
class FullSocket implements TcpSocket {
  readonly remoteAddress = "192.0.2.1";
  readonly written: Uint8Array[] = [];
  /** Whose bytes were handed in last. */
  handed: ArrayBufferLike | null = null;
  room: number;
  get data(): never {
    throw new Error("nobody asks");
  }
  constructor(room: number) {
    this.room = room;
  }
  write(piece: Uint8Array, offset = 0, length = piece.length): number {
    const taken = Math.min(this.room, length);
    this.room -= taken;
    this.written.push(new Uint8Array(piece.subarray(offset, offset + taken)));
    this.handed = piece.buffer;
    return taken;
  }
  end(): void {
    // it stays
  }
  shutdown(): void {
    // it stays
  }
  terminate(): void {
    // it stays
  }
  close(): void {
    // it stays
  }
  pause(): void {
    // it stays
  }
  resume(): void {
    // it stays
  }
}

/** Sends what is left; where that lay. */
function sendRest(outlet: TestOutlet, socket: FullSocket | undefined): unknown {
  if (socket !== undefined) socket.room = Number.POSITIVE_INFINITY;
  outlet.drained();
  return socket?.handed;
}

test("of a large chunk that other chunks came in between of, sockets keep one copy", () => {
  const piece = bytes(LARGE);
  const sockets = [new FullSocket(10), new FullSocket(999), new FullSocket(100_000)];
  const outlets = sockets.map((socket) => new TestOutlet(socket));
  for (const outlet of outlets) {
    const { bytes: chunk, length } = chunkOf(piece, true);
    outlet.push(chunk, 0, length, sharedChunk());
    chunkOf(bytes("between"), true);
  }
  const places = outlets.map((outlet, i) => sendRest(outlet, sockets[i]));
  expect(new Set(places).size).toBe(1);
  for (const { written } of sockets) expect(Buffer.concat(written).toString()).toBe(`30d40\r\n${LARGE}\r\n`);
});

test("a corked socket is no way around it: what is large is not copied into what it has corked", () => {
  const piece = bytes(LARGE);
  const shared = new SharedPiece();
  const sockets = [new FullSocket(500), new FullSocket(70_000)];
  const outlets = sockets.map((socket) => new TestOutlet(socket));
  for (const outlet of outlets) {
    outlet.cork();
    outlet.push(bytes("before "));
    expect(outlet.push(piece, 0, piece.length, shared)).toBe(false);
    expect(outlet.isCorked).toBe(true);
    outlet.push(bytes(" after"));
  }
  const places = outlets.map((outlet, i) => sendRest(outlet, sockets[i]));
  expect(new Set(places).size).toBe(1);
  for (const outlet of outlets) outlet.uncork();
  for (const { written } of sockets) expect(Buffer.concat(written).toString()).toBe(`before ${LARGE} after`);
});

/** A large piece as a carrier makes it: memory of its own, with room around it. */
function lastingPiece(text: string) {
  const writer = new PieceWriter();
  writer.begin(text.length).pushBytes(bytes(text));
  return { piece: writer.view(), end: () => writer.end() };
}

test("a large piece is framed where it lies, slow sockets hold no copy, and the last gives it back", () => {
  const text = LARGE.repeat(2);
  const { piece, end } = lastingPiece(text);
  const { buffer } = piece;
  const sockets = [0, 10, 999, 100_000, 1_000_000].map((room) => new FullSocket(room));
  const outlets = sockets.map((socket) => new TestOutlet(socket));
  for (const outlet of outlets) {
    const { bytes: chunk, length } = chunkOf(piece, true);
    expect(chunk.buffer).toBe(buffer);
    outlet.push(chunk, 0, length, sharedChunk());
  }
  end();
  const [gone, ...slow] = outlets;
  gone?.closed();
  expect(piece.length).toBe(text.length);
  const places = slow.slice(0, 3).map((outlet, i) => sendRest(outlet, sockets[i + 1]));
  expect(new Set(places)).toEqual(new Set([buffer]));
  expect(piece.length).toBe(0);
  for (const { written } of sockets.slice(1))
    expect(Buffer.concat(written).toString()).toBe(`61a80\r\n${text}\r\n`);
});

test("a large piece that nobody is slow to take is given back when all were given it", () => {
  const { piece, end } = lastingPiece(LARGE.repeat(2));
  const socket = new FullSocket(Number.POSITIVE_INFINITY);
  const { bytes: chunk, length } = chunkOf(piece, true);
  new TestOutlet(socket).push(chunk, 0, length, sharedChunk());
  expect(piece.length).toBe(2 * LARGE.length);
  end();
  expect(piece.length).toBe(0);
});

test("who is slow after all others have taken their copy has one of his own", () => {
  const piece = bytes(LARGE);
  const shared = new SharedPiece();
  for (const room of [500, 70_000]) {
    const socket = new FullSocket(room);
    const outlet = new TestOutlet(socket);
    outlet.push(piece, 0, piece.length, shared);
    outlet.push(bytes(" after"));
    sendRest(outlet, socket);
    expect(Buffer.concat(socket.written).toString()).toBe(`${LARGE} after`);
  }
});
