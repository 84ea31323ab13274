/**
 * What publishing remembers from one request to the next (the URL taken apart, the channels it led to) is
 * never another request's: many publishers at once, channels that go away between, more paths than are
 * remembered. On both listeners.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { rememberedByUrl } from "../../src/config/location/url-value.ts";
import type { RequestFacts } from "../../src/config/location/variables.ts";
import { layout, type RunningServer, startServer } from "../binary/running-server.ts";
import { locationWith } from "../location.ts";

describe.each([
  ["native", 'header_template = "h"'],
  ["wire", ""],
])("%s listener", (_, sub) => {
  let server: RunningServer;
  beforeAll(async () => {
    const regex = '[[location]]\nmatch = "~ ^/to/(.*)$"\npublisher = "normal"\nchannels_path = "$1"\n';
    const header = '[[location]]\nmatch = "= /by"\npublisher = "normal"\nchannels_path = "$http_x_to"\n';
    const counted = '[[location]]\nmatch = "= /stub"\nstub_status = true\n';
    server = await startServer({
      toml: layout("[store]\nchannels = 2000", { sub }) + regex + header + counted,
      workers: 1,
    });
  });
  afterAll(async () => {
    await server.stop();
  });

  const send = async (path: string, headers: Record<string, string> = {}): Promise<string> => {
    const answer = await server.request(path, { method: "POST", body: path, headers });
    expect(answer.status).toBe(200);
    return JSON.parse(answer.text).channel;
  };

  test("700 channels in turns and at once: each answer is of the channel of its own URL", async () => {
    for (let round = 0; round < 2; round++) {
      const names = Array.from({ length: 700 }, (_, i) => `turn${i % 350}`);
      for (let at = 0; at < names.length; at += 50) {
        const some = names.slice(at, at + 50);
        const told = await Promise.all(
          some.map((name, i) => (i % 2 === 0 ? send(`/pub?id=${name}`) : send(`/to/${name}`))),
        );
        expect(told).toEqual(some);
      }
    }
    // 350 channels, two rounds, each named twice a round.
    for (const name of ["turn0", "turn1", "turn349"])
      expect(await server.statistics(name)).toMatchObject({ published_messages: 4 });
  });

  test("one URL, another header: the value that depends on it is not remembered", async () => {
    for (const name of ["one", "two", "one"]) expect(await send("/by", { "X-To": name })).toBe(name);
  });

  test("a channel that was deleted is another one with the next message to the same URL", async () => {
    for (let life = 0; life < 3; life++) {
      await send("/pub?id=mortal");
      await send("/pub?id=mortal");
      expect(await server.statistics("mortal")).toMatchObject({ published_messages: 2, stored_messages: 2 });
      expect((await server.request("/pub?id=mortal", { method: "DELETE" })).status).toBe(200);
      expect((await server.request("/pub?id=mortal")).status).toBe(404);
    }
  });

  // Past fault: whoever looked at a request before the application counted it, and so did the application.
  test("stub_status counts a request once, whoever answers it", async () => {
    const counted = async (): Promise<number> =>
      Number(/requests\n (\d+)/.exec((await server.request("/stub")).text)?.[1]);
    const before = await counted();
    await send("/pub?id=counted");
    await server.request("/no/such/place");
    await server.request("/poll/counted");
    expect((await counted()) - before).toBe(4);
  });
});

const facts = (
  rawQuery: string,
  captures: readonly string[],
  more: Partial<RequestFacts> = {},
): RequestFacts => ({
  rawUrlPath: "/",
  sentQuery: rawQuery,
  path: "/",
  rawQuery,
  captures,
  pathCaptures: captures,
  header: () => null,
  method: "POST",
  remoteAddress: "",
  connectionAddress: "",
  scheme: "http",
  variable: () => "",
  ...more,
});

test.each([
  ["$arg_id", "a"],
  // In braces.
  [`$\{arg_id}`, "a"],
  ["x/$arg_id/$1", "x/a/one"],
])("%s is worked out once for one URL, and anew for another", (text, value) => {
  const location = locationWith({ match: "~ ^/(.*)$" });
  const evaluate = rememberedByUrl(location, text);
  const captures = ["/one", "one"];
  let looks = 0;
  const one = {
    ...facts("", captures),
    get rawQuery() {
      looks++;
      return "id=a";
    },
  };
  expect([evaluate(one), evaluate(one)]).toEqual([value, value]);
  // Compared, not evaluated: that would have looked once more.
  const afterTwo = looks;
  evaluate(one);
  expect(looks - afterTwo).toBe(1);
  expect(evaluate(facts("id=b", captures))).toBe(value.replace("a", "b"));
  expect(evaluate(facts("id=a", ["/two", "two"]))).toBe(value.replace("one", "two"));
});

test("a header, a variable that looks like an argument and a group by name are asked for each time", () => {
  const header = rememberedByUrl(locationWith({}), "$http_x");
  expect(["1", "2"].map((x) => header(facts("", [], { header: () => x })))).toEqual(["1", "2"]);
  const set = rememberedByUrl(locationWith({ setVariables: new Set(["arg_id"]) }), "$arg_id");
  expect(["1", "2"].map((x) => set(facts("id=0", [], { variable: () => x })))).toEqual(["1", "2"]);
  const named = rememberedByUrl(locationWith({ match: "~ ^/(?<arg_id>.*)$" }), "$arg_id");
  expect(named(facts("id=0", ["/n", "n"]))).toBe("n");
  expect(named(facts("id=0", ["/m", "m"]))).toBe("m");
});
