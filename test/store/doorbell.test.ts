import { afterAll, expect, test } from "bun:test";
import { statSync } from "node:fs";
import { Doorbell } from "../../src/store/message/doorbell.ts";
import { until } from "../until.ts";
import { removeTempFolders, tempPath } from "./fixture.ts";

afterAll(removeTempFolders);

test("rings reach the slot they are for, in both directions, again and again", async () => {
  const path = tempPath();
  const heard = [0, 0];
  const bells = [0, 1].map((slot) => new Doorbell(path, slot, () => void heard[slot]!++)) as [
    Doorbell,
    Doorbell,
  ];
  for (const bell of bells) bell.listen();
  expect(statSync(`${path}.bell-0`).mode & 0o777).toBe(0o600);
  bells[0].ring(1);
  await until("the bell rang", () => heard[1] === 1);
  bells[1].ring(0);
  await until("the bell rang", () => heard[0] === 1);
  bells[0].ring(1);
  await until("the bell rang", () => heard[1] === 2);
  expect(heard).toEqual([1, 2]);
  for (const bell of bells) bell.close();
});

test("a bell that is not there is a counted failure, and works as soon as it is", async () => {
  const path = tempPath();
  const one = new Doorbell(path, 0, () => undefined);
  one.ring(1);
  await until("it failed", () => one.failures === 1);
  let heard = 0;
  const two = new Doorbell(path, 1, () => void heard++);
  two.listen();
  one.ring(1);
  await until("the bell rang", () => heard === 1);
  two.close();
  one.close();
});

test("a worker that was replaced hears the bell again", async () => {
  const path = tempPath();
  const ringer = new Doorbell(path, 0, () => undefined);
  for (let life = 0; life < 3; life++) {
    let heard = 0;
    const worker = new Doorbell(path, 1, () => void heard++);
    worker.listen();
    for (let tries = 0; tries < 400 && heard === 0; tries++) {
      ringer.ring(1);
      await Bun.sleep(5);
    }
    expect(heard).toBeGreaterThan(0);
    worker.close();
  }
  ringer.close();
});

test("a path too long for a unix socket is one clear error", () => {
  const bell = new Doorbell(`/tmp/${"x".repeat(120)}`, 0, () => undefined);
  expect(() => bell.listen()).toThrow("too long");
});

test("noise at a bell, and from one, is a ring at most: it rings on for those who mean it", async () => {
  const path = tempPath();
  let heard = 0;
  const bell = new Doorbell(path, 0, () => void heard++);
  bell.listen();
  const noise = crypto.getRandomValues(new Uint8Array(64 * 1024));
  for (let round = 0; round < 30; round++) {
    const closed = Promise.withResolvers<void>();
    const socket = await Bun.connect({
      unix: `${path}.bell-0`,
      socket: { data: () => undefined, close: () => closed.resolve(), error: () => closed.resolve() },
    });
    socket.write(noise.subarray(0, 1 + ((round * 2311) % noise.length)));
    if (round % 2 === 0) socket.end();
    else socket.terminate();
    await closed.promise;
  }
  await until("the bell rang", () => heard > 0);
  // A bell that answers, floods and hangs up.
  const strange = Bun.listen({
    unix: `${path}.bell-1`,
    socket: {
      data: (socket) => {
        socket.write(noise);
        socket.end();
      },
    },
  });
  for (let round = 0; round < 30; round++) {
    bell.ring(1);
    await Bun.sleep(1);
  }
  strange.stop(true);
  expect(bell.failures).toBeLessThanOrEqual(30);
  const before = heard;
  const other = new Doorbell(path, 2, () => undefined);
  other.ring(0);
  await until("the bell rang", () => heard > before);
  for (const one of [bell, other]) one.close();
});
