/** What is taken back on one node counts on the others, also on one that comes later. */
import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SECRET, withSecret } from "../access/issuing.ts";
import { layout, type RunningServer, startServer, until } from "../binary/running-server.ts";
import { Engine, hasRedis } from "./engine.ts";

const folder = mkdtempSync(join(tmpdir(), "sluice-revoke-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const toml = (port: number, node: string): string => `
[[issuer]]
name = "app"
algorithms = ["HS256"]
key = "env:HUB_KEY"
${layout(`[cluster]\nengine = "redis://127.0.0.1:${port}"\nnode = "${node}"\n[store]\nsize = "4MiB"`, {
  poll: 'token = ["header"]\ntoken_issuers = ["app"]',
})}
[[location]]
match = "= /revoke"
revoke = true
access = ["allow 127.0.0.1", "deny all"]
`;

test.if(hasRedis)(
  "a token that is taken back on one node is refused on all, also when the engine has lost it meanwhile",
  async () => {
    const engine = await new Engine().start();
    const start = (name: string): Promise<RunningServer> =>
      startServer({ toml: toml(engine.port, name), env: { HUB_KEY: SECRET }, workers: 1 });
    const [a, b] = [await start("a"), await start("b")];
    const headers = {
      Authorization: `Bearer ${await withSecret({ sub: "victim", channels: { subscribe: ["*"] } })}`,
    };
    const status = async (node: RunningServer): Promise<number> =>
      (await node.request("/poll/room", { headers })).status;
    expect([await status(a), await status(b)]).toEqual([304, 304]);
    const revoked = await a.request("/revoke", {
      method: "POST",
      body: new URLSearchParams({ sub: "victim", ttl: "3600" }),
    });
    expect(revoked.status).toBe(204);
    expect(await status(a)).toBe(401);
    await until("the other to know", async () => (await status(b)) === 401);
    // Lost with everything else; the nodes know it, and one gives it back.
    await engine.call("FLUSHALL");
    await until(
      "the engine to know it again",
      async () => (await engine.call("HLEN", "{sluice:main:0}revoked")) === 1,
    );
    await engine.call("XTRIM", "{sluice:main:0}log", "MAXLEN", "0");
    const late = await start("late");
    expect(await status(late)).toBe(401);
    for (const node of [a, b, late]) await node.stop();
    await engine.stop();
  },
  30_000,
);
