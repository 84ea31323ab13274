/**
 * `sluice pub --batch` against the real server, and behind a wire that loses answers: what is sent again is
 * published once.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { layout, type RunningServer, startServer } from "../binary/running-server.ts";
import { command, runSluice } from "./run-sluice.ts";

let server: RunningServer;
const folder = mkdtempSync(join(tmpdir(), "sluice-pub-batch-"));
beforeAll(async () => {
  server = await startServer({
    toml: layout("", { pub: "", poll: 'message_template = "~text~;"' }),
    workers: 2,
  });
});
afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

const lines = (count: number, channel: string): string[] =>
  Array.from({ length: count }, (_, at) => JSON.stringify({ channel, data: `m${at}` }));
const pub = (args: readonly string[], input = "", url = server.url) =>
  runSluice(["pub", ...args, "--url", url], input);
const stored = async (channel: string): Promise<string> =>
  (await server.request(`/poll/${channel}.b500`)).text;
const all = (count: number): string => Array.from({ length: count }, (_, at) => `m${at};`).join("");

test("a file: its lines are published in order, some a request, and counted", async () => {
  const file = join(folder, "messages.ndjson");
  writeFileSync(file, `\n${lines(250, "file").join("\r\n")}\n`);
  const { code, out, err } = await pub(["--batch", file]);
  expect({ code, err }).toEqual({ code: 0, err: "" });
  expect(out).toMatch(/^250 messages published \(3 requests, \d+\.\d s, \d+\/s\)\n$/);
  expect(await stored("file")).toBe(all(250));
});

test("standard input; --json prints a result a line", async () => {
  const { code, out } = await pub(["--batch", "-", "--json"], lines(3, "stdin").join("\n"));
  expect([
    code,
    out
      .trimEnd()
      .split("\n")
      .map((line) => Object.keys(JSON.parse(line))),
  ]).toEqual([0, [["position"], ["position"], ["position"]]]);
  expect(await stored("stdin")).toBe(all(3));
});

test("lines that fail are told by their number in the file, exit 1; the others are published", async () => {
  const input = [
    '{"channel":"some","data":"m0","key":"k"}',
    "",
    '{"channel":"some","data":"other","key":"k"}',
    '{"channel":"some","data":"m1"}',
  ].join("\n");
  const { code, out, err } = await pub(["--batch", "-"], input);
  expect([code, err]).toEqual([1, "line 3: 409 The idempotency key came with another message before.\n"]);
  expect(out).toStartWith("2 messages published, 1 line failed (1 request, ");
  expect(await stored("some")).toBe(all(2));
});

test.each([
  ["no JSON", "{", "sluice: after 100 messages: line 150 is no JSON object.\n"],
  [
    "no data",
    '{"channel":"stops"}',
    /^line 150: data is missing.*\nsluice: after 100 messages: http:.* refused: 400 /,
  ],
])("a line with %s ends it, and what was published is said", async (_what, line, sentence) => {
  const input = lines(300, `stops${line.length}`);
  input[149] = line;
  const { code, err } = await pub(["--batch", "-"], input.join("\n"));
  expect(code).toBe(1);
  if (typeof sentence === "string") expect(err).toBe(sentence);
  else expect(err).toMatch(sentence);
  expect(await stored(`stops${line.length}`)).toBe(all(100));
});

test.each([
  [["--batch", "-", "news"], "the lines of --batch name their channels"],
  [["--batch", "-", "--lines"], "the lines of --batch name their channels"],
  [["--batch", "/no/such/file"], "cannot read /no/such/file"],
  [["--batch", "-"], "there was no line to publish"],
  [[], "missing required argument 'channel'"],
])("%j is a mistake of the command line, exit 2", async (args, sentence) => {
  const { code, err } = await pub(args);
  expect([code, err.includes(sentence)]).toEqual([2, true]);
});

test("answers that are lost: batches and single messages are sent again, and published once", async () => {
  const wire = await LossyWire.start(server.port);
  const { code, out, err } = await pub(["--batch", "-"], lines(250, "lossy").join("\n"), wire.url);
  expect({ code, err }).toEqual({ code: 0, err: "" });
  expect(out).toContain("for the second time");
  expect(await stored("lossy")).toBe(all(250));
  expect((await pub(["lossy1", "once"], "", wire.url)).code).toBe(0);
  expect((await pub(["lossy2", "--lines"], "m0\nm1\nm2\n", wire.url)).code).toBe(0);
  expect([await stored("lossy1"), await stored("lossy2")]).toEqual(["once;", all(3)]);
  expect(wire.lost).toBeGreaterThanOrEqual(3);
  wire.stop();
});

test.if(Bun.which("script") !== null)(
  "on a terminal it shows how far it is, and takes that away",
  async () => {
    const file = join(folder, "shown.ndjson");
    writeFileSync(file, lines(150, "shown").join("\n"));
    const run = [...command, "pub", "--batch", file, "--url", server.url].join(" ");
    const child = Bun.spawn(["script", "-qec", run, "/dev/null"], { stdin: "ignore", stdout: "pipe" });
    const shown = (await new Response(child.stdout).text()).replaceAll("\r\u001b[K", "<over>");
    expect(shown).toMatch(/^<over>100 messages published, \d+\/s<over>/);
    expect(shown).toMatch(/<over>150 messages published \(2 requests, [^\r]*\r\n$/);
  },
);

/** Passes requests on and cuts every other connection as soon as its answer comes. */
class LossyWire {
  readonly url: string;
  lost = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #connections = 0;

  private constructor(port: number, server: Server) {
    this.url = `http://127.0.0.1:${port}`;
    this.#server = server;
    server.on("connection", (socket) => this.#carry(socket));
  }

  static async start(port: number): Promise<LossyWire> {
    const listening = createServer();
    await new Promise<void>((resolve) => listening.listen(0, "127.0.0.1", resolve));
    const address = listening.address();
    const wire = new LossyWire(typeof address === "object" ? (address?.port ?? 0) : 0, listening);
    wire.#target = port;
    return wire;
  }
  #target = 0;

  #carry(client: Socket): void {
    const isLossy = this.#connections++ % 2 === 0;
    const upstream = connect(this.#target, "127.0.0.1");
    for (const socket of [client, upstream]) {
      this.#sockets.add(socket);
      socket.on("error", () => undefined);
      socket.on("close", () => [client, upstream].map((each) => each.destroy()));
    }
    client.pipe(upstream);
    upstream.on("data", (bytes) => {
      if (!isLossy) {
        client.write(bytes);
        return;
      }
      this.lost++;
      client.resetAndDestroy();
    });
  }

  stop(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}
