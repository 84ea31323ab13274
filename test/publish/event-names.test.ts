/**
 * Event-Id and Event-Type of a publish (push-stream spec 2.4), as an event stream and a template show them.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { RawConnection } from "../binary/raw-client.ts";
import { layout, type RunningServer, startServer } from "../binary/running-server.ts";

let server: RunningServer;
let channels = 0;

beforeAll(async () => {
  server = await startServer({
    toml: layout("", { poll: 'message_template = "<~event-id~|~event-type~>"' }),
  });
});
afterAll(async () => {
  await server.stop();
});

const HEADER = ": \n";
const cases: readonly (readonly [string, string, string, string])[] = [
  // what, header lines of the publish, fields of the event, rendered template
  ["none", "", "", "<|>"],
  [
    "an id",
    "Event-Id: event_id_with_generic_text_01\r\n",
    "id: event_id_with_generic_text_01\n",
    "<event_id_with_generic_text_01|>",
  ],
  ["a type", "Event-Type: news\r\n", "event: news\n", "<|news>"],
  ["both", "Event-Type: t\r\nEvent-Id: i\r\n", "id: i\nevent: t\n", "<i|t>"],
  ["any case", "eVENT-iD: i\r\nEVENT-TYPE: t\r\n", "id: i\nevent: t\n", "<i|t>"],
  [
    "names that only look alike",
    "Event-Ids: i\r\nEvent-I: i\r\nXEvent-Id: i\r\nEvent-Types: t\r\n",
    "",
    "<|>",
  ],
  ["empty ones", "Event-Id:\r\nEvent-Type: \r\n", "id: \nevent: \n", "<|>"],
  ["UTF-8", "Event-Id: \xc3\xa9\xe2\x82\xac\r\n", "id: \xc3\xa9\xe2\x82\xac\n", "<\xc3\xa9\xe2\x82\xac|>"],
  ["bytes that are no UTF-8", "Event-Id: a\xff\xfeb\r\n", "id: a\xff\xfeb\n", "<a\xff\xfeb|>"],
  [
    "templates in them",
    "Event-Id: ~text~\r\nEvent-Type: ~id~\r\n",
    "id: ~text~\nevent: ~id~\n",
    "<~text~|~id~>",
  ],
  ["blanks around and inside", "Event-Id:   a  b \t\r\n", "id: a  b\n", "<a  b|>"],
];

test.each(cases)("%s", async (_name, lines, fields, rendered) => {
  const channel = `e${++channels}`;
  const connection = await RawConnection.open(server.port);
  connection.send(`POST /pub?id=${channel} HTTP/1.1\r\nHost: x\r\n${lines}Content-Length: 5\r\n\r\nhello`);
  expect((await connection.answer()).status).toBe(200);
  connection.request(`/poll/${channel}.b1`);
  expect((await connection.answer()).body.toString("latin1")).toBe(rendered);
  connection.request(`/ev/${channel}.b1`);
  await connection.head();
  const event = `${HEADER}${fields}data: hello\n\n`;
  expect(await connection.chunkedText(event.length)).toBe(event);
  connection.close();
});

test("a line break cannot be smuggled in: the request is refused or the field ends there", async () => {
  const channel = `e${++channels}`;
  const connection = await RawConnection.open(server.port);
  connection.send(
    `POST /pub?id=${channel} HTTP/1.1\r\nHost: x\r\nEvent-Id: a\rb\r\nContent-Length: 5\r\n\r\nhello`,
  );
  const { status } = await connection.head();
  if (status === 200) {
    const reader = await RawConnection.open(server.port);
    reader.request(`/ev/${channel}.b1`);
    await reader.head();
    expect(await reader.chunkedText(12)).toBe(`${HEADER}id: ab\nda`);
    reader.close();
  } else expect(status).toBe(400);
  connection.close();
});

test("an id given twice: the first counts (2.4)", async () => {
  const connection = await RawConnection.open(server.port);
  connection.send(
    "POST /pub?id=two HTTP/1.1\r\nHost: x\r\nEvent-Id: a\r\nevent-id: b\r\nContent-Length: 1\r\n\r\nx",
  );
  expect((await connection.answer()).status).toBe(200);
  connection.request("/poll/two.b1");
  expect((await connection.answer()).body.toString()).toBe("<a|>");
  connection.close();
});

test.each([
  [65_534, 200],
  [65_535, 400],
  [66_000, 400],
  [90_000, 431],
])("an id of %p bytes: %p, the server goes on", async (length, status) => {
  const connection = await RawConnection.open(server.port);
  connection.send(
    `POST /pub?id=e HTTP/1.1\r\nHost: x\r\nEvent-Id: ${"x".repeat(length)}\r\nContent-Length: 5\r\n\r\nhello`,
  );
  expect((await connection.head()).status).toBe(status);
  connection.close();
  expect((await server.publish("e", "x")).status).toBe(200);
});
