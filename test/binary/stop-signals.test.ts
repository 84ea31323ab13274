/**
 * What subscribers receive at a stop or reload, and how fast it goes: push-stream spec 8.2, every row, with
 * one worker and two.
 */
import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { RawConnection, standing } from "./raw-client.ts";
import { RawWebSocket } from "./raw-web-socket.ts";
import { type RunningServer, startServer, until } from "./running-server.ts";
import { Crowd, type Ends, patientLayout, times } from "./subscriber-crowd.ts";

setDefaultTimeout(40_000);
/** Generous: it says that nobody waited for a ping, a ttl, an idle timeout, or the limit of the stop. */
const NOT_WAITED_MS = 20_000;

let server: RunningServer;
afterEach(async () => {
  await server.stop();
});

const hex = (text: string): string => Buffer.from(text).toString("hex");
const HEADER_FRAME = `8106${hex("HEADER")}`;
const FOOTER_FRAME = `8103${hex("BYE")}`;

/** Close codes: going away, and service restart, which says that others serve already. */
const GOING_AWAY = "880203e9";
const SERVICE_RESTART = "880203f4";

function expectEnds(ends: Ends, streamHeader: string, named = GOING_AWAY): void {
  expect(ends.streams).toEqual(times(`${streamHeader}BYE`));
  expect(ends.events).toEqual(times(": HEADER\n: BYE\n"));
  expect(ends.sockets).toEqual(times(`${HEADER_FRAME}${FOOTER_FRAME}${named}`));
  expect(ends.named).toEqual(times(named));
  expect(ends.polls.map(({ statusLine }) => statusLine)).toEqual(times("HTTP/1.1 304 Not Modified"));
  for (const { fields, body } of ends.polls) {
    expect(fields.get("etag")).toBe('W/"0"');
    expect(Math.abs(Date.parse(fields.get("last-modified") ?? "") - Date.now())).toBeLessThan(60_000);
    expect(body.length).toBe(0);
  }
}

describe.each([
  ["native", "HEADER"],
  ["wire", ""],
] as const)("%s listener", (_listener, header) => {
  const serve = async (workers: number, top = 'shutdown_timeout = "25s"'): Promise<void> => {
    server = await startServer({ workers, toml: patientLayout(top, header) });
  };

  async function expectEndsAt(signal: NodeJS.Signals, crowd: Crowd): Promise<void> {
    const sentMs = performance.now();
    server.process.kill(signal);
    expectEnds(await crowd.ends, header);
    expect(await server.process.exited).toBe(0);
    expect(performance.now() - sentMs).toBeLessThan(NOT_WAITED_MS);
  }

  test("SIGINT: everybody hears of it at once and the process ends", async () => {
    await serve(2);
    await expectEndsAt("SIGINT", await Crowd.gather(server.port, "a"));
  });

  test.each([1, 2])(
    "SIGHUP, then SIGTERM, %d workers: the same, and nobody is counted any more",
    async (workers) => {
      await serve(workers);
      const before = await server.workerPids();
      const crowd = await Crowd.gather(server.port, "a");
      const sentMs = performance.now();
      server.process.kill("SIGHUP");
      expectEnds(await crowd.ends, header, SERVICE_RESTART);
      await until("the old workers are gone", async () => {
        const pids = await server.workerPids().catch(() => []); // a listener may just be closing
        return pids.length === workers && !pids.some((pid) => before.includes(pid));
      });
      expect(performance.now() - sentMs).toBeLessThan(NOT_WAITED_MS);
      expect((await server.summary()).subscribers).toBe(0);
      expect((await server.statistics("a")).subscribers).toBe(0);
      const next = await Crowd.gather(server.port, "a");
      expect((await server.summary()).subscribers).toBe(next.size);
      await expectEndsAt("SIGTERM", next);
    },
  );

  test("a long poll is answered with a body when timeout_with_body says so", async () => {
    await serve(1, "timeout_with_body = true");
    const crowd = await Crowd.gather(server.port, "a");
    server.process.kill("SIGTERM");
    for (const { statusLine, fields, body } of (await crowd.ends).polls) {
      expect(statusLine).toBe("HTTP/1.1 200 OK");
      expect(fields.get("etag")).toBe('W/"0"');
      expect(fields.has("last-modified")).toBeTrue();
      expect(body.toString()).toBe("HEADER<-3|Timed out>BYE");
    }
    expect(await server.process.exited).toBe(0);
  });

  test("WebSockets alone: the last frames are not lost with the process", async () => {
    await serve(2, "");
    const sockets = await Promise.all(
      Array.from({ length: 20 }, () => RawWebSocket.open(server.port, "/ws/a")),
    );
    await standing(server.port, "a", sockets.length);
    server.process.kill("SIGTERM");
    for (const { connection } of sockets)
      expect((await connection.untilEnd()).toString("hex")).toBe(
        `${HEADER_FRAME}${FOOTER_FRAME}${GOING_AWAY}`,
      );
    expect(await server.process.exited).toBe(0);
  });

  test.each(["SIGTERM", "SIGQUIT"] as const)(
    "%s: connections that are kept alive, or have said nothing yet, hold nothing up",
    async (signal) => {
      await serve(2);
      const idle = await Promise.all(Array.from({ length: 10 }, () => RawConnection.open(server.port)));
      for (const [i, connection] of idle.entries()) {
        if (i % 3 === 0) continue; // says nothing
        if (i % 3 === 1)
          connection.send("GET /channels-st"); // half a head
        else {
          connection.request("/channels-stats");
          await connection.answer();
        }
      }
      const sentMs = performance.now();
      server.process.kill(signal);
      expect(await server.process.exited).toBe(0);
      expect(performance.now() - sentMs).toBeLessThan(5000);
      // Who says nothing is kept waiting by the kernel (TCP_DEFER_ACCEPT) and never hears of the end.
      const spoke = idle.filter((_, i) => i % 3 !== 0);
      await Promise.all(spoke.map((connection) => connection.untilEnd()));
      for (const connection of idle) connection.close();
    },
  );
});
