/**
 * Anybody may ask for channels that nobody publishes to, on the compiled binary and both listeners. Past
 * hole: 327 polls of 100 names each took every channel record, and for half a minute no publisher could open
 * a new channel.
 */
import { afterEach, describe, expect, test } from "bun:test";
import { ask, RawConnection } from "./raw-client.ts";
import { RawWebSocket } from "./raw-web-socket.ts";
import { layout, type RunningServer, startServer, until } from "./running-server.ts";

const POLLS = 400;
const NAMES = 100;

/** Of one request: names that nobody else asks for. */
const names = (request: number, count = NAMES): string =>
  Array.from({ length: count }, (_, i) => `r${request}n${i}`).join("/");

describe.each([
  ["native listener", 'header_template = "h"'],
  ["wire listener", ""],
])("a crowd that asks for channels, %s", (_, sub) => {
  let server: RunningServer;
  afterEach(async () => {
    await server.stop();
  });

  const serve = async (top: string, workers = 2): Promise<void> => {
    server = await startServer({ toml: layout(top, { sub }), workers });
  };

  test("400 polls of 100 names each make nothing; a publisher opens a new channel right after", async () => {
    await serve("");
    const records = await server.metric("sluice_channel_records ");
    expect(records).toBeLessThan(POLLS * NAMES);
    for (let poll = 0; poll < POLLS; poll++)
      expect((await server.request(`/poll/${names(poll)}`)).status).toBe(304);
    expect(await server.metric("sluice_channel_records_used ")).toBe(0);
    expect((await server.publish("new", "x")).status).toBe(200);
    // What is said of a channel that is not there is said of no other.
    const nothing = await server.request("/poll/nobody.b1");
    expect([nothing.status, nothing.headers.get("sluice-gap")]).toEqual([304, null]);
    const position = { "If-Modified-Since": new Date(1000).toUTCString(), "If-None-Match": "W/1" };
    const asked = await server.request("/poll/nobody/new", { headers: position });
    expect([asked.text, asked.headers.get("sluice-gap")]).toEqual(["x", null]);
    // A poll sees what is there beside what is not, in its place.
    expect((await server.request("/poll/nobody/new.b1/nobody-else")).text).toContain("x");
  }, 30_000);

  test("subscribers who left their channels behind make room for new ones", async () => {
    await serve("[store]\nchannels = 250");
    const { status } = await server.publish("kept", "x");
    expect(status).toBe(200);
    const held: RawConnection[] = [];
    const heads = [];
    // One after the other: two workers that make channels at once may both find no room for the last.
    for (let request = 0; request < 3; request++) {
      const connection = await RawConnection.open(server.port);
      connection.request(`/ev/${names(request)}`);
      held.push(connection);
      heads.push(await connection.head());
    }
    // Two of them hold 200 channels, for the third there is no room while they do.
    expect(heads.map(({ status }) => status)).toEqual([200, 200, 503]);
    expect(heads[2]?.fields.get("retry-after")).toBe("1");
    for (const connection of held) connection.close();
    await until("nobody is left", async () => (await server.summary()).subscribers === 0);
    await until("a request for 100 new channels is served", async () => {
      const connection = await RawConnection.open(server.port);
      connection.request(`/ev/${names(4)}`);
      const { status } = await connection.head();
      connection.close();
      return status === 200;
    });
    expect((await server.publish("new", "x")).status).toBe(200);
    expect(await server.metric("sluice_reclaimed_channels_total ")).toBeGreaterThan(0);
    expect((await server.statistics("kept")).stored_messages).toBe(1);
  }, 30_000);

  test("one address may create so many: then 403 with Retry-After, also in a close frame", async () => {
    await serve("[limits]\nmax_channels_created_per_address = 5", 1);
    const refused = {
      status: 403,
      explain: "Too many channels were created from this address.",
      later: "60",
    };
    const told = async (path: string, init = {}) => {
      const { status, fields } = await ask(server.port, path, init);
      return {
        status,
        explain: fields.get("x-nginx-pushstream-explain"),
        later: fields.get("retry-after"),
      };
    };
    const post = { method: "POST", body: "x" };
    for (let i = 0; i < 5; i++) expect((await server.publish(`c${i}`, "x")).status).toBe(200);
    expect(await told("/pub?id=c5", post)).toEqual(refused);
    for (const path of ["/sub/c6", "/ev/c0/c7", "/lp/c8"]) expect(await told(path)).toEqual(refused);
    const socket = await RawWebSocket.open(server.port, "/ws/c9");
    expect((await socket.frame()).payload.toString("latin1")).toContain(
      `"http_status": 403, "explain":"${refused.explain}"`,
    );
    socket.close();
    expect((await server.request("/poll/c9")).status).toBe(304);
    expect((await server.publish("c0/c4", "x")).status).toBe(200);
    expect((await server.request("/lp/c0.b1")).text).toContain("x");
    expect(await server.metric("sluice_channel_records_used ")).toBe(5);
  });
});
