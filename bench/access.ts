// What access control costs: `bun bench/access.ts` (dist/sluice has to be there). Each figure is server CPU a
// request or delivery of one worker, guarded against the same location without a guard, in turns within one
// run. The client is not measured, so it may be slow.
//
//   connects   a new connection and one poll: no token, one token again and again, a new ES256 token each
//              time; also as a rate, which is the client's as much as the server's (both have the same
//              machine)
//   post       POST over 32 connections: open, and with a key
//   asked      long polls that are answered at once, by a ticket: open, and auth_request, whose questions are
//              counted
//   delivery   SSE subscribers of one channel: open, and by a token

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exportSPKI, generateKeyPair, SignJWT } from "jose";
import { hashOfKey, newKey, printKeyLine } from "../src/access/key-text.ts";
import { childrenOf, threadsCpuUs } from "./process-figures.ts";
import { median } from "./statistics.ts";

const ROUNDS = Number(process.env["ROUNDS"] ?? 5);
const PORT = 17_290;
const CONNECTIONS = 32;
/** Of each contender in a round; even, so that none is always the first. */
const TURNS = 4;
/** Some of the four, as a regex. */
const ONLY = new RegExp(process.env["ONLY"] ?? "");
const DOOR = process.env["DOOR"] ?? "wire";
const binary = process.env["SLUICE_BINARY"] ?? join(import.meta.dir, "../dist/sluice");

const folder = mkdtempSync(join(tmpdir(), "sluice-bench-access-"));
const pair = await generateKeyPair("ES256", { extractable: true });
const { key, id } = newKey();
let questions = 0;
const backend = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  fetch: () => {
    questions++;
    return Response.json({ sub: "visitor", subscribe: ["*"] });
  },
});

const location = (match: string, lines: string, guard: string): string =>
  `[[location]]\nmatch = "${match}"\n${lines}\n${guard}\n`;
const poll = 'subscriber = "polling"\nchannels_path = "$1"';
const longPoll =
  'subscriber = "long-polling"\nchannels_path = "$1"\nlast_received_message_time = "$arg_time"\n' +
  'last_received_message_tag = "$arg_tag"';
const publisher =
  'publisher = "normal"\nchannels_path = "$arg_id"\nstore_messages = true\nchannel_info_on_publish = false';
const events = 'subscriber = "eventsource"\nchannels_path = "$1"';
const token = 'token_issuers = ["app"]';

writeFileSync(join(folder, "app.pem"), await exportSPKI(pair.publicKey));
writeFileSync(
  join(folder, "keys"),
  `${printKeyLine({ name: "bench", id, hash: hashOfKey(key), publish: ["*"], subscribe: [] })}\n`,
);
writeFileSync(
  join(folder, "sluice.toml"),
  `backlog = 4096
[store]
max_messages_stored_per_channel = 100
[[issuer]]
name = "app"
algorithms = ["ES256"]
key_file = "app.pem"
${location("~ ^/poll/(.*)$", poll, "")}
${location("~ ^/poll-token/(.*)$", poll, token)}
${location("= /pub", publisher, "")}
${location("= /pub-all", publisher, "")}
${location("= /pub-key", publisher, 'publisher_keys_file = "keys"')}
${location("~ ^/lp/(.*)$", longPoll, "")}
${location(
  "~ ^/lp-asked/(.*)$",
  longPoll,
  `auth_request = "http://127.0.0.1:${backend.port}/"\nauth_cache = "1h"`,
)}
${location("~ ^/ev/(.*)$", events, "")}
${location("~ ^/ev-token/(.*)$", events, token)}
`,
);

const sign = (sub: string): Promise<string> =>
  new SignJWT({ channels: { subscribe: ["*"] } })
    .setSubject(sub)
    .setExpirationTime("1h")
    .setProtectedHeader({ alg: "ES256" })
    .sign(pair.privateKey);

const server = Bun.spawn(
  [
    binary,
    "serve",
    "--config",
    join(folder, "sluice.toml"),
    "--listen",
    `127.0.0.1:${PORT}`,
    "--workers",
    "1",
    "--listener",
    DOOR,
  ],
  { env: { ...process.env, RUNTIME_DIRECTORY: folder }, stderr: "ignore", stdout: "ignore" },
);

const request = (path: string, more = "", method = "GET", body = ""): string =>
  `${method} ${path} HTTP/1.1\r\nHost: localhost\r\n` +
  `${more}${method === "POST" ? `Content-Length: ${body.length}\r\n` : ""}\r\n${body}`;
const bearer = (text: string): string => `Authorization: Bearer ${text}\r\n`;

interface Client {
  left: number;
  done: () => void;
  buffer: string;
}

/**
 * Sends `total` requests, each when the one before on its connection is answered; a new connection for each,
 * if so wished.
 */
async function drive(next: () => string, total: number, isNewEach = false): Promise<void> {
  let sent = 0;
  const one = async (): Promise<void> => {
    while (sent < total) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const client: Client = { left: 0, done: resolve, buffer: "" };
      const write = (socket: Bun.Socket<Client>): void => {
        sent++;
        socket.write(next());
      };
      await Bun.connect<Client>({
        hostname: "127.0.0.1",
        port: PORT,
        data: client,
        socket: {
          open: write,
          data(socket, bytes) {
            client.buffer += bytes.toString("latin1");
            const isChunked = client.buffer.includes("\r\nTransfer-Encoding: chunked\r\n");
            if (!client.buffer.endsWith(isChunked ? "\r\n0\r\n\r\n" : "\r\n\r\n")) return;
            if (!/^HTTP\/1\.1 (?:200|304)/.test(client.buffer)) reject(new Error(client.buffer));
            client.buffer = "";
            if (!isNewEach && sent < total) write(socket);
            else {
              socket.end();
              resolve();
            }
          },
          close: () => resolve(),
          error: (_, error) => reject(error),
        },
      });
      await promise;
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, one));
}

type Contender = readonly [name: string, run: () => Promise<number>];

/**
 * Server CPU in us of each, for as many as it says it did, in turns; the first is what the others are
 * compared with. A round is several short turns, in one order and then in the other: what else the machine
 * does, and a collection of garbage, then falls on all of them.
 */
async function contest(title: string, contenders: readonly Contender[]): Promise<void> {
  const costs = contenders.map((): number[] => []);
  const rates = contenders.map((): number[] => []);
  const workers = childrenOf(server.pid);
  for (let round = -1; round < ROUNDS; round++) {
    const sums = contenders.map(() => ({ us: 0, ms: 0, done: 0 }));
    for (let turn = 0; turn < TURNS; turn++) {
      const inOrder = [...contenders.entries()];
      if (turn % 2 === 1) inOrder.reverse();
      for (const [at, [, run]] of inOrder) {
        const before = threadsCpuUs(workers);
        const beganMs = performance.now();
        const done = await run();
        const sum = sums[at];
        if (sum === undefined) continue;
        sum.us += threadsCpuUs(workers) - before;
        sum.ms += performance.now() - beganMs;
        sum.done += done;
      }
    }
    // The first round warms up.
    if (round < 0) continue;
    for (const [at, { us, ms, done }] of sums.entries()) {
      costs[at]?.push(us / done);
      rates[at]?.push((done * 1000) / ms);
    }
  }
  for (const [at, [name]] of contenders.entries()) {
    const row = `${title.padEnd(9)} ${name.padEnd(34)}`;
    console.log(
      `${row} ${median(costs[at] ?? [])
        .toFixed(2)
        .padStart(8)} us  ${compared(costs, at)}`,
    );
    if (title === "connects")
      console.log(
        `${row} ${Math.round(median(rates[at] ?? []))
          .toString()
          .padStart(8)} /s  ${compared(rates, at)}`,
      );
  }
}

/** With the first, round by round. */
function compared(all: readonly (readonly number[])[], at: number): string {
  const ratios = (all[at] ?? []).map((figure, round) => figure / (all[0]?.[round] ?? figure));
  return (
    `${median(ratios).toFixed(2)}x (${Math.min(...ratios).toFixed(2)} to ` +
    `${Math.max(...ratios).toFixed(2)})`
  );
}

const times = async (count: number, next: () => string, isNewEach = false): Promise<number> => {
  await drive(next, count, isNewEach);
  return count;
};

async function delivered(path: string, more: string): Promise<number> {
  const subscribers = 200;
  const messages = 75;
  let got = 0;
  const all = Promise.withResolvers<void>();
  const sockets = await Promise.all(
    Array.from({ length: subscribers }, () =>
      Bun.connect({
        hostname: "127.0.0.1",
        port: PORT,
        socket: {
          open: (socket) => void socket.write(request(path, more)),
          data(_, bytes) {
            got += bytes.toString("latin1").split("data: x").length - 1;
            if (got >= subscribers * messages) all.resolve();
          },
        },
      }),
    ),
  );
  await Bun.sleep(300);
  await drive(() => request(`/pub?id=${path.split("/").at(-1)}`, "", "POST", "x"), messages);
  await all.promise;
  for (const socket of sockets) socket.end();
  await Bun.sleep(100);
  return subscribers * messages;
}

try {
  for (;;) {
    const isReady = await fetch(`http://127.0.0.1:${PORT}/health/ready`).then(
      ({ ok }) => ok,
      () => false,
    );
    if (isReady) break;
    await Bun.sleep(20);
  }
  const known = await sign("known");
  const COUNT = 1000;
  const fresh = await Promise.all(
    Array.from({ length: (COUNT + CONNECTIONS) * TURNS * (ROUNDS + 1) }, (_, at) => sign(`new ${at}`)),
  );
  console.log(`${DOOR} door, one worker, median of ${ROUNDS} rounds in turns (range of the ratios)`);
  if (ONLY.test("connects"))
    await contest("connects", [
      ["no token", () => times(COUNT, () => request("/poll/a"), true)],
      ["the same ES256 token", () => times(COUNT, () => request("/poll-token/a", bearer(known)), true)],
      [
        "a new ES256 token each time",
        () => times(COUNT, () => request("/poll-token/a", bearer(fresh.pop() ?? "")), true),
      ],
    ]);
  if (ONLY.test("post")) {
    // Heads of the same length: what a field costs that is only read is no price of access control.
    const posts = (path: string, field: string): (() => Promise<number>) => {
      const text = request(path, `${field}: ${key}\r\n`, "POST", "x".repeat(100));
      return () => times(10_000, () => text);
    };
    await contest("post", [
      ["open", posts("/pub-all?id=a", "X-API-Kex")],
      ["with a key", posts("/pub-key?id=a", "X-API-Key")],
    ]);
  }
  // One message that answers every poll.
  await drive(() => request("/pub?id=q", "", "POST", "x"), 1);
  let tag = 0;
  questions = 0;
  if (ONLY.test("asked"))
    await contest("asked", [
      [
        "open",
        () => times(2500, () => request(`/lp/q?time=Thu,%2001%20Jan%201970%2000:00:01%20GMT&tag=${tag++}`)),
      ],
      [
        "by a ticket",
        () =>
          times(2500, () =>
            request(
              `/lp-asked/q?time=Thu,%2001%20Jan%201970%2000:00:01%20GMT&tag=${tag++}`,
              "Cookie: session=1\r\n",
            ),
          ),
      ],
    ]);
  console.log(
    `asked     ${2500 * TURNS * (ROUNDS + 1)} long polls of one visitor: ` +
      `${questions} question(s) to the backend`,
  );
  if (ONLY.test("delivery"))
    await contest("delivery", [
      ["open", () => delivered("/ev/d1", "")],
      ["by a token", () => delivered("/ev-token/d1", bearer(known))],
    ]);
} finally {
  server.kill("SIGTERM");
  await server.exited;
  void backend.stop(true);
  rmSync(folder, { recursive: true, force: true });
}
