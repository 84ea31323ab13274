/**
 * A worker that sends main what is not in the handshake: bytes that are no message, and messages that have
 * its words and not its shape. Handlers do it, since they run in a worker and may reach its channel. Main
 * goes on; a worker whose channel is broken is replaced.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { folderWith, handlerLocations, removeFolders, workerPids } from "../handlers/handler-server.ts";
import { type RunningServer, startServer, until } from "./running-server.ts";

setDefaultTimeout(60_000);

/** The channel is the first socket of a worker: it has it before it listens. */
const ATTACK = `
import { readdirSync, readlinkSync, writeSync } from "node:fs";
const isSocket = (fd) => {
  try {
    return readlinkSync("/proc/self/fd/" + fd).startsWith("socket:");
  } catch {
    return false;
  }
};
const descriptors = readdirSync("/proc/self/fd").map(Number).sort((a, b) => a - b);
const channel = descriptors.filter((fd) => fd > 2).find(isSocket);
export default async ({ request }) => {
  const { message, hex } = await request.json();
  if (hex === undefined) process.send(message);
  else writeSync(channel, Buffer.from(hex, "hex"));
  return String(process.pid);
};`;

let server: RunningServer;
beforeAll(async () => {
  const folder = folderWith({ "attack.ts": ATTACK });
  server = await startServer({ folder, toml: handlerLocations(["attack"]) });
});
afterAll(async () => {
  await server.stop();
  removeFolders();
});

const attack = async (what: object): Promise<number> =>
  Number((await server.request("/attack", { method: "POST", body: JSON.stringify(what) })).text);

/** Nobody may listen for the moment in which all workers are gone. */
const isReady = (): Promise<boolean> =>
  server.request("/health/ready").then(
    ({ status }) => status === 200,
    () => false,
  );

/** Main lives and has as many workers as before. */
async function expectWhole(): Promise<void> {
  await until("two workers", async () => workerPids(server).length === 2 && (await isReady()));
  expect([server.process.exitCode, server.process.signalCode]).toEqual([null, null]);
}

test("messages with the handshake's words and another shape: main does not fall over them", async () => {
  const faults = { length: 3 };
  for (const message of [
    "hi",
    { kind: "failed", faults },
    { kind: "ready", addresses: 9, sockets: null },
    { kind: "ready", addresses: [], sockets: [] },
    { kind: "steered", untilMs: {}, fault: 7 },
    { kind: "failed", faults },
  ]) {
    const pids = new Set<number>();
    for (let tries = 0; tries < 40 && pids.size < 2; tries++) pids.add(await attack({ message }));
  }
  for (const pid of workerPids(server)) process.kill(pid, "SIGKILL");
  await expectWhole();
  const said = server.log.split("not in the handshake").length - 1;
  expect([said > 0, said <= 2]).toEqual([true, true]);
});

test.each([
  ["a frame that is none", "0208000000aabbccddeeff0011"],
  ["a length without an end", "02ffffff7f"],
  ["an open bracket ten thousand times", `${"5b".repeat(10_000)}0a`],
  ["noise", "ff00fe0a7b0a"],
])("%s in the channel: that worker is replaced, main goes on", async (_name, hex) => {
  const pid = await attack({ hex });
  // A newline ends what may have waited for one.
  await until("its end", async () => {
    if (!workerPids(server).includes(pid)) return true;
    await attack({ hex: "0a" }).catch(() => 0);
    return false;
  });
  await expectWhole();
});
