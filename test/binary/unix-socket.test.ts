/**
 * Who may connect to a unix socket, on the compiled binary at both doors. Groups and other users need root.
 */
import { afterEach, describe, expect, test } from "bun:test";
import { mkdtempSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { layout, type RunningServer, startServer, until } from "./running-server.ts";

const DOORS = [
  ["native", 'header_template = "."'],
  ["wire", ""],
] as const;
const isRoot = process.getuid?.() === 0;
/** Of Debian and most others: a user and group without rights. */
const NOBODY = 65_534;

let server: RunningServer | null = null;
afterEach(async () => {
  if (server !== null) expect(await server.stop()).toBe(0);
  server = null;
});

describe.each(DOORS)("%s door", (_, sub) => {
  async function served(words: string): Promise<string> {
    const path = join(mkdtempSync(join(tmpdir(), "sluice-test-")), "http sock");
    server = await startServer({
      toml: layout("", { sub }),
      workers: 1,
      args: ["--listen", `unix:${path}${words}`],
      // What the shell of the one who starts it says is not asked.
      through: ["sh", "-c", 'umask 077; exec "$@"', "sh"],
    });
    return path;
  }
  const rights = (path: string): string => (statSync(path).mode & 0o777).toString(8);

  test.each([
    ["", "666"],
    [" mode=660", "660"],
    [" mode=0600", "600"],
  ])("unix:path%s", async (words, mode) => {
    const path = await served(words);
    expect(rights(path)).toBe(mode);
    expect((await fetch("http://x/poll/a", { unix: path })).status).toBe(304);
    server?.process.kill("SIGHUP");
    await until("it has reloaded", () => server?.log.includes("reloaded") === true);
    expect(rights(path)).toBe(mode);
  });

  test.skipIf(!isRoot)("a group, by name or number (needs root)", async () => {
    const path = await served(` mode=660 group=${NOBODY}`);
    expect([rights(path), statSync(path).gid]).toEqual(["660", NOBODY]);
  });
});

test("a group that does not exist is said, and nothing is served", async () => {
  const path = join(mkdtempSync(join(tmpdir(), "sluice-test-")), "sock");
  const start = startServer({ toml: layout(), workers: 1, args: ["--listen", `unix:${path} group=no-such`] });
  await expect(start).rejects.toThrow(/there is no group no-such in \/etc\/group/);
});
