/**
 * The dashboard and the alert rules ask for metrics that there are; Prometheus's own tool takes the rules; a
 * store of the advised size holds what was asked.
 */
import { expect, setDefaultTimeout, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { renderDashboard } from "../../scripts/dashboard.ts";
import { freePort, layout, startServer } from "../binary/running-server.ts";

setDefaultTimeout(30_000);

const folder = join(import.meta.dir, "../../docs/monitoring");
const dashboard = readFileSync(join(folder, "grafana.json"), "utf8");
const rules = readFileSync(join(folder, "alerts.yml"), "utf8");

const pair = join(import.meta.dir, "../listen/certificates/one");
const SECURE = `
[[server]]
listen = ["127.0.0.1:${freePort()} ssl"]
server_name = ["one.test"]
tls_certificate = "${pair}.pem"
tls_certificate_key = "${pair}.key"
[[server.location]]
match = "/"
empty = true
`;

test("the dashboard is up to date (bun run tables writes it)", () => {
  expect(dashboard).toBe(renderDashboard());
});

test("every metric that they name is exported", async () => {
  const port = freePort();
  const toml = layout(`listen = ["127.0.0.1:${port}"]`) + SECURE;
  const server = await startServer({ toml, port, listensByFile: true });
  try {
    await server.publish("a", "x");
    const exported = new Set<string>();
    const text = await (await fetch(`${server.url}/metrics`)).text();
    for (const [, name = ""] of text.matchAll(/^(sluice_\w+)(?:\{| )/gm)) exported.add(name);
    const asked = new Set([...`${dashboard}${rules}`.matchAll(/\bsluice_[a-z_]+\b/g)].map(([name]) => name));
    expect(asked.size).toBeGreaterThan(15);
    expect([...asked].filter((name) => !exported.has(name))).toEqual([]);
    // The end of what is shown, as openssl says it too.
    const { validTo } = new X509Certificate(readFileSync(`${pair}.pem`));
    expect(text).toContain(
      `sluice_certificate_expiry_seconds{number="0",name="one.test"} ${Date.parse(validTo) / 1000}\n`,
    );
    // Never a label a channel: a million channels would be a million series.
    const labels = new Set([...text.matchAll(/[{,](\w+)="/g)].map(([, label]) => label));
    expect(
      [...labels].filter(
        (label) =>
          !["worker", "le", "status", "node", "shard", "webhook", "name", "number"].includes(label ?? ""),
      ),
    ).toEqual([]);
  } finally {
    await server.stop();
  }
});

test("refusals are counted by status", async () => {
  const server = await startServer({ toml: layout() });
  try {
    for (let count = 0; count < 3; count++)
      await fetch(`${server.url}/pub?id=`, { method: "POST", body: "x" });
    await fetch(`${server.url}/pub?id=a*`, { method: "POST", body: "x" });
    const text = await (await fetch(`${server.url}/metrics`)).text();
    expect(text).toContain('sluice_refused_by_status_total{status="400"} 3');
    expect(text).toContain('sluice_refused_by_status_total{status="403"} 1');
  } finally {
    await server.stop();
  }
});

test.skipIf(Bun.which("promtool") === null)("promtool takes the rules", () => {
  const { success, stderr, stdout } = Bun.spawnSync([
    "promtool",
    "check",
    "rules",
    join(folder, "alerts.yml"),
  ]);
  expect(`${stdout}${stderr}`).toContain("9 rules found");
  expect(success).toBe(true);
});

test("a store of the size that --sizing advises holds what was asked, and evicts nothing", async () => {
  const child = Bun.spawnSync([
    process.env["SLUICE_BINARY"] ?? "dist/sluice",
    "check",
    "--sizing",
    "--channels",
    "50",
    "--messages",
    "40",
    "--bytes",
    "700",
    "--subscribers",
    "10",
  ]);
  const advised = /\[store\][\s\S]*/.exec(child.stdout.toString())?.[0] ?? "";
  const server = await startServer({ toml: layout(advised) });
  try {
    const text = "x".repeat(700);
    for (let channel = 0; channel < 50; channel++)
      for (let message = 0; message < 40; message++) await server.publish(`channel-${channel}`, text);
    expect((await server.statistics("channel-0")).stored_messages).toBe(40);
    const metrics = await (await fetch(`${server.url}/metrics`)).text();
    expect(metrics).toContain("sluice_evicted_messages_total 0");
    expect(/^sluice_stored_messages (\d+)$/m.exec(metrics)?.[1]).toBe("2000");
  } finally {
    await server.stop();
  }
});
