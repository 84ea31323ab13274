/**
 * Reload and restart under load (promise P6): event sources that resume miss nothing and get nothing twice,
 * and others hear what to do.
 */
import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { RawConnection, standing } from "./raw-client.ts";
import { ResumingCrowd, SteadyPublisher } from "./resuming-crowd.ts";
import { layout, type RunningServer, startServer, until } from "./running-server.ts";

setDefaultTimeout(90_000);

let server: RunningServer;
let crowd: ResumingCrowd | null = null;
afterEach(async () => {
  crowd?.close();
  crowd = null;
  await server.stop();
});

const EVENTS = 'event_ids = "auto"\npadding_by_user_agent = ""';
const config = (top: string): string => layout(top, { ev: EVENTS });
const SIZE = 200;

/** Open, subscribed, and with messages coming in. */
async function underLoad(top: string): Promise<{ crowd: ResumingCrowd; publisher: SteadyPublisher }> {
  server = await startServer({ toml: config(top) });
  crowd = new ResumingCrowd(server.port, "/ev/news", SIZE);
  await crowd.open();
  await standing(server.port, "news", SIZE);
  const publisher = new SteadyPublisher(`${server.url}/pub?id=news`, 10);
  await until("some messages", () => crowd?.hasReached(5) === true);
  return { crowd, publisher };
}

async function expectNothingLost(all: ResumingCrowd, publisher: SteadyPublisher): Promise<void> {
  await until("everybody back", () => all.listening === SIZE && all.sum("farewells") >= SIZE, 30_000);
  await publisher.stop();
  const { published_messages: published } = await server.statistics("news");
  expect(published).toBeGreaterThanOrEqual(publisher.published);
  const last = Math.max(...all.clients.map(({ position }) => position));
  await until("everybody caught up", () => all.hasReached(last));
  expect([all.sum("missed"), all.sum("repeated"), all.sum("gaps"), all.refusals]).toEqual([0, 0, 0, 0]);
}

describe.each([0, 300])("drain_rate = %d", (rate) => {
  test("reload: nothing is lost or comes twice, and publishing never fails", async () => {
    const load = await underLoad(`drain_rate = ${rate}`);
    server.process.kill("SIGHUP");
    await expectNothingLost(load.crowd, load.publisher);
    // Where the kernel does not hand them over (tcp_migrate_req), connections that nobody accepted yet are
    // cut off with their listener.
    expect(load.publisher.failed).toBeLessThanOrEqual(2);
  });

  test("restart: nothing is lost or comes twice", async () => {
    const load = await underLoad(`drain_rate = ${rate}`);
    server.process.kill("SIGTERM");
    expect(await server.process.exited).toBe(0);
    server = await startServer({ toml: config(""), folder: server.folder, port: server.port });
    await expectNothingLost(load.crowd, load.publisher);
  });
});

test("a paced stop serves publishers to its end, and those who are still connected hear them", async () => {
  const load = await underLoad(`drain_rate = 50\nshutdown_timeout = "20s"`);
  server.process.kill("SIGTERM");
  await until("the first farewells", () => load.crowd.sum("farewells") > 0);
  const { published } = load.publisher;
  const reached = Math.max(...load.crowd.clients.map(({ position }) => position));
  await until("more messages, while some are told to go", () => load.publisher.published > published + 20);
  expect(load.publisher.failed).toBe(0);
  expect(load.crowd.sum("farewells")).toBeLessThan(SIZE);
  expect(Math.max(...load.crowd.clients.map(({ position }) => position))).toBeGreaterThan(reached + 10);
  await load.publisher.stop();
});

test("newcomers of a paced stop: event sources are sent off without error, others get 503", async () => {
  await underLoad(`drain_rate = 50\nshutdown_timeout = "20s"`).then(({ publisher }) => publisher.stop());
  server.process.kill("SIGTERM");
  await until("the drain", async () => (await server.request("/health/ready")).status === 503);
  const source = await server.request("/ev/news");
  expect([source.status, source.headers.get("content-type")]).toEqual([
    200,
    "text/event-stream; charset=utf-8",
  ]);
  expect(source.text).toMatch(/^: \n: Server is shutting down.\nretry: \d+\n$/);
  for (const path of ["/sub/news", "/lp/news"]) {
    const answer = await server.request(path);
    expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "1"]);
  }
  expect((await server.publish("news", "still")).status).toBe(200);
});

test("a rate that shutdown_timeout leaves no time for is exceeded, so that all are told", async () => {
  server = await startServer({ toml: config('drain_rate = 1\nshutdown_timeout = "2s"') });
  const streams = await Promise.all(Array.from({ length: 20 }, () => RawConnection.open(server.port)));
  for (const stream of streams) stream.request("/ev/news");
  await standing(server.port, "news", streams.length);
  server.process.kill("SIGTERM");
  for (const stream of streams)
    expect((await stream.answer()).body.toString()).toMatch(/\nid: .*\nretry: \d+\n$/);
  expect(await server.process.exited).toBe(0);
  expect(server.log).not.toContain("did not finish in time");
});
