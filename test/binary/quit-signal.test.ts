/**
 * SIGQUIT, nginx's slow stop (push-stream spec 8.2): nobody new is let in, idle connections close, who is
 * held stays until his own ping or ttl is due, or until he leaves; what is published meanwhile still reaches
 * everybody.
 */
import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { RawConnection, standing } from "./raw-client.ts";
import { RawWebSocket } from "./raw-web-socket.ts";
import { layout, type RunningServer, startServer, until } from "./running-server.ts";

setDefaultTimeout(40_000);

const AROUND = 'header_template = "HEADER"\nfooter_template = "BYE"';
const location = (match: string, mode: string, more: string): string =>
  `\n[[location]]\nmatch = "~ ^/${match}/(.*)$"\nsubscriber = "${mode}"\n` +
  `channels_path = "$1"\n${AROUND}\n${more}\n`;
/** A drain that nobody asked for would be over after 100 ms. */
const configWith = (header: string): string =>
  layout('shutdown_timeout = "100ms"\nping_message_text = "PING"', {
    sub: `header_template = "${header}"\nfooter_template = "BYE"`,
    ws: `${AROUND}\nwebsocket_allow_publish = true`,
  }) +
  location("pinged", "streaming", 'ping_message_interval = "1s"') +
  location("pinged-ev", "eventsource", 'ping_message_interval = "1s"') +
  location("pinged-ws", "websocket", 'ping_message_interval = "1s"') +
  location("short", "streaming", 'subscriber_connection_ttl = "2s"') +
  location("short-ws", "websocket", 'subscriber_connection_ttl = "2s"') +
  location("short-lp", "long-polling", 'longpolling_connection_ttl = "2s"');

let server: RunningServer;
afterEach(async () => {
  await server.stop();
});

async function asking(path: string): Promise<RawConnection> {
  const connection = await RawConnection.open(server.port);
  connection.request(path);
  return connection;
}

/** Until main has taken the signal and the port is closed. */
async function quit(): Promise<void> {
  server.process.kill("SIGQUIT");
  await until("nobody listens any more", async () => {
    const connection = await RawConnection.open(server.port).catch(() => null);
    connection?.close();
    return connection === null;
  });
}

const hex = (text: string): string => Buffer.from(text).toString("hex");

describe.each([
  ["native", "HEADER"],
  // Without one the wire listener serves the address (running-server.ts).
  ["wire", ""],
] as const)("%s listener", (_listener, header) => {
  const config = configWith(header);

  test.each([1, 2])(
    "held connections end as their timers are due; main goes with the last of %d workers",
    async (workers) => {
      server = await startServer({ workers, toml: config });
      const idle = await asking("/channels-stats");
      await idle.answer();
      const streams = [await asking("/pinged/a"), await asking("/short/a")];
      const events = await asking("/pinged-ev/a");
      const sockets = [
        await RawWebSocket.open(server.port, "/pinged-ws/a"),
        await RawWebSocket.open(server.port, "/short-ws/a"),
      ];
      const poll = await asking("/short-lp/a");
      const lasting = await asking("/sub/b");
      await lasting.head();
      await standing(server.port, "b");
      await quit();
      await idle.untilEnd();
      // Pings from before the signal, at most; the footer is where the next one would have been.
      for (const stream of streams) {
        await stream.head();
        expect((await stream.restOfChunks()).toString()).toMatch(/^HEADER(PING)*BYE$/);
        expect((await stream.untilEnd()).length).toBe(0);
      }
      await events.head();
      expect((await events.restOfChunks()).toString()).toMatch(/^: HEADER\n(: -1\n)*: BYE\n$/);
      for (const { connection } of sockets) {
        const frames = (await connection.untilEnd()).toString("hex");
        expect(frames).toMatch(new RegExp(`^8106${hex("HEADER")}(8900)*8103${hex("BYE")}880203e9$`));
      }
      const timedOut = await poll.answer();
      expect(timedOut.status).toBe(304);
      expect(timedOut.fields.get("etag")).toBe('W/"0"');
      expect(timedOut.fields.has("last-modified")).toBeTrue();
      await poll.untilEnd();
      // All timers are over; who has none is still there.
      await Bun.sleep(500);
      expect(server.process.exitCode).toBeNull();
      expect(lasting.ended).toBeFalse();
      lasting.close();
      expect(await server.process.exited).toBe(0);
      expect(server.log).not.toContain("killing it");
    },
  );

  test("SIGTERM meanwhile ends those without timers, with all bytes", async () => {
    server = await startServer({ workers: 2, toml: config });
    const streams = await Promise.all(Array.from({ length: 6 }, () => asking("/sub/a")));
    const socket = await RawWebSocket.open(server.port, "/ws/a");
    const poll = await asking("/lp/a");
    await standing(server.port, "a", 8);
    await quit();
    await Bun.sleep(300);
    expect(server.process.exitCode).toBeNull();
    server.process.kill("SIGTERM");
    for (const stream of streams) {
      await stream.head();
      expect((await stream.restOfChunks()).toString()).toBe(`${header}BYE`);
    }
    expect((await socket.connection.untilEnd()).toString("hex")).toBe(
      `8106${hex("HEADER")}8103${hex("BYE")}880203e9`,
    );
    expect((await poll.answer()).status).toBe(304);
    expect(await server.process.exited).toBe(0);
  });

  test("what a WebSocket publishes meanwhile reaches the subscribers of every worker", async () => {
    server = await startServer({ workers: 2, toml: config });
    const sockets: RawWebSocket[] = [];
    const streams: RawConnection[] = [];
    await until("subscribers on every worker", async () => {
      sockets.push(await RawWebSocket.open(server.port, "/ws/a"));
      streams.push(await asking("/sub/a"));
      await standing(server.port, "a", sockets.length + streams.length);
      const { by_worker } = await server.summary();
      return by_worker.length === 2 && by_worker.every(({ subscribers }) => subscribers >= 2);
    });
    for (const socket of sockets) expect(await socket.text()).toBe("HEADER");
    await quit();
    let expected: string = header;
    for (const [i, socket] of sockets.entries()) {
      const text = `from ${i};`;
      socket.sendFrame(1, text);
      for (const other of sockets) expect(await other.text()).toBe(text);
      expected += text;
    }
    for (const stream of streams) {
      await stream.head();
      expect(await stream.chunkedText(expected.length)).toBe(expected);
      stream.close();
    }
    expect(server.process.exitCode).toBeNull();
    for (const socket of sockets) socket.close();
    expect(await server.process.exited).toBe(0);
  });

  test("a request under way is answered, and its connection ends", async () => {
    server = await startServer({ workers: 2, toml: config });
    const publisher = await RawConnection.open(server.port);
    publisher.send("POST /pub?id=a HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n01234");
    const stream = await asking("/sub/a");
    await stream.head();
    await standing(server.port, "a");
    await quit();
    publisher.send("56789");
    expect((await publisher.answer()).status).toBe(200);
    await publisher.untilEnd();
    expect(await stream.chunkedText(header.length + 10)).toBe(`${header}0123456789`);
    stream.close();
    expect(await server.process.exited).toBe(0);
  });
});
