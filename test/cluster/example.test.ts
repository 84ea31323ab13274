/**
 * The example of docs/cluster.md, followed from the top with other ports: three nodes over one engine, nginx
 * and HAProxy in front.
 */
import { afterAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { binary, freePort, until } from "../binary/running-server.ts";
import { hasRedis } from "./engine.ts";

const PAGE = readFileSync(join(import.meta.dir, "../../docs/cluster.md"), "utf8");
const folder = mkdtempSync(join(tmpdir(), "sluice-example-"));
const running: Bun.Subprocess[] = [];

afterAll(async () => {
  for (const each of running.reverse()) {
    each.kill();
    await each.exited;
  }
  rmSync(folder, { recursive: true, force: true });
});

/** The page's ports are somebody's already. */
const ports = new Map(
  ["6400", "8080", "8081", "8082", "8083", "8090"].map((port) => [port, String(freePort())]),
);
const moved = (text: string): string =>
  text.replace(/\b(6400|808[0-3]|8090)\b/g, (port) => ports.get(port) ?? port);
const port = (of: string): string => ports.get(of) ?? of;

function block(language: string): string {
  const found = new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, "m").exec(PAGE)?.[1];
  if (found === undefined) throw new Error(`the page has no ${language}`);
  return moved(found);
}

const nodes: Bun.Subprocess[] = [];

function begin(command: readonly string[], env: Readonly<Record<string, string>> = {}): Bun.Subprocess {
  const begun = Bun.spawn([...command], {
    cwd: folder,
    env: { ...process.env, ...env },
    stdin: "ignore",
    stdout: "ignore",
    stderr: "ignore",
  });
  running.push(begun);
  return begun;
}

test.if(hasRedis && Bun.which("nginx") !== null)(
  "the page's example does what it says",
  async () => {
    symlinkSync(binary, join(folder, "sluice"));
    writeFileSync(join(folder, "nginx.conf"), block("nginx"));
    const shell = block("sh");
    const engine = /^redis-server (.*) &$/m.exec(shell)?.[1]?.split(" ") ?? [];
    begin(["redis-server", ...engine]);
    for (const n of ["1", "2", "3"]) {
      writeFileSync(
        join(folder, `node-${n}.toml`),
        block("toml").replace(/^\[cluster\]/m, `$&\nnode = "node-${n}"`),
      );
      mkdirSync(join(folder, `run-${n}`));
      const listen = `127.0.0.1:${port(`808${n}`)}`;
      const command = ["./sluice", "serve", "--config", `node-${n}.toml`, "--listen", listen];
      nodes.push(begin(command, { RUNTIME_DIRECTORY: join(folder, `run-${n}`) }));
    }
    begin(["nginx", "-p", ".", "-c", "nginx.conf"]);
    if (Bun.which("haproxy") !== null) {
      writeFileSync(join(folder, "haproxy.cfg"), block("haproxy"));
      begin(["haproxy", "-db", "-f", "haproxy.cfg"]);
    }
    const url = `http://127.0.0.1:${port("8080")}`;
    await until("three nodes", async () => {
      const status = Bun.spawn(["./sluice", "cluster", "status", "--config", "node-1.toml"], {
        cwd: folder,
        stderr: "ignore",
      });
      return (await new Response(status.stdout).text()).match(/^node-\d/gm)?.length === 3;
    });
    expect(Bun.spawnSync(["./sluice", "check", "node-1.toml", "--connect"], { cwd: folder }).exitCode).toBe(
      0,
    );
    await throughBalancer(url);
    if (Bun.which("haproxy") === null) return;
    const other = `http://127.0.0.1:${port("8090")}`;
    await throughBalancer(other);
    // One of three dies: who comes is sent to the others, and who stood there comes back elsewhere with what
    // it missed.
    const dead = nodes[0];
    dead?.kill("SIGKILL");
    await dead?.exited;
    for (let count = 0; count < 12; count++) {
      // Until the balancer has seen the death a request may be sent to the dead node: again, with the same
      // key.
      const headers = { "Idempotency-Key": `after-${count}` };
      let answer: Response | null = null;
      while (answer?.status !== 200) {
        const init = { method: "POST", body: `m${count}`, headers, keepalive: false };
        answer = await fetch(`${other}/pub?id=after`, init).catch(() => null);
      }
      expect(await answer.json()).toMatchObject({ published_messages: count + 1 });
    }
  },
  60_000,
);

let rooms = 0;

/** A stream and a WebSocket through it, and what is published through it. */
async function throughBalancer(url: string): Promise<void> {
  const room = `news-${++rooms}`;
  await until("it to find the nodes", async () => {
    try {
      return (await fetch(`${url}/channels-stats`)).ok;
    } catch {
      return false;
    }
  });
  const stream = await fetch(`${url}/ev/${room}`);
  expect(stream.status).toBe(200);
  const socket = new WebSocket(`${url.replace("http", "ws")}/ws/${room}`);
  let frame = "";
  socket.onmessage = ({ data }) => {
    frame = String(data);
  };
  await until("the socket", () => socket.readyState === WebSocket.OPEN);
  for (let count = 1; count <= 3; count++) {
    const answer = await fetch(`${url}/pub?id=${room}`, { method: "POST", body: `hello ${count}` });
    expect(await answer.json()).toMatchObject({ published_messages: count, stored_messages: count });
  }
  await until("the WebSocket to have the last", () => frame === "hello 3");
  let text = "";
  for await (const chunk of stream.body ?? []) {
    text += Buffer.from(chunk).toString();
    if (text.includes("hello 3")) break;
  }
  expect([...text.matchAll(/^data: (.*)$/gm)].map(([, data]) => data)).toEqual([
    "hello 1",
    "hello 2",
    "hello 3",
  ]);
  socket.close();
}
