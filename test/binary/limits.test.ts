/**
 * A server at its limits (promise P8), on the compiled binary with two workers: no connections left, no file
 * descriptors left. Those who are connected go on, those who come are told so or wait, and everything is as
 * before when the others have left.
 */
import { afterEach, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { KernelSocket } from "./kernel-socket.ts";
import { PulledBody, PulledWebSocket } from "./pulled-client.ts";
import { layout, type RunningServer, startServer, until } from "./running-server.ts";

const DOORS = [
  ["native", 'header_template = "."'],
  ["wire", ""],
] as const;

const config = (sub: string, limits = ""): string =>
  layout(limits, { sub, ev: 'event_ids = "auto"\nturn_away = "status"' });

let server: RunningServer;
let open: KernelSocket[] = [];

afterEach(async () => {
  for (const socket of open) socket.close();
  open = [];
  await server.stop();
});

const hold = async (path: string): Promise<PulledBody> => {
  const body = await PulledBody.get(server.port, path);
  open.push(body.socket);
  return body;
};

/** Its first connections answer, later ones may be refused: asks until it is served. */
const served = (path: string): Promise<void> =>
  until(`${path} is served`, async () => {
    try {
      return (await server.request(path, { keepalive: false })).status === 200;
    } catch (error) {
      if (error instanceof Error) return false;
      throw error;
    }
  });

/** Whether each of them has received the text since. */
async function expectHeard(bodies: readonly PulledBody[], text: string): Promise<void> {
  for (const body of bodies) {
    let seen = "";
    await until(`a subscriber hears ${text}`, () => {
      seen += body.pull().toString();
      return seen.includes(text);
    });
  }
}

test.each(DOORS)(
  "%s: more connections than a worker may have: 503 with Retry-After, those who are there go on",
  async (_door, sub) => {
    server = await startServer({ toml: config(sub, "[limits]\nmax_connections = 10") });
    const pids = await server.workerPids();
    const held: PulledBody[] = [];
    const refused: string[] = [];
    for (let i = 0; i < 60; i++) {
      const body = await hold("/ev/full");
      if (body.head.startsWith("HTTP/1.1 200")) held.push(body);
      else {
        refused.push(body.head);
        body.socket.close();
      }
    }
    // What this test asked before stands for one, where connections are counted.
    expect(held.length).toBeWithin(19, 21);
    for (const head of refused) {
      expect(head).toStartWith("HTTP/1.1 503 ");
      expect(head).toContain("\r\nRetry-After: 1\r\n");
      expect(`${head}\r\n`).toContain("\r\nConnection: close\r\n");
      expect(head).toContain("\r\nX-Nginx-PushStream-Explain: Too many connections on this worker.\r\n");
    }
    await expect(PulledWebSocket.open(server.port, "/ws/full")).rejects.toThrow("503");
    // A full worker refuses publishers, too: some leave, at one worker or the other.
    for (const body of held.splice(0, 6)) body.socket.close();
    await until("a publish is taken", async () => {
      const { status } = await server.request("/pub?id=full", {
        method: "POST",
        body: "still here",
        keepalive: false,
      });
      expect([200, 503]).toContain(status);
      return status === 200;
    });
    await expectHeard(held, "still here");
    for (const body of held) body.socket.close();
    // May be refused itself until then.
    await until("nobody is left", async () =>
      (await server.request("/channels-stats?id=full", { keepalive: false })).text.includes(
        '"subscribers": 0',
      ),
    );
    const again: PulledBody[] = [];
    for (let i = 0; i < 6; i++) again.push(await hold("/ev/full"));
    expect((await server.publish("full", "room again")).status).toBe(200);
    await expectHeard(again, "room again");
    expect(await server.metric("sluice_refused_requests")).toBeGreaterThan(refused.length);
    expect(await server.workerPids()).toEqual(pids);
    expect(server.log).not.toMatch(/ (warn|error) /);
  },
  30_000,
);

/** Clock ticks are 10 ms. */
function cpuMs(pid: number): number {
  const [, rest = ""] = readFileSync(`/proc/${pid}/stat`, "latin1").split(") ");
  const [user, system] = rest.split(" ").slice(11);
  return 10 * (Number(user) + Number(system));
}

test.each(DOORS)(
  "%s: no file descriptors left: subscribers and publishers who are connected go on, and it passes",
  async (door, sub) => {
    server = await startServer({ toml: config(sub), through: ["sh", "-c", 'ulimit -n 64; exec "$@"', "sh"] });
    expect(server.log).toContain(" open_files=64 ");
    const pids = await server.workerPids();
    const subscribers: PulledBody[] = [];
    for (let i = 0; i < 8; i++) subscribers.push(await hold("/ev/tight"));
    const publishers: KernelSocket[] = [];
    for (let i = 0; i < 8; i++) {
      const publisher = new KernelSocket(server.port);
      await publisher.send("GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n");
      await until("it is connected", () => publisher.read().length > 0);
      publishers.push(publisher);
      open.push(publisher);
    }
    const greedy: KernelSocket[] = [];
    for (let i = 0; i < 160; i++) {
      const socket = new KernelSocket(server.port);
      // A head that goes on: the server has to wait for the rest of it.
      await socket.send("GET /health/live HTTP/1.1\r\nHost: x\r\n");
      greedy.push(socket);
      open.push(socket);
    }
    const used = (pid: number) => readdirSync(`/proc/${pid}/fd`).length;
    // Bun takes connections until there are none; ours leaves some for its own use, and ends who is too many.
    if (door === "native")
      await until("all descriptors are taken", () => pids.every((pid) => used(pid) >= 64));
    else {
      await until(
        "those who are too many are cut off",
        () => greedy.filter((one) => one.read().length === 0 && one.ended).length > 60,
      );
      for (const pid of pids) expect(used(pid)).toBeLessThan(64);
    }
    for (const [i, publisher] of publishers.entries()) {
      await publisher.send(`POST /pub?id=tight HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nmessage-${i}`);
      let answer = "";
      await until("the publish is answered", () => {
        answer += Buffer.from(publisher.read()).toString("latin1");
        return answer.startsWith("HTTP/1.1 200 OK\r\n");
      });
    }
    await expectHeard(subscribers, "message-7");
    const lines = () => server.log.split("\n").filter((line) => line.includes("no file descriptors left"));
    if (door === "native") await until("both workers say so", () => lines().length === 2);
    // Whoever waits to be accepted costs nothing meanwhile.
    const busyMs = () => pids.reduce((sum, pid) => sum + cpuMs(pid), 0);
    const before = busyMs();
    await Bun.sleep(800);
    expect(busyMs() - before).toBeLessThan(400);
    for (const socket of greedy) socket.close();
    await served("/health/live");
    expect((await server.publish("tight", "it has passed")).status).toBe(200);
    await expectHeard(subscribers, "it has passed");
    expect(await server.workerPids()).toEqual(pids);
    if (door === "native")
      await until(
        "they say that it has passed",
        () => server.log.split("descriptors are free again").length === 3,
      );
    else expect(lines()).toHaveLength(0);
    expect(server.log).not.toContain(" error ");
  },
  30_000,
);
