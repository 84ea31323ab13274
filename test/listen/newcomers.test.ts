/** First requests that come all at once, and bytes that come one by one, at the wire listener. */
import { expect, test } from "bun:test";
import { connect } from "node:net";
import { HeldInput } from "../../src/listen/wire/held-input.ts";
import { Newcomers } from "../../src/listen/wire/newcomers.ts";
import { startServer } from "../binary/running-server.ts";
import { startNginxWorker } from "./nginx-worker.ts";

const busyFor = (ms: number): void => {
  for (const endMs = performance.now() + ms; performance.now() < endMs; );
};
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("who comes when a turn is used up waits for the next ones, in order with those behind", async () => {
  const newcomers = new Newcomers();
  const told: number[] = [];
  const come = (number: number): boolean => newcomers.mustWait({ goOn: () => told.push(number) });
  expect(come(0)).toBe(false);
  newcomers.served(performance.now() - 10);
  expect([come(1), come(2)]).toEqual([true, true]);
  expect(newcomers.mustWait({ goOn: () => busyFor(3) })).toBe(true);
  expect([come(3), come(4)]).toEqual([true, true]);
  expect(told).toEqual([]);
  await turn();
  expect(told).toEqual([1, 2]);
  expect(come(5)).toBe(true);
  for (let i = 0; i < 3; i++) await turn();
  expect(told).toEqual([1, 2, 3, 4, 5]);
  expect(come(6)).toBe(false);
});

test("what comes byte by byte is copied in proportion to its length, and lies where it lay", () => {
  const input = new HeldInput(Buffer.from("G"), 1);
  const buffers = new Set([input.bytes]);
  for (let i = 1; i < 80_000; i++) {
    input.add(Buffer.from([i & 0xff]));
    buffers.add(input.bytes);
  }
  expect(buffers.size).toBeLessThan(20);
  expect(input.view()).toHaveLength(80_000);
  for (const at of [1, 77, 4096, 79_999]) expect(input.bytes[at]).toBe(at & 0xff);
});

/** Sends a whole request and ends its side at once, before the other connections have theirs answered. */
function askAndEnd(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = "";
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true }, () => socket.end(text));
    socket.on("data", (bytes) => {
      answer += bytes.toString("latin1");
    });
    socket.on("end", () => resolve(answer));
    socket.on("error", reject);
  });
}

test("of a crowd of clients that end their side behind the request each is answered", async () => {
  const server = await startServer({ workers: 1, args: ["--listener", "wire"] });
  const request = "POST /pub?id=crowd HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx";
  try {
    const all = Array.from({ length: 300 }, () => askAndEnd(server.port, request));
    const answers = await Promise.all(all);
    expect(answers.filter((answer) => answer.startsWith("HTTP/1.1 200 "))).toHaveLength(300);
    expect(await askAndEnd(server.port, request.slice(0, 20))).toBe("");
    // More than a turn takes of one client.
    const many = await askAndEnd(server.port, request.repeat(500));
    expect(many.split("HTTP/1.1 200 ")).toHaveLength(501);
    // A stream is for nobody, however late its turn comes.
    const stream = "GET /ev/crowd HTTP/1.1\r\nHost: localhost\r\n\r\n";
    const held = await askAndEnd(server.port, request.repeat(100) + stream);
    expect(held.split("HTTP/1.1 200 ").length).toBeGreaterThan(100);
    expect((await server.metric("sluice_connections_open")) < 10).toBeTrue();
  } finally {
    await server.stop();
  }
});

test("who pipelines twenty thousand requests has a slice of each turn, not a turn of seconds", async () => {
  const COUNT = 20_000;
  const worker = startNginxWorker(
    (port) =>
      `server { listen 127.0.0.1:${port}; location /s { push_stream_channels_statistics; ` +
      "push_stream_channels_path $arg_id; } }",
  );
  const request = "GET /s?id=nobody HTTP/1.1\r\nHost: x\r\n\r\n";
  let answers = 0;
  const socket = connect({ port: worker.port, host: "127.0.0.1" });
  socket.on("data", (bytes) => {
    answers += bytes.toString("latin1").split("HTTP/1.1 404").length - 1;
  });
  const begun = process.cpuUsage();
  let last = begun;
  let longest = 0;
  const since = (before: NodeJS.CpuUsage): number => {
    const { user, system } = process.cpuUsage(before);
    return user + system;
  };
  socket.write(request.repeat(COUNT));
  // In CPU time: whoever else has the core in the meantime does not count.
  while (answers < COUNT - 5) {
    await turn();
    longest = Math.max(longest, since(last));
    last = process.cpuUsage();
  }
  expect(longest).toBeLessThan(since(begun) / 4);
  socket.destroy();
  worker.stop();
});
