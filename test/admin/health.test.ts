/** /health/live, /health/ready and /metrics: what load balancers and Prometheus see. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { expectAntiCache } from "../binary/answer-checks.ts";
import { ask, RawConnection, standing } from "../binary/raw-client.ts";
import { RawWebSocket } from "../binary/raw-web-socket.ts";
import { layout, type RunningServer, startServer, until } from "../binary/running-server.ts";

let server: RunningServer;
beforeAll(async () => {
  server = await startServer({ toml: layout("[store]\nmax_messages_stored_per_channel = 2") });
});
afterAll(async () => {
  await server.stop();
});

test.each([
  ["/health/live", "ok\n"],
  ["/health/ready", "ready\n"],
])("%s", async (path, body) => {
  const answer = await ask(server.port, path);
  expect(answer.status).toBe(200);
  expectAntiCache(answer);
  expect(answer.fields.get("content-type")).toBe("text/plain; charset=utf-8");
  expect(answer.body.toString()).toBe(body);
});

test.each(["/health/live", "/health/ready", "/metrics", "/health/ready?from=balancer"])(
  "%s answers a health check by HTTP/1.0, which names no host",
  async (path) => {
    const connection = await RawConnection.open(server.port);
    connection.send(`GET ${path} HTTP/1.0\r\n\r\n`);
    const { status, fields } = await connection.answer();
    expect([status, fields.get("connection")]).toEqual([200, "close"]);
    connection.close();
  },
);

/** A sample by name and labels. */
async function samples(): Promise<Map<string, number>> {
  const answer = await ask(server.port, "/metrics");
  expect(answer.status).toBe(200);
  expect(answer.fields.get("content-type")).toStartWith("text/plain; version=0.0.4");
  const found = new Map<string, number>();
  for (const line of answer.body.toString().split("\n")) {
    if (line === "" || line.startsWith("#")) continue;
    expect(line).toMatch(/^sluice_\w+(\{(le="([\d.]+|\+Inf)",)?(worker|status)="\d+"\})? [\d.e+-]+$/);
    const space = line.lastIndexOf(" ");
    found.set(line.slice(0, space), Number(line.slice(space + 1)));
  }
  return found;
}

const sum = (of: ReadonlyMap<string, number>, name: string): number =>
  [...of]
    .filter(([key]) => key === name || key.startsWith(`${name}{`))
    .reduce((total, [, value]) => total + value, 0);

describe("/metrics", () => {
  test("every series has help and type, and one sample a worker", async () => {
    const text = (await ask(server.port, "/metrics")).body.toString();
    const names = [...text.matchAll(/^# TYPE (\S+) (?:counter|gauge)$/gm)].map(([, name = ""]) => name);
    expect(names.length).toBeGreaterThan(10);
    for (const name of names) expect(text).toContain(`# HELP ${name} `);
    for (const name of [
      "sluice_connections",
      "sluice_subscribers",
      "sluice_published_messages_total",
      "sluice_delivered_messages_total",
      "sluice_sent_bytes_total",
      "sluice_lagging_streams",
      "sluice_closed_slow_total",
      "sluice_gaps_told_total",
      "sluice_event_loop_lag_seconds",
    ])
      expect([...(await samples()).keys()].filter((key) => key.startsWith(`${name}{`)).length).toBe(2);
    expect(sum(await samples(), "sluice_workers")).toBe(2);
  });

  test("counts what happens", async () => {
    const before = await samples();
    const stream = await RawConnection.open(server.port);
    stream.request("/ev/m");
    await stream.head();
    const socket = await RawWebSocket.open(server.port, "/ws/m");
    await standing(server.port, "m", 2);
    for (const text of ["one", "two", "three"]) await server.publish("m", text);
    expect((await ask(server.port, "/pub?id=ALL")).status).toBe(403);
    for (const text of ["one", "two", "three"]) expect(await socket.text()).toBe(text);
    await stream.chunked(": \ndata: one\n\ndata: two\n\ndata: three\n\n".length);
    let after = await samples();
    const grown = (name: string): number => sum(after, name) - sum(before, name);
    // Counted behind the write that was seen here already.
    await until("all deliveries are counted", async () => {
      after = await samples();
      return grown("sluice_delivered_messages_total") >= 6;
    });
    expect(grown("sluice_subscribers")).toBe(2);
    expect(grown("sluice_published_messages_total")).toBe(3);
    expect(grown("sluice_delivered_messages_total")).toBe(6);
    expect(grown("sluice_sent_bytes_total")).toBeGreaterThanOrEqual(2 * "onetwothree".length);
    expect(grown("sluice_refused_requests_total")).toBe(1);
    expect(grown("sluice_channels")).toBe(1);
    expect(grown("sluice_stored_messages")).toBe(2);
    expect(sum(after, "sluice_store_blocks_used")).toBeGreaterThan(sum(before, "sluice_store_blocks_used"));
    for (const connection of [stream, socket]) connection.close();
    await standing(server.port, "m", 0);
    expect(sum(await samples(), "sluice_subscribers")).toBe(sum(before, "sluice_subscribers"));
  });
});
