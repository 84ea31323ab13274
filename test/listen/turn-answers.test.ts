/**
 * Answers of one turn leave together (listen/wire/turn-answers.ts): what came before what, which no client
 * can bring about from outside, on connections whose socket notes what is done to it; and by the kernel's
 * ring, on real sockets.
 */
import { afterAll, expect, test } from "bun:test";
import { SharedAnswer } from "../../src/http/direct-answer.ts";
import { volley } from "../../src/http/volley.ts";
import { DEFAULT_BOUNDS } from "../../src/listen/http1/request-head.ts";
import { Connection } from "../../src/listen/wire/connection.ts";
import { DueList } from "../../src/listen/wire/due-list.ts";
import { Ear } from "../../src/listen/wire/ear.ts";
import type { Inlet, TcpSocket } from "../../src/listen/wire/outlet.ts";
import { answerWithTurn, sendAnswers } from "../../src/listen/wire/turn-answers.ts";
import { volleys } from "../../src/listen/wire/volleys.ts";
import { WireServer } from "../../src/listen/wire/wire-server.ts";
import { FrameDecoder } from "../../src/wire/frame-decoder.ts";
import { type Line, openLines, readOn } from "./outlet-fixture.ts";

const REQUEST = Buffer.from("POST /pub HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx");
const init = { headers: new Headers({ "Content-Type": "text/plain" }) };
const done: string[] = [];
const whatHappens = (): string[] => done.splice(0);
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const server = new WireServer(
  {
    scheme: "http",
    isUnix: true,
    bounds: DEFAULT_BOUNDS,
    bodyBounds: { bodyBytes: 1000, chunkLineBytes: 100, trailerBytes: 100 },
    deadlines: { headMs: 60_000, bodyMs: 60_000, idleMs: 60_000, sendMs: 60_000, lingerMs: 60_000 },
    mostRequests: 1000,
    resetsTimedOut: false,
    toldIdleSec: 0,
    answer: () => new SharedAnswer(init, Buffer.from("yes")),
    failed: () => new Response("no"),
  },
  ({ clock, newcomers }) => {
    const list = new DueList(clock, 0);
    return {
      decoder: new FrameDecoder(1000),
      ear: new Ear(1000, newcomers),
      maxUnsentBytes: 1000,
      owedPongs: new Map(),
      unread: new Map(),
      newcomers,
      ...{ heard: list, asked: list, quiet: list, stuck: list, closing: list, lists: [] },
      resetsTimedOut: false,
      left: () => undefined,
    };
  },
);

/**
 * A connection that has been answered before, and whose socket takes `room` bytes of a write from then on.
 */
async function connection(name: string, room = Number.POSITIVE_INFINITY): Promise<Connection> {
  let mostBytes = Number.POSITIVE_INFINITY;
  const note = (what: string) => (): void => void done.push(`${name} ${what}`);
  const socket: TcpSocket = {
    remoteAddress: "",
    data: null as unknown as Inlet,
    write(bytes, _offset = 0, length = bytes.length) {
      done.push(`${name} ${length > mostBytes ? "some" : "all"}`);
      return Math.min(length, mostBytes);
    },
    end: note("end"),
    shutdown: note("shutdown"),
    terminate: note("terminate"),
    close: note("close"),
    pause: note("pause"),
    resume: note("resume"),
  };
  const one = new Connection(server, socket, false);
  one.take(REQUEST);
  // First requests of connections share a slice of each turn (newcomers.ts).
  while (!done.includes(`${name} all`)) await turn();
  whatHappens();
  mostBytes = room;
  return one;
}

test("requests of one turn are answered when all of them are read, each with one write", async () => {
  const [a, b] = [await connection("a"), await connection("b")];
  a.take(REQUEST);
  b.take(REQUEST);
  a.take(REQUEST);
  expect(whatHappens()).toEqual([]);
  await turn();
  expect(whatHappens()).toEqual(["a all", "b all"]);
});

test("who is about to take a slice of the turn lets them leave first, and nothing leaves twice", async () => {
  const one = await connection("a");
  one.take(REQUEST);
  sendAnswers();
  expect(whatHappens()).toEqual(["a all"]);
  await turn();
  expect(whatHappens()).toEqual([]);
});

test("a crowd is not answered by the last of it", async () => {
  const crowd: Connection[] = [];
  for (let i = 0; i < 33; i++) crowd.push(await connection(`${i}`));
  for (const one of crowd) one.take(REQUEST);
  expect(whatHappens().length).toBe(32);
  sendAnswers();
  expect(whatHappens()).toEqual(["32 all"]);
});

test("a request that is not whole, a refusal and a last answer wait for nobody", async () => {
  const [partial, refused, last] = [
    await connection("partial"),
    await connection("refused"),
    await connection("last"),
  ];
  partial.take(REQUEST.subarray(0, 20));
  refused.take(Buffer.from("POST\r\n\r\n"));
  last.take(Buffer.from("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
  expect(whatHappens()).toEqual(["refused all", "refused shutdown", "last all", "last end"]);
});

for (const [what, happens] of [
  ["its client ends", (one: Connection) => one.ended()],
  ["the worker leaves", (one: Connection) => one.retire()],
  ["its time is over", (one: Connection) => one.overdue(server.idle)],
] as const) {
  test(`an answer that waits leaves before its connection ends: ${what}`, async () => {
    const one = await connection("a");
    one.take(REQUEST);
    happens(one);
    sendAnswers();
    expect(whatHappens()).toEqual(["a all", "a end"]);
  });

  test(`what of it the client has not taken is not dropped with it: ${what}`, async () => {
    const one = await connection("a", 50);
    one.take(REQUEST);
    happens(one);
    sendAnswers();
    expect(whatHappens()).toEqual(["a some"]);
    for (let i = 0; i < 20; i++) one.drained();
    expect(whatHappens().at(-1)).toBe("a end");
  });
}

// --- many leave by one system call, where there is a ring --------------------------------------------------

volleys.begin();
const { lines, close } = await openLines(10);
afterAll(close);

/** An answer that waits for the end of the turn, as after a request. */
function answer({ outlet }: Line, bytes: Buffer): void {
  outlet.cork();
  outlet.push(bytes);
  answerWithTurn(outlet);
}

test("many leave in one volley, few do not, and another's volley stays open", () => {
  volley.open();
  const hasRing = volley.isOpen;
  volley.fire();
  const seen: boolean[] = [];
  const some = (count: number): boolean[] => {
    for (let i = 0; i < count; i++) answerWithTurn({ uncork: () => seen.push(volley.isOpen) });
    sendAnswers();
    return seen.splice(0);
  };
  expect(some(7)).toEqual(Array.from({ length: 7 }, () => false));
  expect(some(8)).toEqual(Array.from({ length: 8 }, () => hasRing));
  expect(volley.isOpen).toBeFalse();
  volley.open();
  expect(some(8)).toEqual(Array.from({ length: 8 }, () => hasRing));
  expect(volley.isOpen).toBe(hasRing);
  volley.fire();
});

test("each gets its own answer, whole and in order, however slowly it reads, or when one left", async () => {
  const [slow, left] = [lines[0], lines[1]];
  if (slow === undefined || left === undefined) throw new Error("no lines");
  const rounds: Buffer[][] = [];
  for (let round = 0; !slow.outlet.isStalled || round < 4; round++) {
    // The first is given more than its socket has room for: what is written behind that waits.
    const bytes = lines.map((_, i) => Buffer.alloc(i === 0 ? 50_000 : 300 + i, `${round},${i};`));
    rounds.push(bytes);
    for (const [i, line] of lines.entries()) if (!line.outlet.isClosed) answer(line, bytes[i] as Buffer);
    if (round === 2) left.outlet.cutOff();
    sendAnswers();
  }
  for (const [i, line] of lines.entries()) {
    if (line === left) continue;
    const whole = Buffer.concat(rounds.map((bytes) => bytes[i] as Buffer));
    expect((await readOn(line, whole.length)).equals(whole), `line ${i}`).toBeTrue();
  }
});
