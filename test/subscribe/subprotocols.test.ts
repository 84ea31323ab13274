/** The frames of sluice.json.v1 and sluice.msgpack.v1, byte for byte: hello, message, gap, ping, deleted. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { unpack } from "msgpackr/unpack";
import { ask, standing } from "../binary/raw-client.ts";
import { Opcode, RawWebSocket } from "../binary/raw-web-socket.ts";
import { layout, type RunningServer, startServer, until } from "../binary/running-server.ts";

const config =
  layout('[store]\nmax_messages_stored_per_channel = 4\nunstored_message_ttl = "1s"', {
    ws:
      'last_event_id = "$arg_eventid"\nheader_template = "HEADER"\nfooter_template = "FOOTER"\n' +
      'message_template = "never"',
  }) +
  `
[[location]]
match = "~ ^/pinged/(.*)$"
subscriber = "websocket"
channels_path = "$1"
ping_message_interval = "100ms"
subscriber_connection_ttl = "1s"
footer_template = "FOOTER"
`;

let server: RunningServer;
let channels = 0;
const fresh = (): string => `j${++channels}`;

beforeAll(async () => {
  server = await startServer({ toml: config });
});
afterAll(async () => {
  await server.stop();
});

const open = (path: string, protocol: string): Promise<RawWebSocket> =>
  RawWebSocket.open(server.port, path, { "Sec-WebSocket-Protocol": protocol });

/** One frame as the map it carries, whichever of the two protocols it speaks. */
async function map(socket: RawWebSocket): Promise<Record<string, unknown>> {
  const { opcode, payload } = await socket.frame();
  if (opcode === Opcode.TEXT) return JSON.parse(payload.toString());
  expect(opcode).toBe(Opcode.BINARY);
  return unpack(payload);
}

/** `<life>-<n>,<n>…`, one number a channel, and a way to count on from it. */
async function hello(socket: RawWebSocket, ...names: string[]): Promise<(...more: number[]) => string> {
  const frame = await map(socket);
  expect(Object.keys(frame)).toEqual(["kind", "channels", "position"]);
  expect([frame["kind"], frame["channels"]]).toEqual(["hello", names]);
  const position = String(frame["position"]);
  expect(position).toMatch(new RegExp(`^[0-9a-z]+-\\d+(,\\d+){${names.length - 1}}$`));
  const [life = "", numbers = ""] = position.split("-");
  return (...more) => `${life}-${numbers.split(",").map((at, i) => Number(at) + (more[i] ?? 0))}`;
}

describe.each(["sluice.json.v1", "sluice.msgpack.v1"])("%s", (protocol) => {
  const isJson = protocol === "sluice.json.v1";
  const data = (text: string): unknown => (isJson ? text : Buffer.from(text));

  test("hello, messages with and without event id and type, deleted; no template", async () => {
    const channel = fresh();
    await server.publish(channel, "old");
    const socket = await open(`/ws/${channel}.b1`, protocol);
    const position = await hello(socket, channel);
    const old = await map(socket);
    expect(old).toEqual({
      kind: "message",
      channel,
      id: 1,
      position: position(1),
      time: old["time"],
      tag: old["tag"],
      data: data("old"),
    });
    expect(Math.abs(Number(old["time"]) - Date.now() / 1000)).toBeLessThan(60);
    expect(Number(old["tag"])).toBeGreaterThan(0);
    await server.publish(channel, 'é "quoted"\\\n', { "Event-Id": "", "Event-Type": "t" });
    const live = await map(socket);
    expect(live).toEqual({
      kind: "message",
      channel,
      id: 2,
      position: position(2),
      time: live["time"],
      tag: live["tag"],
      event_id: "",
      event_type: "t",
      data: data('é "quoted"\\\n'),
    });
    await ask(server.port, `/pub?id=${channel}`, { method: "DELETE", body: "over" });
    expect(await map(socket)).toEqual({ kind: "deleted", channel, data: data("over") });
    expect((await socket.connection.untilEnd()).toString("hex")).toBe("8800");
  });

  test("several channels: the position of each frame resumes the whole connection", async () => {
    const [first, second] = [fresh(), fresh()];
    await server.publish(second, "before");
    const socket = await open(`/ws/${first}/${second}`, protocol);
    const position = await hello(socket, first, second);
    await server.publish(second, "x");
    expect(await map(socket)).toMatchObject({ channel: second, id: 2, position: position(0, 1) });
    await server.publish(first, "y");
    expect(await map(socket)).toMatchObject({ channel: first, id: 1, position: position(1, 1) });
    socket.close();
    for (const [channel, data] of [
      [first, "y2"],
      [first, "y3"],
      [second, "x2"],
    ] as const)
      await server.publish(channel, data);
    // Back with the position of one message of one channel: nothing of the other is lost, nothing comes
    // twice.
    const back = await open(`/ws/${first}/${second}?eventid=${position(1, 1)}`, protocol);
    await hello(back, first, second);
    const ids = [await map(back), await map(back), await map(back)].map(
      ({ channel, id }) => `${channel} ${id}`,
    );
    expect(ids.toSorted()).toEqual([`${first} 2`, `${first} 3`, `${second} 3`].toSorted());
    back.close();
    // In another order it is no position of these channels: all that is stored, and a gap on each.
    const turned = await open(`/ws/${second}/${first}?eventid=${position(1, 1)}`, protocol);
    await hello(turned, second, first);
    const gaps = [await map(turned), await map(turned)].map(({ kind, channel, missed }) => [
      kind,
      channel,
      missed,
    ]);
    expect(gaps).toEqual([
      ["gap", second, null],
      ["gap", first, null],
    ]);
    turned.close();
  });

  test("bytes that are no UTF-8", async () => {
    const channel = fresh();
    const bytes = Buffer.from([0, 0xff, 0x80, 0x61]);
    await server.publish(channel, bytes);
    const socket = await open(`/ws/${channel}.b1`, protocol);
    await hello(socket, channel);
    const frame = await map(socket);
    if (isJson) {
      expect(frame["data_base64"]).toBe(bytes.toString("base64"));
      expect("data" in frame).toBeFalse();
    } else expect(Buffer.from(frame["data"] as Uint8Array).equals(bytes)).toBeTrue();
    socket.close();
  });

  test("coming back: what was missed; too late: a gap with its number and position", async () => {
    const channel = fresh();
    const socket = await open(`/ws/${channel}`, protocol);
    const position = await hello(socket, channel);
    socket.close();
    for (let count = 1; count <= 10; count++) await server.publish(channel, `m${count}`);
    const near = await open(`/ws/${channel}?eventid=${position(8)}`, protocol);
    expect((await hello(near, channel))(0)).toBe(position(8));
    expect(await map(near)).toMatchObject({ id: 9, data: data("m9") });
    near.close();
    let gap: Record<string, unknown> = {};
    // Four are stored; the others rest for a moment longer.
    await until("the others are gone", async () => {
      const far = await open(`/ws/${channel}?eventid=${position(1)}`, protocol);
      await hello(far, channel);
      gap = await map(far);
      if (gap["missed"] === 5) expect(await map(far)).toMatchObject({ id: 7, data: data("m7") });
      far.close();
      return gap["missed"] === 5;
    });
    expect(gap).toEqual({ kind: "gap", channel, missed: 5, position: position(6) });
    const foreign = await open(`/ws/${channel}?eventid=zzzz-1`, protocol);
    await hello(foreign, channel);
    expect(await map(foreign)).toEqual({ kind: "gap", channel, missed: null, position: position(0) });
    expect(await map(foreign)).toMatchObject({ id: 7 });
    foreign.close();
  });

  test("a ping is a ping frame and a map; the end of life is 1001, without the footer", async () => {
    const channel = fresh();
    const socket = await open(`/pinged/${channel}`, protocol);
    await hello(socket, channel);
    expect((await socket.frame()).bytes.toString("hex")).toBe("8900");
    expect(await map(socket)).toEqual({ kind: "ping" });
    const rest = (await socket.connection.untilEnd()).toString("latin1");
    expect(rest).toEndWith("\x88\x02\x03\xe9");
    expect(rest).not.toContain("FOOTER");
  });

  test("the kind of frame: text for JSON, binary for msgpack", async () => {
    const channel = fresh();
    const socket = await open(`/ws/${channel}`, protocol);
    await standing(server.port, channel);
    await server.publish(channel, "x");
    for (let count = 0; count < 2; count++)
      expect((await socket.frame()).opcode).toBe(isJson ? Opcode.TEXT : Opcode.BINARY);
    socket.close();
  });
});

test("JSON frames, byte for byte", async () => {
  const channel = fresh();
  const socket = await open(`/ws/${channel}`, "sluice.json.v1");
  const first = await socket.text();
  expect(first).toMatch(
    new RegExp(`^\\{"kind":"hello","channels":\\["${channel}"\\],"position":"[0-9a-z]+-\\d+"\\}$`),
  );
  await server.publish(channel, "x", { "Event-Id": "i", "Event-Type": "t" });
  expect(await socket.text()).toMatch(
    new RegExp(
      `^\\{"kind":"message","channel":"${channel}","id":1,"position":"[0-9a-z]+-\\d+","time":\\d+,` +
        `"tag":\\d+,"event_id":"i","event_type":"t","data":"x"\\}$`,
    ),
  );
  await ask(server.port, `/pub?id=${channel}`, { method: "DELETE" });
  expect(await socket.text()).toBe(`{"kind":"deleted","channel":"${channel}","data":"Channel deleted"}`);
  socket.close();
});
