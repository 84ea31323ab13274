/**
 * Limits as an nginx.conf sets them (push-stream spec 1.3, 3.4 to 3.8, 12.4): the text of each refusal in
 * every mode, what counts and what does not, and a zone that is full.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { channelInfo, expectAntiCache, expectHeaderOnly, expectJson } from "../binary/answer-checks.ts";
import { ask, type RawAnswer, RawConnection, type RawRequest, standing } from "../binary/raw-client.ts";
import { Opcode, RawWebSocket } from "../binary/raw-web-socket.ts";
import { type RunningServer, until } from "../binary/running-server.ts";
import { forWorkers, startNginx } from "./nginx-server.ts";

const TOO_MANY = "Number of channels were exceeded.";
const NOT_CREATED = "Subscriber could not create channels.";
const FULL = "Subscribers limit per channel has been exceeded.";
const NO_EVENTS = "Subscription to events channel is not allowed.";
const WILDCARDS = "Subscribed too much wildcard channels.";
const NO_ID = "No channel id provided.";
const FORBIDDEN = "Channel id not authorized for this method.";
const TOO_LARGE = "Channel id is too large.";

const MODES = ["streaming", "eventsource", "polling", "long-polling", "websocket"] as const;
/** Whose subscribers stand in their channels, which are made for them. */
const MAKING = MODES.filter((mode) => mode !== "polling");
type Mode = (typeof MODES)[number];

/** A location for each mode, `/<prefix>-<mode>/<channels>`, with these directives. */
const modes = (prefix: string, directives = ""): string =>
  MODES.map(
    (mode) =>
      `location ~ ^/${prefix}-${mode}/(.*)$ { push_stream_subscriber ${mode}; ` +
      `push_stream_channels_path $1; ${directives} }`,
  ).join("\n");

class Client {
  server!: RunningServer;
  on = (path: string, request: RawRequest = {}): Promise<RawAnswer> => ask(this.server.port, path, request);
  post = (id: string, body = "hello"): Promise<RawAnswer> =>
    this.on(`/pub?id=${id}`, { method: "POST", body });
  async exists(id: string): Promise<boolean> {
    return (await this.on(`/channels-stats?id=${id}`)).status === 200;
  }
  async counts(): Promise<Record<string, number>> {
    return JSON.parse((await this.on("/channels-stats")).body.toString());
  }
  /** The mode refuses with this text; a WebSocket in a close frame (spec 4.13.6). */
  async refused(mode: Mode, path: string, status: number, explain: string): Promise<void> {
    if (mode !== "websocket") {
      const answer = await this.on(path);
      expectAntiCache(answer);
      expectHeaderOnly(answer, { status, explain });
      return;
    }
    const socket = await RawWebSocket.open(this.server.port, path);
    const { opcode, payload } = await socket.frame();
    expect(opcode).toBe(Opcode.CLOSE);
    const code = status === 503 ? "\x03\xf5" : "\x03\xf0";
    expect(payload.toString("latin1")).toBe(`${code}{"http_status": ${status}, "explain":"${explain}"}`);
    await socket.connection.untilEnd();
  }
  /** The mode lets in; what is held is handed out. */
  async letIn(mode: Mode, path: string): Promise<RawConnection | RawWebSocket> {
    if (mode === "websocket") return await RawWebSocket.open(this.server.port, path);
    const connection = await RawConnection.open(this.server.port);
    connection.request(path);
    if (mode === "polling") expect((await connection.answer()).status).toBeOneOf([200, 304]);
    else if (mode !== "long-polling") expect((await connection.head()).status).toBe(200);
    return connection;
  }
}

forWorkers("refusals of subscribers (0.7, 4.1)", (workers) => {
  const client = new Client();
  beforeAll(async () => {
    client.server = await startNginx({
      workers,
      http: `
        push_stream_max_channel_id_length 10; push_stream_max_subscribers_per_channel 1;
        push_stream_events_channel_id events; push_stream_wildcard_channel_prefix bd_;
        push_stream_max_number_of_channels 12; push_stream_max_number_of_wildcard_channels 3;`,
      locations: [
        modes("s", "push_stream_wildcard_channel_max_qtd 2;"),
        modes("d"),
        modes("auth", "push_stream_authorized_channels_only on;"),
        modes("ev", "push_stream_allow_connections_to_events_channel on;"),
      ].join("\n"),
    });
    await client.post("known");
  });
  afterAll(async () => {
    expect(client.server.log).not.toMatch(/a request failed|panic|uncaught/i);
    await client.server.stop();
  });

  describe.each(MODES)("%s", (mode) => {
    test.each([
      ["ALL", 403, FORBIDDEN],
      ["known/a*", 403, FORBIDDEN],
      ["xxxxxxxxxxx", 400, TOO_LARGE],
      ["known/xxxxxxxxxxx.b3", 400, TOO_LARGE],
      ["events", 403, NO_EVENTS],
      ["known/events.b1", 403, NO_EVENTS],
      ["bd_1", 403, WILDCARDS],
      ["bd_", 403, WILDCARDS],
      ["bd_1/bd_2", 403, WILDCARDS],
      ["known/bd_1/bd_2/bd_3", 403, WILDCARDS],
      // The first failure wins.
      ["ALL/xxxxxxxxxxx", 403, FORBIDDEN],
      ["xxxxxxxxxxx/ALL", 400, TOO_LARGE],
      ["events/ALL", 403, NO_EVENTS],
      ["bd_1/ALL", 403, FORBIDDEN],
    ] as const)("%s: %p %s", async (channels, status, explain) => {
      await client.refused(mode, `/s-${mode}/${channels}`, status, explain);
    });

    test("nothing is made by a refused request", async () => {
      for (const channels of ["fresh/ALL", "fresh/events", "fresh/bd_1/bd_2/bd_3"])
        await client.refused(
          mode,
          `/s-${mode}/${channels}`,
          403,
          channels.endsWith("L") ? FORBIDDEN : channels.endsWith("s") ? NO_EVENTS : WILDCARDS,
        );
      expect(await client.exists("fresh")).toBeFalse();
    });

    test("authorised only: a stored message is needed, not a channel", async () => {
      await client.refused(mode, `/auth-${mode}/unknown`, 403, NOT_CREATED);
      await client.refused(mode, `/auth-${mode}/known/unknown`, 403, NOT_CREATED);
      await client.refused(mode, `/auth-${mode}/bd_1/unknown`, 403, NOT_CREATED);
      await client.refused(mode, `/auth-${mode}/unknown/ALL`, 403, NOT_CREATED);
      await client.post("empty", "");
      expectJson(await client.on("/pub?id=empty"), channelInfo("empty", 0, 0));
      await client.refused(mode, `/auth-${mode}/empty`, 403, NOT_CREATED);
      expect(await client.exists("unknown")).toBeFalse();
      (await client.letIn(mode, `/auth-${mode}/known.b1`)).close();
      await until("nobody is left", async () => (await client.counts())["subscribers"] === 0);
    });

    test("no channel", async () => {
      if (mode !== "websocket") return await client.refused(mode, `/s-${mode}/`, 400, NO_ID);
      const socket = await RawWebSocket.open(client.server.port, `/s-${mode}/`);
      await socket.connection.untilEnd();
    });

    test("two wildcard channels beside a normal one; three where the default is three", async () => {
      (await client.letIn(mode, `/s-${mode}/known.b1/bd_1/bd_2`)).close();
      await until("nobody is left", async () => (await client.counts())["subscribers"] === 0);
      (await client.letIn(mode, `/d-${mode}/bd_1/known.b1/bd_2/bd_3`)).close();
      await until("nobody is left", async () => (await client.counts())["subscribers"] === 0);
      await client.refused(mode, `/d-${mode}/bd_1/bd_2`, 403, WILDCARDS);
    });

    test("the events channel, where it is allowed", async () => {
      (await client.letIn(mode, `/ev-${mode}/events.b1`)).close();
      await until("nobody is left", async () => (await client.counts())["subscribers"] === 0);
    });

    test("one subscriber a channel, polls refused as well, others not counted", async () => {
      const stream = await client.letIn("streaming", "/s-streaming/one");
      await client.refused(mode, `/s-${mode}/one`, 403, FULL);
      await client.refused(mode, `/s-${mode}/known/one`, 403, FULL);
      await client.refused(mode, `/s-${mode}/one/ALL`, 403, FULL);
      (await client.letIn(mode, `/s-${mode}/known.b1`)).close();
      stream.close();
      await until("it is gone", async () => (await client.counts())["subscribers"] === 0);
      (await client.letIn(mode, `/s-${mode}/one`)).close();
      await until("nobody is left", async () => (await client.counts())["subscribers"] === 0);
      await client.on("/pub?id=one", { method: "DELETE" });
    });
  });

  test("a waiting long poll is a subscriber", async () => {
    const poll = await client.letIn("long-polling", "/s-long-polling/wait");
    await standing(client.server.port, "wait");
    await client.refused("streaming", "/s-streaming/wait", 403, FULL);
    await client.post("wait");
    expect((await (poll as RawConnection).answer()).body.toString()).toBe("hello");
    expectJson(await client.on("/channels-stats?id=wait"), channelInfo("wait", 1, 1));
    poll.close();
  });
});

forWorkers("numbers of channels and messages (3.5, 2.4)", (workers) => {
  const client = new Client();
  beforeAll(async () => {
    client.server = await startNginx({
      workers,
      http: `
        push_stream_max_number_of_channels 3; push_stream_events_channel_id events;
        push_stream_wildcard_channel_prefix bd_; push_stream_max_number_of_wildcard_channels 1;
        push_stream_max_messages_stored_per_channel 4;`,
      locations: modes("s"),
    });
  });
  afterAll(async () => {
    await client.server.stop();
  });

  test("the events channel takes a place; a deleted channel gives its own back at once", async () => {
    await client.post("a");
    // A poll makes nothing, and is refused nothing.
    expect((await client.on("/s-polling/b")).status).toBe(304);
    expect((await client.counts())["channels"]).toBe(2);
    await client.post("b");
    expect((await client.counts())["channels"]).toBe(3);
    expectHeaderOnly(await client.post("c"), { status: 403, explain: TOO_MANY });
    expectHeaderOnly(await client.on("/pub?id=c", { method: "PUT", body: "x" }), {
      status: 403,
      explain: TOO_MANY,
    });
    for (const mode of MAKING) await client.refused(mode, `/s-${mode}/a/c`, 403, TOO_MANY);
    expect((await client.on("/s-polling/a/c")).status).toBe(304);
    // Those that live are not concerned; looking for others makes none.
    expectJson(await client.post("a"), channelInfo("a", 2, 2));
    expectHeaderOnly(await client.on("/pub?id=c"), { status: 404 });
    expectHeaderOnly(await client.on("/pub?id=c", { method: "DELETE" }), { status: 404 });
    // In path order, up to the one that is refused.
    expectHeaderOnly(await client.on("/pub?id=b", { method: "DELETE" }), {
      status: 200,
      explain: "Channel deleted.",
    });
    for (const mode of MAKING) {
      await client.refused(mode, `/s-${mode}/${mode[0]}1/${mode[0]}2`, 403, TOO_MANY);
      expect(await client.exists(`${mode[0]}1`)).toBeTrue();
      await client.on(`/pub?id=${mode[0]}1`, { method: "DELETE" });
    }
    expectJson(await client.post("c"), channelInfo("c", 1, 1));
  });

  test("wildcard channels are counted apart", async () => {
    expectJson(await client.post("bd_"), channelInfo("bd_", 1, 1));
    expectHeaderOnly(await client.post("bd_x"), { status: 403, explain: TOO_MANY });
    for (const mode of MAKING) await client.refused(mode, `/s-${mode}/a/bd_y`, 403, TOO_MANY);
    expect((await client.post("bd")).status).toBe(403);
    const { channels, wildcard_channels } = await client.counts();
    expect([channels, wildcard_channels]).toEqual([3, 1]);
    await client.on("/pub?id=bd_", { method: "DELETE" });
    expectJson(await client.post("bd_x"), channelInfo("bd_x", 1, 1));
  });

  test("more messages than a channel may store: the oldest go at once, ids go on", async () => {
    await client.on("/pub?id=a", { method: "DELETE" });
    for (let i = 1; i <= 10; i++) {
      const answer = await client.post("a", `m${i};`);
      expectJson(answer, channelInfo("a", i, Math.min(i, 4)));
    }
    expect((await client.on("/s-polling/a.b9")).body.toString()).toBe("m7;m8;m9;m10;");
    expect((await client.counts())["messages_in_trash"]).toBeGreaterThanOrEqual(6);
  });
});

test("a wildcard-only request is fine where no limit is set (3.6)", async () => {
  const client = new Client();
  client.server = await startNginx({
    http: "push_stream_wildcard_channel_prefix bd_;",
    locations: modes("s"),
  });
  for (const mode of MODES) (await client.letIn(mode, `/s-${mode}/bd_1/bd_2`)).close();
  await until("nobody is left", async () => (await client.counts())["subscribers"] === 0);
  const { channels, wildcard_channels } = await client.counts();
  expect([channels, wildcard_channels]).toEqual([0, 2]);
  await client.server.stop();
});

test("two servers, one zone", async () => {
  const client = new Client();
  client.server = await startNginx(
    (port, folder) => `
    worker_processes 2; pid ${folder}/nginx.pid; error_log ${folder}/error.log;
    events {}
    http {
      push_stream_shared_memory_size 1m zone_of_two; push_stream_max_number_of_channels 1;
      server { listen 127.0.0.1:${port}; server_name pub;
        location /pub { push_stream_publisher admin; push_stream_channels_path $arg_id;
          push_stream_store_messages on; } }
      server { listen 127.0.0.1:${port}; server_name sub;
        client_max_body_size 1; push_stream_header_template "H;";
        location /channels-stats { push_stream_channels_statistics; push_stream_channels_path $arg_id; }
        location ~ ^/sub/(.*)$ { push_stream_subscriber; push_stream_channels_path $1; } }
    }`,
  );
  const stream = await RawConnection.open(client.server.port);
  stream.request("/sub/x", { headers: { Host: "sub" } });
  await stream.head();
  expect(await stream.chunkedText(2)).toBe("H;");
  const pub = (id: string): Promise<RawAnswer> =>
    client.on(`/pub?id=${id}`, { method: "POST", body: "hello", headers: { Host: "pub" } });
  expectJson(await pub("x"), channelInfo("x", 1, 1, 1));
  expect(await stream.chunkedText(5)).toBe("hello");
  expect((await pub("y")).status).toBe(403);
  expect((await client.on("/channels-stats?id=x", { headers: { Host: "pub" } })).status).toBe(404);
  expectJson(
    await client.on("/channels-stats?id=x", { headers: { Host: "sub" } }),
    channelInfo("x", 1, 1, 1),
  );
  stream.close();
  await client.server.stop();
});

forWorkers("a full zone (12.4, 6.5)", (workers) => {
  const client = new Client();
  beforeAll(async () => {
    client.server = await startNginx({
      workers,
      basics: "push_stream_shared_memory_size 129k; default_type text/html; client_max_body_size 0;",
      locations: modes("s"),
    });
  });
  afterAll(async () => {
    await client.server.stop();
  });

  test("a message larger than the zone: 500 with the page, the end, and nothing else happened", async () => {
    await client.post("before");
    for (const id of ["before", "first/before", "new"]) {
      const connection = await RawConnection.open(client.server.port);
      connection.request(`/pub?id=${id}`, { method: "POST", body: new Uint8Array(300_000) });
      const answer = await connection.answer();
      expectAntiCache(answer);
      expect(answer.statusLine).toBe("HTTP/1.1 500 Internal Server Error");
      expect([answer.fields.get("content-type"), answer.fields.get("connection")]).toEqual([
        "text/html",
        "close",
      ]);
      expect(answer.body.toString()).toContain("<h1>500 Internal Server Error</h1>");
      expect((await connection.untilEnd()).length).toBe(0);
    }
    expectJson(await client.post("before"), channelInfo("before", 2, 2));
    expectJson(await client.on("/pub?id=new"), channelInfo("new", 0, 0));
  });

  test("a deletion text larger than the zone: 500 without a body; the channel stays", async () => {
    await client.post("stays");
    const answer = await client.on("/pub?id=stays", { method: "DELETE", body: new Uint8Array(300_000) });
    expectHeaderOnly(answer, { status: 500 });
    expectJson(await client.on("/pub?id=stays"), channelInfo("stays", 1, 1));
    expect((await client.on("/pub?id=stays", { method: "DELETE" })).status).toBe(200);
  });

  test("twice what fits is taken, the newest are there", async () => {
    for (let i = 1; i <= 60; i++) {
      const answer = await client.post("fill", `${i};`.padEnd(4000, "x"));
      expect([i, answer.status]).toEqual([i, 200]);
    }
    const last = await client.on("/s-polling/fill.b1");
    expect(last.body.toString()).toStartWith("60;x");
    const stored = Number(
      /"stored_messages": (\d+)/.exec((await client.on("/pub?id=fill")).body.toString())?.[1],
    );
    expect(stored).toBeGreaterThan(20);
    expect(stored).toBeLessThan(60);
  });

  test("more channels than have room: 503 without a body, to be tried again; a poll needs none", async () => {
    let answer = await client.post("c0");
    for (let i = 1; i < 2000 && answer.status !== 503; i++) answer = await client.post(`c${i}`);
    const explain = "No room for another channel.";
    expectHeaderOnly(answer, { status: 503, explain });
    for (const mode of MAKING) await client.refused(mode, `/s-${mode}/none`, 503, explain);
    expect((await client.on("/s-polling/none")).status).toBe(304);
    expect((await client.on("/pub?id=c0", { method: "GET" })).status).toBe(200);
    expect((await client.post("c1")).status).toBe(200);
  });
});
