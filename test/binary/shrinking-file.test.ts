/**
 * A static file that becomes shorter while it is sent, on both doors: the client must not take what it has
 * for the whole, nor wait. Seen was a connection that stood still until keepalive_timeout (75 s), and an
 * answer in chunks that ended as if it were complete.
 */
import { afterAll, afterEach, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type RunningServer, startServer } from "./running-server.ts";

setDefaultTimeout(20_000);

const BYTES = 48 * 2 ** 20;
const LEFT = 2 ** 20;
const folder = mkdtempSync(join(tmpdir(), "sluice-files-"));
mkdirSync(join(folder, "files"));
const file = join(folder, "files", "large");
let server: RunningServer | null = null;
afterEach(async () => {
  await server?.stop();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const toml = `keepalive_timeout = "1s"\n[[location]]\nmatch = "/files/"\nroot = "${folder}"\n`;

/** Reads the head, shortens the file, and reads on to the end of the connection. */
async function read(port: number, range: string): Promise<{ bytes: number; isComplete: boolean }> {
  const ended = Promise.withResolvers<void>();
  let bytes = 0;
  let tail = "";
  const socket = await Bun.connect({
    hostname: "127.0.0.1",
    port,
    socket: {
      data(it, piece) {
        if (bytes === 0) {
          // The kernel's buffers hold some of it, but never all.
          it.pause();
          truncateSync(file, LEFT);
          it.resume();
        }
        bytes += piece.length;
        tail = piece.subarray(-5).toString("latin1");
      },
      end: () => ended.resolve(),
      close: () => ended.resolve(),
      error: () => ended.resolve(),
    },
  });
  socket.write(`GET /files/large HTTP/1.1\r\nHost: x\r\n${range}\r\n`);
  await ended.promise;
  socket.end();
  return { bytes, isComplete: bytes >= BYTES || tail === "0\r\n\r\n" };
}

test.each(["native", "wire"])(
  "on the %s listener its connection ends, and nothing is logged",
  async (listener) => {
    server = await startServer({ toml, workers: 1, args: ["--listener", listener] });
    // The second is one that is ignored, which takes another way.
    for (const range of ["", "Range: lines=1-\r\n"]) {
      writeFileSync(file, new Uint8Array(BYTES).fill(65));
      expect([range, (await read(server.port, range)).isComplete]).toEqual([range, false]);
    }
    const again = await server.request("/files/large");
    expect([again.status, again.text.length]).toEqual([200, LEFT]);
    expect(server.log).not.toMatch(/ (?:warn|error) /);
  },
);
