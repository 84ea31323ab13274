/**
 * An engine whose replies are cut off at every byte, or have bytes changed, over a real socket: the link to
 * it says that it failed, or is up; it never throws where nobody listens, and never stands still.
 * `FUZZ_SEED=n` repeats a run, `FUZZ_MS=60000` makes it longer.
 */
import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Socket } from "bun";
import { EngineLink } from "../../src/cluster/engine-link.ts";
import { ShardKeys } from "../../src/cluster/keys.ts";
import { loadConfig } from "../../src/config/load.ts";
import { Random } from "../../src/verify/random.ts";

const SEED = Number(process.env["FUZZ_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
const INFO = "run_id:abc\r\nredis_version:7.2.0\r\nrole:master\r\nmaxmemory_policy:noeviction\r\n";
const REPLIES: Readonly<Record<string, string>> = {
  client: "+OK\r\n",
  ping: "+PONG\r\n",
  info: `$${INFO.length}\r\n${INFO}\r\n`,
  id: ":42\r\n",
  xread: "*1\r\n*2\r\n$3\r\nlog\r\n*1\r\n*2\r\n$3\r\n1-1\r\n*2\r\n$1\r\nm\r\n$1\r\nx\r\n",
};

/** What of the bytes it would say is said; a cut also ends the connection. */
type Spoil = (said: Buffer, sentBefore: number) => { bytes: Buffer; ends: boolean };

interface Side {
  sent: number;
}
let spoil: Spoil;
const engine = Bun.listen<Side>({
  hostname: "127.0.0.1",
  port: 0,
  socket: {
    open: (socket) => {
      socket.data = { sent: 0 };
    },
    data: (socket, heard) => answer(socket, heard.toString("latin1").toLowerCase()),
  },
});

function answer(socket: Socket<Side>, heard: string): void {
  for (const [, name = ""] of heard.matchAll(/\*\d+\r\n\$\d+\r\n(client\r\n\$2\r\nid|[a-z]+)/g)) {
    const reply = REPLIES[name.endsWith("id") && name !== "client" ? "id" : name] ?? "-ERR what\r\n";
    const { bytes, ends } = spoil(Buffer.from(reply), socket.data.sent);
    socket.data.sent += bytes.length;
    socket.write(bytes);
    if (ends) socket.end();
  }
}

const folder = mkdtempSync(join(tmpdir(), "sluice-replies-"));
const file = join(folder, "sluice.toml");
writeFileSync(
  file,
  `[cluster]\nengine = "redis://127.0.0.1:${engine.port}"\nnode = "a"\nengine_timeout = "100ms"\n`,
);
const loaded = loadConfig({ file });
afterAll(() => {
  engine.stop(true);
  rmSync(folder, { recursive: true, force: true });
});

/** What became of a link: up and what a read gave, or why it failed. */
async function outcomeOf(how: Spoil): Promise<string> {
  const config = loaded.ok ? loaded.config.cluster : null;
  const [host] = config?.engines ?? [];
  if (!config || host === undefined) throw new Error(JSON.stringify(loaded));
  spoil = how;
  const { promise, resolve } = Promise.withResolvers<string>();
  const link = new EngineLink(config, host, new ShardKeys("main", 0), {
    up: ({ redis }) => {
      const timer = setTimeout(() => redis.disconnect(), 100);
      redis
        .call("XREAD", "STREAMS", "log", "0")
        .then(
          () => "read",
          () => "not read",
        )
        .finally(() => clearTimeout(timer))
        .then(resolve);
    },
    down: () => resolve("down"),
    failed: (cause) => resolve(`failed: ${cause}`),
  });
  link.start();
  try {
    return await promise;
  } finally {
    link.stop();
  }
}

test("whole replies are read; cut off at any byte, the link fails or its read does", async () => {
  let all = 0;
  const whole: Spoil = (bytes, before) => {
    all = before + bytes.length;
    return { bytes, ends: false };
  };
  expect(await outcomeOf(whole)).toBe("read");
  expect(all).toBeGreaterThan(INFO.length + 50);
  // Without the last line end nothing is missing.
  for (let cut = 0; cut < all - 2; cut++) {
    const outcome = await outcomeOf((bytes, before) => ({
      bytes: bytes.subarray(0, Math.max(0, cut - before)),
      ends: before + bytes.length > cut,
    }));
    expect([cut, outcome]).toEqual([cut, expect.stringMatching(/^(failed: .*|not read|down)$/s)]);
  }
}, 60_000);

test("bytes that are changed, left out or put in: an end comes, and nothing is thrown past it", async () => {
  const random = new Random(SEED);
  const endAt = performance.now() + Number(process.env["FUZZ_MS"] ?? 1500);
  const odd = [
    "$99999999999\r\n",
    "*-2\r\n",
    "*1000000000\r\n",
    ":\r\n",
    "\r\n",
    "-",
    "$-1\r\n",
    "\0",
    "(1\r\n",
  ];
  while (performance.now() < endAt) {
    const place = random.between(0, 130);
    const kind = random.between(0, 2);
    const byte = Buffer.from([random.between(0, 255)]);
    const put = random.chance(0.5) ? Buffer.from(random.pick(odd)) : byte;
    const outcome = await outcomeOf((bytes, before) => {
      const at = place - before;
      if (at < 0 || at >= bytes.length) return { bytes, ends: false };
      const rest = bytes.subarray(kind === 0 ? at : at + 1);
      return { bytes: Buffer.concat([bytes.subarray(0, at), kind === 1 ? byte : put, rest]), ends: false };
    });
    if (!/^(read|not read|down|failed: .*)$/s.test(outcome)) throw new Error(`FUZZ_SEED=${SEED}: ${outcome}`);
  }
}, 60_000);
