/**
 * How long messages and channels live, and where they are counted meanwhile (push-stream spec 6), with the
 * times as an nginx.conf gives them. The long waits of all tests pass at the same time.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { channelInfo, expectHeaderOnly, expectJson } from "../binary/answer-checks.ts";
import { ask, type RawAnswer, RawConnection, standing } from "../binary/raw-client.ts";
import { RawWebSocket } from "../binary/raw-web-socket.ts";
import { type RunningServer, until } from "../binary/running-server.ts";
import { forWorkers, startNginx } from "./nginx-server.ts";

const TIMEOUT_MS = 60_000;

interface Counts {
  readonly channels: number;
  readonly published_messages: number;
  readonly stored_messages: number;
  readonly messages_in_trash: number;
  readonly channels_in_delete: number;
  readonly channels_in_trash: number;
  readonly subscribers: number;
}

const LOCATIONS = `
  location /live { push_stream_publisher admin; push_stream_channels_path $arg_id; }
  location ~ ^/sub/(.*)$ { push_stream_subscriber; push_stream_channels_path $1; }
  location ~ ^/poll/(.*)$ { push_stream_subscriber polling; push_stream_channels_path $1; }
  location ~ ^/auth/(.*)$ { push_stream_subscriber polling; push_stream_channels_path $1;
    push_stream_authorized_channels_only on; }
`;

class Zone {
  readonly #server: RunningServer;
  #startMs = performance.now();
  private constructor(server: RunningServer) {
    this.#server = server;
  }
  static async start(workers: number, http: string): Promise<Zone> {
    return new Zone(await startNginx({ workers, http, locations: LOCATIONS }));
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.stop();
  }
  get port(): number {
    return this.#server.port;
  }
  begin(): void {
    this.#startMs = performance.now();
  }
  get passedSec(): number {
    return (performance.now() - this.#startMs) / 1000;
  }
  async at(sec: number): Promise<void> {
    await Bun.sleep(Math.max(0, sec * 1000 - (performance.now() - this.#startMs)));
  }
  get = (path: string): Promise<RawAnswer> => ask(this.port, path);
  post = (path: string): Promise<RawAnswer> => ask(this.port, path, { method: "POST", body: "x" });
  remove = (id: string): Promise<RawAnswer> => ask(this.port, `/pub?id=${id}`, { method: "DELETE" });
  async counts(): Promise<Counts> {
    return JSON.parse((await this.get("/channels-stats")).body.toString());
  }
  async info(id: string): Promise<{ published_messages: number; stored_messages: number } | null> {
    const answer = await this.get(`/channels-stats?id=${id}`);
    return answer.status === 404 ? null : JSON.parse(answer.body.toString());
  }
  /** Seconds since the beginning when the condition held; at most `latestSec`. */
  async when(what: string, holds: (counts: Counts) => boolean, latestSec: number): Promise<number> {
    const withinMs = latestSec * 1000 - (performance.now() - this.#startMs);
    const look = async (): Promise<boolean> => {
      await Bun.sleep(50);
      return holds(await this.counts());
    };
    await until(what, look, withinMs);
    return this.passedSec;
  }
}

describe("times", () => {
  const workers = 2;

  test.concurrent(
    "a message lives for its ttl of a second, then lies in the trash (6.3)",
    async () => {
      await using zone = await Zone.start(workers, "push_stream_message_ttl 1s;");
      await zone.post("/pub?id=a");
      zone.begin();
      expect((await zone.counts()).stored_messages).toBe(1);
      expect((await zone.get("/auth/a.b1")).status).toBe(200);
      await zone.when("it expired", (now) => now.stored_messages === 0 && now.messages_in_trash === 1, 5);
      expectJson(await zone.get("/pub?id=a"), channelInfo("a", 1, 0));
      expect((await zone.get("/poll/a.b1")).status).toBe(304);
      // Nothing is stored, so nobody is authorised any more (3.7).
      expectHeaderOnly(await zone.get("/auth/a.b1"), {
        status: 403,
        explain: "Subscriber could not create channels.",
      });
      // Ids go on.
      expectJson(await zone.post("/pub?id=a"), channelInfo("a", 2, 1));
    },
    TIMEOUT_MS,
  );

  test.concurrent(
    "ttl 12 s: there after 6, gone after 16; the channel afterwards, too",
    async () => {
      await using zone = await Zone.start(
        workers,
        "push_stream_message_ttl 12s; push_stream_channel_inactivity_time 1s;",
      );
      zone.begin();
      await zone.post("/pub?id=a");
      await zone.at(6);
      expectJson(await zone.get("/pub?id=a"), channelInfo("a", 1, 1));
      await zone.at(10.5);
      // Long inactive, and kept by what it stores (6.4).
      expectJson(await zone.get("/pub?id=a"), channelInfo("a", 1, 1));
      await zone.at(16);
      expect((await zone.counts()).stored_messages).toBe(0);
      await zone.when(
        "the channel is collected",
        (now) => now.channels === 0 && now.channels_in_trash === 1,
        20,
      );
    },
    TIMEOUT_MS,
  );

  test.concurrent(
    "a deleted channel: in delete at once, in trash within five seconds, freed after ten more",
    async () => {
      await using zone = await Zone.start(workers, "push_stream_message_ttl 1m;");
      await zone.post("/pub?id=a/b");
      zone.begin();
      await zone.remove("a");
      const deleted = { channels: 1, channels_in_delete: 1, channels_in_trash: 0 };
      expect(await zone.counts()).toMatchObject(deleted);
      await zone.at(0.45);
      expect(await zone.counts()).toMatchObject(deleted);
      // Gone for everybody all the while, and made anew by the next publish.
      expect((await zone.get("/pub?id=a")).status).toBe(404);
      expectJson(await zone.post("/pub?id=a"), channelInfo("a", 1, 1));
      const trashedSec = await zone.when(
        "it is in the trash",
        (now) => now.channels_in_delete === 0 && now.channels_in_trash === 1,
        5,
      );
      expect(await zone.counts()).toMatchObject({ channels: 2, stored_messages: 2, messages_in_trash: 1 });
      const freedSec = await zone.when("it is freed", (now) => now.channels_in_trash === 0, trashedSec + 16);
      expect(freedSec - trashedSec).toBeGreaterThan(9);
      await zone.when("its message, too", (now) => now.messages_in_trash === 0, trashedSec + 16);
    },
    TIMEOUT_MS,
  );

  test.concurrent(
    "inactive after 5 s: made by publish or subscriber; polling does not keep it, a subscriber does",
    async () => {
      await using zone = await Zone.start(workers, "push_stream_channel_inactivity_time 5s;");
      const stream = await RawConnection.open(zone.port);
      stream.request("/sub/held");
      await stream.head();
      await zone.post("/live?id=published/polled");
      zone.begin();
      expect((await zone.counts()).channels).toBe(3);
      await zone.at(2);
      expect((await zone.counts()).channels).toBe(3);
      // Looked at all the time.
      while ((await zone.info("polled")) !== null) {
        expect(zone.passedSec).toBeLessThan(8);
        await zone.get("/poll/polled");
        await Bun.sleep(200);
      }
      await zone.when("all but one are gone", (now) => now.channels === 1 && now.channels_in_trash === 2, 8);
      expect(await zone.info("held")).not.toBeNull();
      await zone.at(9);
      stream.close();
      // Its time was over long ago: the next sweep takes it (6.4).
      await until("it is collected", async () => (await zone.info("held")) === null, 4500);
    },
    TIMEOUT_MS,
  );

  test.concurrent(
    "trash is kept for ten seconds: stored with ttl 10 s 25 ± 5 s in all, not stored 15 ± 5 s",
    async () => {
      await using zone = await Zone.start(workers, "push_stream_message_ttl 10s;");
      zone.begin();
      await zone.post("/live?id=a");
      expect(await zone.counts()).toMatchObject({
        published_messages: 1,
        stored_messages: 0,
        messages_in_trash: 1,
      });
      const emptySec = await zone.when(
        "what was not stored is freed",
        (now) => now.messages_in_trash === 0,
        20,
      );
      expect(emptySec).toBeGreaterThan(10);
      await zone.post("/pub?id=a");
      zone.begin();
      await zone.at(8);
      expect(await zone.counts()).toMatchObject({ stored_messages: 1, messages_in_trash: 0 });
      await zone.when("it expires", (now) => now.stored_messages === 0 && now.messages_in_trash === 1, 15);
      const freedSec = await zone.when("it is freed", (now) => now.messages_in_trash === 0, 30);
      expect(freedSec).toBeGreaterThan(19);
    },
    TIMEOUT_MS,
  );

  test.concurrent(
    "inactive after 30 s unless told otherwise",
    async () => {
      await using zone = await Zone.start(workers, "");
      await zone.post("/live?id=a");
      await zone.post("/live?id=b");
      zone.begin();
      await zone.at(25);
      expect((await zone.counts()).channels).toBe(2);
      await zone.when("they are gone", (now) => now.channels === 0 && now.channels_in_trash === 2, 35);
    },
    TIMEOUT_MS,
  );
});

const TEMPLATES = `
  push_stream_message_template "~id~|~channel~|~text~|~time~|~tag~|~event-id~;";
  push_stream_footer_template "</end>";
`;
const EPOCH = "Thu, 01 Jan 1970 00:00:00 GMT";
const deletionOf = (channel: string, text: string): string => `-2|${channel}|${text}|${EPOCH}|0|;`;

/** Where the numbers stand matters to none of these: all share a server. */
forWorkers("ends and numbers", (workers) => {
  let server: RunningServer;
  beforeAll(async () => {
    const mode = (name: string, path: string): string =>
      `location ~ ^/${path}/(.*)$ { push_stream_subscriber ${name}; ` +
      `push_stream_channels_path $1; ${TEMPLATES} }`;
    server = await startNginx({
      workers,
      http: `push_stream_channel_deleted_message_text "It's \\"over\\""; client_max_body_size 2m;`,
      locations: [
        mode("streaming", "sub"),
        mode("eventsource", "ev"),
        mode("polling", "poll"),
        mode("long-polling", "lp"),
        mode("websocket", "ws"),
      ].join("\n"),
    });
  });
  afterAll(async () => {
    expect(server.log).not.toMatch(/a request failed|panic|uncaught/i);
    await server.stop();
  });
  const post = (id: string, body = "x"): Promise<RawAnswer> =>
    ask(server.port, `/pub?id=${id}`, { method: "POST", body });
  const remove = (id: string, body?: string): Promise<RawAnswer> =>
    ask(server.port, `/pub?id=${id}`, { method: "DELETE", ...(body === undefined ? {} : { body }) });
  const open = async (path: string): Promise<RawConnection> => {
    const connection = await RawConnection.open(server.port);
    connection.request(path);
    return connection;
  };

  test.each([
    [undefined, 'It\'s "over"'],
    ["", 'It\'s "over"'],
    ["bye ~id~\r\n{}", "bye ~id~\r\n{}"],
  ])("a channel with subscribers of every kind is deleted, body %j (2.7)", async (body, text) => {
    const [stream, events, poll, jsonp] = await Promise.all(
      ["/sub/gone", "/ev/gone", "/lp/gone", "/lp/gone?callback=cb"].map(open),
    );
    const socket = await RawWebSocket.open(server.port, "/ws/gone");
    await standing(server.port, "gone", 5);
    expectHeaderOnly(await remove("gone", body), { status: 200, explain: "Channel deleted." });
    const message = deletionOf("gone", text);
    expect((await stream?.answer())?.body.toString()).toBe(`${message}</end>`);
    const lines = text.split("\r\n").map((line) => `data: ${deletionOf("gone", line)}\n`);
    expect((await events?.answer())?.body.toString()).toBe(`: \n${lines.join("")}\n: </end>\n`);
    const polled = await poll?.answer();
    expect(polled?.statusLine).toBe("HTTP/1.1 200 OK");
    expect(polled?.body.toString()).toBe(`${message}</end>`);
    expect([polled?.fields.get("etag"), polled?.fields.has("last-modified")]).toEqual(["W/0", true]);
    expect((await jsonp?.answer())?.body.toString()).toBe(`cb([${message}]);</end>`);
    expect(await socket.text()).toBe(message);
    expect(await socket.text()).toBe("</end>");
    expect((await socket.frame()).bytes.toString("hex")).toBe("8800");
    await socket.connection.untilEnd();
    for (const connection of [stream, events, poll, jsonp]) connection?.close();
    const counts = JSON.parse((await ask(server.port, "/channels-stats")).body.toString());
    expect(counts.subscribers).toBe(0);
    expect((await ask(server.port, "/pub?id=gone")).status).toBe(404);
  });

  test("who has other channels stays there and ends with the last, a long poll with the first", async () => {
    const stream = await open("/sub/two1/two2/two3");
    await stream.head();
    const socket = await RawWebSocket.open(server.port, "/ws/two1/two2/two3");
    const poll = await open("/lp/two1/two2/two3");
    await standing(server.port, "two3", 3);
    const [first, second, third] = ["two1", "two2", "two3"].map((id) => deletionOf(id, "end"));
    expect((await remove("two1/two2", "end")).status).toBe(200);
    expect((await poll.answer()).body.toString()).toBe(`${first}</end>`);
    expect(await stream.chunkedText((first?.length ?? 0) * 2)).toBe(`${first}${second}`);
    expect([await socket.text(), await socket.text()]).toEqual([first ?? "", second ?? ""]);
    await post("two1", "to the new one");
    expect((await post("two3", "m")).body.toString()).toBe(channelInfo("two3", 1, 1, 2));
    expect(await stream.chunkedText(5)).toBe("1|two");
    await remove("two3", "end");
    expect((await stream.restOfChunks()).toString()).toEndWith(`;${third}</end>`);
    expect(await socket.text()).toStartWith("1|two3|m|");
    expect([await socket.text(), await socket.text()]).toEqual([third ?? "", "</end>"]);
    expect((await socket.frame()).bytes.toString("hex")).toBe("8800");
    for (const connection of [stream, socket, poll]) connection.close();
  });

  test("a long poll on twenty channels, the tenth deleted", async () => {
    const ids = Array.from({ length: 20 }, (_, i) => `many${i}`);
    const poll = await open(`/lp/${ids.join("/")}`);
    await standing(server.port, "many19");
    await remove("many9", "gone");
    expect((await poll.answer()).body.toString()).toBe(`${deletionOf("many9", "gone")}</end>`);
    for (const id of ids) {
      const answer = await ask(server.port, `/channels-stats?id=${id}`);
      if (id === "many9") expect(answer.status).toBe(404);
      else expectJson(answer, channelInfo(id, 0, 0));
    }
    expectHeaderOnly(await remove(ids.join("/")), { status: 200, explain: "Channel deleted." });
    poll.close();
  });

  test("tags count all channels of a second, ids each its own, both as at the publish (6.1)", async () => {
    const ids = ["n1", "n2", "n1", "n3", "n1/n2"];
    for (const id of ids) await post(id);
    const { body } = await ask(server.port, "/poll/n1.b9/n2.b9/n3.b9");
    const messages = body
      .toString()
      .replace("</end>", "")
      .split(";")
      .slice(0, -1)
      .map((line) => line.split("|"));
    expect(messages.map(([id, channel]) => `${channel}:${id}`)).toEqual([
      "n1:1",
      "n1:2",
      "n1:3",
      "n2:1",
      "n2:2",
      "n3:1",
    ]);
    const order = ["n1:1", "n2:1", "n1:2", "n3:1", "n1:3", "n2:2"];
    let [lastTime, lastTag] = [0, 0];
    for (const name of order) {
      const [, , , time = "", tag] = messages.find(([id, channel]) => `${channel}:${id}` === name) ?? [];
      const second = Date.parse(time) / 1000;
      // Other tests wait their turn, so nothing else is published meanwhile; a new second begins with 1.
      if (lastTime > 0) expect([name, Number(tag)]).toEqual([name, second === lastTime ? lastTag + 1 : 1]);
      expect(second).toBeGreaterThanOrEqual(lastTime);
      [lastTime, lastTag] = [second, Number(tag)];
    }
    await remove("n1");
    expectJson(await post("n1"), channelInfo("n1", 1, 1));
  });

  test("text full of tokens is taken as it is, and quickly (2.4)", async () => {
    const text = "~text~~id~~channel~".repeat(42_000);
    const stream = await open("/sub/tokens");
    await stream.head();
    expectJson(await post("tokens", text), channelInfo("tokens", 1, 1, 1));
    const start = "1|tokens|";
    expect(await stream.chunkedText(start.length + text.length + 1)).toBe(`${start}${text}|`);
    stream.close();
  });
});
