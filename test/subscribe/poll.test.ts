/** Polling and long polling in detail: push-stream spec 4.12, A.2, and the position sequence of 4.18. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { expectAntiCache } from "../binary/answer-checks.ts";
import { ask, type RawAnswer, RawConnection, standing } from "../binary/raw-client.ts";
import { layout, type RunningServer, startServer } from "../binary/running-server.ts";

const config =
  layout("", {
    lp: 'header_template = "<"\nfooter_template = ">"\nmessage_template = "~text~;"',
    poll: 'header_template = "<"\nfooter_template = ">"\nmessage_template = "~text~;"',
  }) +
  ('\n[[location]]\nmatch = "~ ^/marks/(.*)$"\nsubscriber = "polling"\nchannels_path = "$1"\n' +
    'message_template = "~time~ ~tag~\\n"\n') +
  ["token polling", "ids eventsource"]
    .map((words) => words.split(" "))
    .map(
      ([path, subscriber]) =>
        `[[location]]\nmatch = "~ ^/${path}/(.*)$"\nsubscriber = "${subscriber}"\nchannels_path = "$1"\n` +
        'event_ids = "auto"\nlast_event_id = "$http_last_event_id"\n',
    )
    .join("") +
  '\n[[location]]\nmatch = "= /live"\npublisher = "normal"\nchannels_path = "$arg_id"\n';

let server: RunningServer;
let channels = 0;
const fresh = (): string => `p${++channels}`;

beforeAll(async () => {
  server = await startServer({ toml: config });
});
afterAll(async () => {
  await server.stop();
});

/** Time and tag of every stored message. */
async function marksOf(channel: string): Promise<{ time: string; tag: string }[]> {
  const { body } = await ask(server.port, `/marks/${channel}.b99`);
  const lines = body.toString().trim().split("\n");
  return lines.map((line) => ({ time: line.slice(0, 29), tag: line.slice(30) }));
}

const at = (time: string, tag: string): Record<string, string> => ({
  "If-Modified-Since": time,
  "If-None-Match": tag,
});
const markOf = ({ fields }: RawAnswer) => ({ time: fields.get("last-modified"), etag: fields.get("etag") });

describe("a poll that has nothing (4)", () => {
  const TIME = "Tue, 10 Nov 2009 23:50:13 GMT";
  const cases: readonly (readonly [
    string,
    Record<string, string>,
    string | undefined,
    string | undefined,
  ])[] = [
    ["no position", {}, undefined, undefined],
    ["time and tag are echoed", at(TIME, 'W/"3"'), TIME, 'W/"3"'],
    ["the module's tag too", at(TIME, "W/3"), TIME, 'W/"3"'],
    ["a bare tag too", { "If-None-Match": "7" }, undefined, 'W/"7"'],
    ["tag 0", { "If-None-Match": 'W/"0"' }, undefined, 'W/"0"'],
    ["a time to come is not", at("Tue, 10 Nov 2109 23:50:13 GMT", 'W/"3"'), undefined, 'W/"3"'],
    ["time alone", { "If-Modified-Since": TIME }, TIME, undefined],
    ["a tag in quotes is none", { "If-None-Match": '"3"' }, undefined, undefined],
    ["a star is none, and no 304 of its own", { "If-None-Match": "*" }, undefined, undefined],
  ];
  test.each(cases)("%s", async (_name, headers, time, etag) => {
    const answer = await ask(server.port, `/poll/${fresh()}`, { headers });
    expect(answer.statusLine).toBe("HTTP/1.1 304 Not Modified");
    expectAntiCache(answer);
    expect(markOf(answer)).toEqual({ time, etag });
    expect(answer.fields.get("content-length")).toBe("0");
    expect(answer.fields.get("content-type")).toBe("text/plain; charset=utf-8");
  });
});

describe.each(["/poll", "/lp"])("%s answered at once (5)", (path) => {
  test("header, messages, footer; position of the last; the same again for a backtrack (7)", async () => {
    const channel = fresh();
    for (const text of ["1", "2", "3"]) await server.publish(channel, text);
    const [, , last] = await marksOf(channel);
    const connection = await RawConnection.open(server.port);
    for (let again = 0; again < 3; again++) {
      connection.request(`${path}/${channel}.b2`, { headers: at(last?.time ?? "", last?.tag ?? "") });
      const answer = await connection.answer();
      expect(answer.statusLine).toBe("HTTP/1.1 200 OK");
      expectAntiCache(answer);
      expect(answer.body.toString()).toBe("<2;3;>");
      expect(markOf(answer)).toEqual({ time: last?.time, etag: `W/"${last?.tag}"` });
    }
    connection.close();
  });

  test("several channels: in path order, with the newest position of those that had some", async () => {
    const [first, second, none] = [fresh(), fresh(), fresh()];
    for (const id of [second, first, second]) await server.publish(id, id);
    const [newest] = (await marksOf(second)).slice(-1);
    const answer = await ask(server.port, `${path}/${first}.b9/${none}.b9/${second}.b9`);
    expect(answer.body.toString()).toBe(`<${first};${second};${second};>`);
    expect(markOf(answer)).toEqual({ time: newest?.time, etag: `W/"${newest?.tag}"` });
  });

  test("If-None-Match that equals the Etag is a position, not a condition (10)", async () => {
    const channel = fresh();
    await server.publish(channel, "x");
    const [mark] = await marksOf(channel);
    const answer = await ask(server.port, `${path}/${channel}.b1`, {
      headers: { "If-None-Match": `W/${mark?.tag}` },
    });
    expect(answer.status).toBe(200);
    expect(answer.body.toString()).toBe("<x;>");
  });
});

describe("a waiting long poll (6)", () => {
  test("the first live message answers it, exactly that one", async () => {
    const channel = fresh();
    await server.publish(channel, "stored before");
    const poll = await RawConnection.open(server.port);
    poll.request(`/lp/${channel}`);
    await standing(server.port, channel);
    await server.publish(channel, "hello");
    const answer = await poll.answer();
    const [, mark] = await marksOf(channel);
    expect(answer.statusLine).toBe("HTTP/1.1 200 OK");
    expectAntiCache(answer);
    expect(answer.body.toString()).toBe("<hello;>");
    expect(markOf(answer)).toEqual({ time: mark?.time, etag: `W/"${mark?.tag}"` });
    expect((await server.statistics(channel)).subscribers).toBe(0);
    poll.close();
  });

  test("several published at once: one answers, the position leads to the others in order", async () => {
    const channel = fresh();
    const poll = await RawConnection.open(server.port);
    poll.request(`/lp/${channel}`);
    await standing(server.port, channel);
    const publisher = await RawConnection.open(server.port);
    for (const text of ["1", "2", "3"])
      publisher.request(`/pub?id=${channel}`, { method: "POST", body: text });
    let headers: Record<string, string> = {};
    const got: string[] = [];
    while (got.length < 3) {
      const answer = await poll.answer();
      got.push(...answer.body.toString().slice(1, -1).split(";").filter(Boolean));
      headers = at(answer.fields.get("last-modified") ?? "", answer.fields.get("etag") ?? "");
      if (got.length < 3) poll.request(`/lp/${channel}`, { headers });
    }
    expect(got).toEqual(["1", "2", "3"]);
    for (const connection of [poll, publisher]) connection.close();
  });

  test("any of its channels may answer; it stands in none afterwards", async () => {
    const names = [fresh(), fresh(), fresh()];
    const before = (await server.summary()).subscribers;
    const poll = await RawConnection.open(server.port);
    poll.request(`/lp/${names.join("/")}`);
    for (const name of names) await standing(server.port, name);
    expect((await server.summary()).subscribers).toBe(before + 1);
    await server.publish(names[2] ?? "", "third");
    expect((await poll.answer()).body.toString()).toBe("<third;>");
    for (const name of names) await standing(server.port, name, 0);
    expect((await server.summary()).subscribers).toBe(before);
    poll.close();
  });

  test("an unstored message is owed to a poll that was here before it, and to no newcomer", async () => {
    const channel = fresh();
    await server.publish(channel, "stored");
    const stream = await fetch(`${server.url}/ids/${channel}.b9`);
    let events = "";
    for await (const piece of stream.body ?? []) {
      events += Buffer.from(piece).toString();
      if (events.includes("stored")) break;
    }
    const [, id = ""] = [...events.matchAll(/^id: (.*)$/gm)].at(-1) ?? [];
    await ask(server.port, `/live?id=${channel}`, { method: "POST", body: "resting" });
    const back = await ask(server.port, `/token/${channel}`, { headers: { "Last-Event-ID": id } });
    expect(back.body.toString()).toBe("resting");
    expect((await ask(server.port, `/token/${channel}.b9`)).body.toString()).toBe("stored");
  });

  test("an unstored message answers those who wait, and nobody who comes later", async () => {
    const channel = fresh();
    const poll = await RawConnection.open(server.port);
    poll.request(`/lp/${channel}`);
    await standing(server.port, channel);
    await ask(server.port, `/live?id=${channel}`, { method: "POST", body: "now" });
    const answer = await poll.answer();
    expect(answer.body.toString()).toBe("<now;>");
    const { time = "", etag = "" } = markOf(answer);
    expect((await ask(server.port, `/poll/${channel}.b9`)).status).toBe(304);
    const later = await ask(server.port, `/poll/${channel}`, {
      headers: at("Thu, 01 Jan 1970 00:00:00 GMT", "0"),
    });
    expect(later.status).toBe(304);
    // Its position is as good as any other.
    await server.publish(channel, "next");
    const next = await ask(server.port, `/poll/${channel}`, { headers: at(time, etag) });
    expect(next.body.toString()).toBe("<next;>");
    poll.close();
  });

  test("a client that goes away is not counted any more", async () => {
    const channel = fresh();
    const poll = await RawConnection.open(server.port);
    poll.request(`/lp/${channel}`);
    await standing(server.port, channel);
    poll.close();
    await standing(server.port, channel, 0);
  });

  test("120 polls over one connection: every position leads to the next, tags count on (8)", async () => {
    const channel = fresh();
    const poll = await RawConnection.open(server.port);
    let headers: Record<string, string> = {};
    const positions: { time: number; tag: number }[] = [];
    for (let count = 1; count <= 120; count++) {
      poll.request(`/lp/${channel}`, { headers });
      // Every third message is there before the poll is: answered at once, the others live.
      if (count % 3 !== 0) await standing(server.port, channel);
      await server.publish(channel, `m${count}`);
      const answer = await poll.answer();
      expect(answer.body.toString()).toBe(`<m${count};>`);
      const { time = "", etag = "" } = markOf(answer);
      expect(etag).toMatch(/^W\/"\d+"$/);
      headers = at(time, etag);
      positions.push({ time: Date.parse(time), tag: Number(/\d+/.exec(etag)?.[0]) });
    }
    expect(await marksOf(channel)).toEqual(
      positions.map(({ time, tag }) => ({ time: new Date(time).toUTCString(), tag: String(tag) })).slice(-99),
    );
    for (const [i, { time, tag }] of positions.entries()) {
      const before = positions[i - 1];
      if (before !== undefined) expect(time > before.time ? tag === 1 : tag === before.tag + 1).toBeTrue();
    }
    poll.close();
  }, 20_000);
});

test("a poller that follows its position misses nothing, over two channels", async () => {
  const [first, second] = [fresh(), fresh()];
  const poll = await RawConnection.open(server.port);
  let headers: Record<string, string> = at("Thu, 01 Jan 1970 00:00:00 GMT", "0");
  const got: string[] = [];
  let published = 0;
  const publisher = (async () => {
    for (; published < 200; published++)
      await server.publish(published % 2 === 0 ? first : second, `m${published}`);
  })();
  while (got.length < 200) {
    poll.request(`/poll/${first}/${second}`, { headers });
    const answer = await poll.answer();
    got.push(...answer.body.toString().slice(1, -1).split(";").filter(Boolean));
    if (answer.status === 200)
      headers = at(answer.fields.get("last-modified") ?? "", answer.fields.get("etag") ?? "");
  }
  await publisher;
  for (const parity of [0, 1]) {
    const own = got.filter((text) => Number(text.slice(1)) % 2 === parity);
    expect(own).toEqual(Array.from({ length: 100 }, (_, i) => `m${2 * i + parity}`));
  }
  poll.close();
}, 20_000);
