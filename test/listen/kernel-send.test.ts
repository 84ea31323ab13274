/**
 * What kernel-send.ts relies on: the runtime tells that a socket is closed before its descriptor is
 * another's, and what the kernel did not take of a send(2) goes on by the runtime's own write, in order.
 */
import { expect, test } from "bun:test";
import { connect, type Socket } from "node:net";
import { descriptorOf } from "../../src/listen/wire/kernel-send.ts";
import { openLines, readOn } from "./outlet-fixture.ts";

const CONNECTIONS = 600;
const AT_ONCE = 40;
/** How a connection ends, by turns: our close, end, reset; the client's end and reset. */
const ENDS: readonly ((ours: Bun.Socket, theirs: Socket) => void)[] = [
  (ours) => ours.close(),
  (ours) => ours.end(),
  (ours) => ours.terminate(),
  (_, theirs) => theirs.end(),
  (_, theirs) => theirs.resetAndDestroy(),
];

test("a closed socket is told of before its descriptor is another's", async () => {
  const holders = new Map<number, Bun.Socket>();
  const clients = new Map<number, Socket>();
  const seen = { ended: 0, closed: 0, reused: 0, held: 0 };
  const all = Promise.withResolvers<void>();
  const known = new Set<number>();
  const server = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    allowHalfOpen: true,
    socket: {
      open(ours) {
        const descriptor = descriptorOf(ours);
        if (known.has(descriptor)) seen.reused++;
        if (holders.has(descriptor)) seen.held++;
        known.add(descriptor);
        holders.set(descriptor, ours);
      },
      // Its client is known by now.
      data(ours) {
        const theirs = clients.get(ours.remotePort);
        if (theirs !== undefined) ENDS[seen.ended++ % ENDS.length]?.(ours, theirs);
      },
      end: (ours) => void ours.end(),
      close(ours) {
        for (const [descriptor, holder] of holders) if (holder === ours) holders.delete(descriptor);
        if (++seen.closed === CONNECTIONS) all.resolve();
      },
    },
  });
  let begun = 0;
  const begin = (): void => {
    if (begun++ >= CONNECTIONS) return;
    const theirs = connect(server.port, "127.0.0.1", () => {
      clients.set(theirs.localPort ?? 0, theirs);
      theirs.write("x");
    });
    theirs.on("error", () => undefined);
    theirs.on("close", begin);
    theirs.resume();
  };
  for (let i = 0; i < AT_ONCE; i++) begin();
  await all.promise;
  server.stop(true);
  expect(seen.held).toBe(0);
  expect(holders.size).toBe(0);
  expect(seen.reused).toBeGreaterThan(CONNECTIONS / 2);
});

const PIECES = 120;
const PIECE_BYTES = 50_000;
const piece = (i: number): Buffer => Buffer.alloc(PIECE_BYTES, i % 251);

test.each(["the kernel", "the runtime alone"])("what is sent by %s comes whole and in order", async (by) => {
  const { lines, close } = await openLines(1, by !== "the kernel");
  const [line] = lines;
  if (line === undefined) throw new Error("no line");
  const { outlet } = line;
  let sent = 0;
  let timesFull = 0;
  const sendOn = (): void => {
    while (sent < PIECES && outlet.push(piece(sent++)));
    if (outlet.isStalled) timesFull++;
  };
  outlet.whenRoomy = sendOn;
  sendOn();
  const got = await readOn(line, PIECES * PIECE_BYTES);
  close();
  expect(got.equals(Buffer.concat(Array.from({ length: PIECES }, (_, i) => piece(i))))).toBeTrue();
  expect(timesFull).toBeGreaterThan(0);
  // The rest of what was too much, and what `drain` asked for; else each piece.
  if (by === "the kernel") expect(line.writes()).toBeLessThan(PIECES);
  else expect(line.writes()).toBeGreaterThanOrEqual(PIECES);
});
