/**
 * DELETE on an admin location: push-stream spec 2.7, and the deletion rows of 2.3, 4.12 and A.2, on every
 * transport.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { channelInfo, expectAntiCache, expectHeaderOnly, expectJson } from "../binary/answer-checks.ts";
import { ask, RawConnection, standing } from "../binary/raw-client.ts";
import { RawWebSocket } from "../binary/raw-web-socket.ts";
import { layout, type RunningServer, startServer, until } from "../binary/running-server.ts";

const TEMPLATE = 'message_template = "~id~|~channel~|~text~|~time~|~tag~|~event-id~|~event-type~;"';
const AROUND = 'header_template = "HEADER;"\nfooter_template = "FOOTER"';
const config = layout("", {
  sub: `${TEMPLATE}\n${AROUND}`,
  ev: `footer_template = "FOOTER"`,
  lp: `${TEMPLATE}\n${AROUND}`,
  ws: `${TEMPLATE}\n${AROUND}\nwebsocket_allow_publish = true\nstore_messages = true`,
});

let server: RunningServer;
let channels = 0;
const fresh = (): string => `d${++channels}`;
const remove = (id: string, body?: string) =>
  ask(server.port, `/pub?id=${id}`, { method: "DELETE", ...(body === undefined ? {} : { body }) });
const publish = (id: string, body: string) => ask(server.port, `/pub?id=${id}`, { method: "POST", body });
const DELETED = { status: 200, explain: "Channel deleted." };
const rendered = (channel: string, text = "Channel deleted"): string =>
  `-2|${channel}|${text}|Thu, 01 Jan 1970 00:00:00 GMT|0||;`;

beforeAll(async () => {
  server = await startServer({ toml: config });
});
afterAll(async () => {
  await server.stop();
});

const stands = (channel: string, count = 1): Promise<void> => standing(server.port, channel, count);

async function open(path: string): Promise<RawConnection> {
  const connection = await RawConnection.open(server.port);
  connection.request(path);
  return connection;
}

describe("answers", () => {
  test("one that exists, then not any more", async () => {
    const channel = fresh();
    await publish(channel, "x");
    const first = await remove(channel);
    expectHeaderOnly(first, DELETED);
    expectAntiCache(first);
    const second = await remove(channel);
    expectHeaderOnly(second, { status: 404 });
    expectAntiCache(second);
    expectHeaderOnly(await ask(server.port, `/pub?id=${channel}`), { status: 404 });
  });

  test("several: missing ones are skipped", async () => {
    const [first, missing, last] = [fresh(), fresh(), fresh()];
    await publish(`${first}/${last}`, "x");
    expectHeaderOnly(await remove(`${first}/${missing}/${last}`), DELETED);
    for (const channel of [first, last])
      expect((await ask(server.port, `/pub?id=${channel}`)).status).toBe(404);
    expectHeaderOnly(await remove(`${first}/${missing}`), { status: 404 });
  });

  test("a forbidden id beside it: nothing is deleted", async () => {
    const channel = fresh();
    await publish(channel, "x");
    expect((await remove(`${channel}/ALL`)).status).toBe(403);
    expectJson(await ask(server.port, `/pub?id=${channel}`), channelInfo(channel, 1, 1));
  });

  test("a channel of the same name starts again at id 1, with nothing stored", async () => {
    const channel = fresh();
    await publish(channel, "old");
    await remove(channel);
    expectJson(await publish(channel, "new"), channelInfo(channel, 1, 1));
    expect((await ask(server.port, `/poll/${channel}.b9`)).body.toString()).toBe("new");
  });

  test("the summary counts it as in delete, then as in trash", async () => {
    const channel = fresh();
    await publish(channel, "x");
    const summary = async (): Promise<Record<string, number>> =>
      JSON.parse((await ask(server.port, "/channels-stats")).body.toString());
    const before = await summary();
    await remove(channel);
    const after = await summary();
    expect(after["channels"]).toBe((before["channels"] ?? 0) - 1);
    expect((after["channels_in_delete"] ?? 0) + (after["channels_in_trash"] ?? 0)).toBeGreaterThanOrEqual(1);
    expect(after["channels_in_delete"]).toBeGreaterThanOrEqual(1);
    await until("in trash", async () => (await summary())["channels_in_trash"] !== 0);
  });
});

describe.each([
  ["the configured text", undefined, "Channel deleted"],
  ["the body of the DELETE", "~text~ gone\n\0", "~text~ gone\n\0"],
])("%s", (_name, body, text) => {
  test("streaming: message, footer, end", async () => {
    const channel = fresh();
    const stream = await open(`/sub/${channel}`);
    await stream.head();
    expect(await stream.chunkedText(7)).toBe("HEADER;");
    expectHeaderOnly(await remove(channel, body), DELETED);
    expect((await stream.restOfChunks()).toString()).toBe(`${rendered(channel, text)}FOOTER`);
    stream.close();
  });

  test("WebSocket: message frame, footer frame, 88 00", async () => {
    const channel = fresh();
    const socket = await RawWebSocket.open(server.port, `/ws/${channel}`);
    expect(await socket.text()).toBe("HEADER;");
    await remove(channel, body);
    expect(await socket.text()).toBe(rendered(channel, text));
    expect(await socket.text()).toBe("FOOTER");
    expect((await socket.frame()).bytes).toEqual(Buffer.from([0x88, 0x00]));
    expect((await socket.connection.untilEnd()).length).toBe(0);
  });

  test("a waiting long poll: 200 with it, Etag of tag 0, and the connection serves on", async () => {
    const channel = fresh();
    const connection = await open(`/lp/${channel}`);
    await stands(channel);
    await remove(channel, body);
    const answer = await connection.answer();
    expect(answer.status).toBe(200);
    expectAntiCache(answer);
    expect(answer.body.toString()).toBe(`HEADER;${rendered(channel, text)}FOOTER`);
    expect(answer.fields.get("etag")).toBe('W/"0"');
    const agoMs = Date.now() - Date.parse(answer.fields.get("last-modified") ?? "");
    expect(Math.abs(agoMs)).toBeLessThan(60_000);
    connection.request(`/pub?id=${channel}`);
    expect((await connection.answer()).status).toBe(404);
    connection.close();
  });
});

test("eventsource: an ordinary event without id, footer comment, end (A.2)", async () => {
  const channel = fresh();
  const stream = await open(`/ev/${channel}`);
  await stream.head();
  expect(await stream.chunkedText(3)).toBe(": \n");
  await remove(channel);
  expect((await stream.restOfChunks()).toString()).toBe("data: Channel deleted\n\n: FOOTER\n");
  stream.close();
});

test("everyone in it hears it, on both workers, and the counts drop", async () => {
  const channel = fresh();
  const streams = await Promise.all(Array.from({ length: 12 }, () => open(`/sub/${channel}`)));
  await stands(channel, 12);
  const before = (await server.summary()).subscribers;
  await remove(channel);
  for (const stream of streams) {
    await stream.head();
    expect((await stream.restOfChunks()).toString()).toBe(`HEADER;${rendered(channel)}FOOTER`);
    stream.close();
  }
  expect((await server.summary()).subscribers).toBe(before - 12);
});

test("a long poll on 20 channels is answered when the 10th is deleted, and stands nowhere", async () => {
  const names = Array.from({ length: 20 }, fresh);
  const connection = await open(`/lp/${names.join("/")}`);
  for (const name of names) await stands(name);
  const tenth = names[9] ?? "";
  await remove(tenth);
  expect((await connection.answer()).body.toString()).toBe(`HEADER;${rendered(tenth)}FOOTER`);
  for (const name of names.filter((other) => other !== tenth)) await stands(name, 0);
  connection.close();
});

test("a connection on several channels goes on in the others and ends with the last", async () => {
  const [first, second, third] = [fresh(), fresh(), fresh()];
  const path = `${first}/${second}/${third}`;
  const stream = await open(`/sub/${path}`);
  await stream.head();
  const events = await open(`/ev/${path}`);
  await events.head();
  const socket = await RawWebSocket.open(server.port, `/ws/${path}`);
  expect(await socket.text()).toBe("HEADER;");
  await stands(third, 3);

  await remove(second);
  expect(await socket.text()).toBe(rendered(second));
  await stands(first, 3);
  await publish(first, "one");
  expect(await socket.text()).toStartWith(`1|${first}|one|`);
  // Made anew by a publish: those who stood in the deleted one are not in it.
  await publish(second, "not for them");
  await publish(third, "three");
  expect(await socket.text()).toStartWith(`1|${third}|three|`);
  await remove(`${first}/${third}`);
  expect([await socket.text(), await socket.text()].sort()).toEqual(
    [rendered(first), rendered(third)].sort(),
  );
  expect(await socket.text()).toBe("FOOTER");
  expect((await socket.frame()).bytes).toEqual(Buffer.from([0x88, 0x00]));

  const text = (await stream.restOfChunks()).toString();
  const parts = text.replace(/\|\w{3}, [^|]*\|\d+\|\|;/g, ";").split(";");
  expect(parts.slice(0, 4)).toEqual([
    "HEADER",
    `-2|${second}|Channel deleted`,
    `1|${first}|one`,
    `1|${third}|three`,
  ]);
  expect(parts.slice(4, 6).sort()).toEqual(
    [`-2|${first}|Channel deleted`, `-2|${third}|Channel deleted`].sort(),
  );
  expect(parts.slice(6)).toEqual(["FOOTER"]);
  const gone = "data: Channel deleted\n\n";
  expect((await events.restOfChunks()).toString()).toBe(
    `: \n${gone}data: one\n\ndata: three\n\n${gone}${gone}: FOOTER\n`,
  );
  for (const connection of [stream, events]) connection.close();
});

test("a WebSocket does not publish to a channel it lost by deletion", async () => {
  const [lost, kept] = [fresh(), fresh()];
  const socket = await RawWebSocket.open(server.port, `/ws/${lost}/${kept}`);
  expect(await socket.text()).toBe("HEADER;");
  await remove(lost);
  expect(await socket.text()).toBe(rendered(lost));
  socket.sendFrame(1, "hello");
  expect(await socket.text()).toStartWith(`1|${kept}|hello|`);
  expect((await ask(server.port, `/pub?id=${lost}`)).status).toBe(404);
  socket.close();
});
