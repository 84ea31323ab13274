/**
 * Regular expressions of a configuration and what a client can do with them: each place that has one, tried
 * with the worst texts for it, over the compiled binary. Times are ratios within one run; the worker must
 * still be the same afterwards.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { ask } from "./raw-client.ts";
import { type RunningServer, startServer } from "./running-server.ts";

interface Shape {
  readonly name: string;
  /** Of the whole location table. */
  readonly toml: string;
  /** A request whose text is about so long, the worst for the regex. */
  readonly attack: (bytes: number) => { readonly path: string; readonly headers?: Record<string, string> };
}

const location = (match: string, more = ""): string =>
  `[[location]]\nmatch = '${match}'\npublisher = "normal"\nchannels_path = "x"\n${more}\n`;
const condition = (match: string, text: string): string =>
  location(match, `[[location.step]]\nif = '${text}'\nreturn = "404"\n`);

const SHAPES: readonly Shape[] = [
  {
    name: "three open parts",
    toml: location("~ ^/c/(.*)/(.*)/(.*)\\.json$"),
    attack: (bytes) => ({ path: `/c/${"a/".repeat(bytes / 2)}.jsox` }),
  },
  {
    name: "three open parts that nearly match",
    toml: location("~ ^/n/(.*)/(.*)/(.*)\\.json$"),
    attack: (bytes) => ({ path: `/n/${"/a.json".repeat(bytes / 7)}x` }),
  },
  {
    name: "three open parts that match",
    toml: location("~ ^/m/(.*)/(.*)/(.*)\\.json$"),
    attack: (bytes) => ({ path: `/m/${"a/".repeat(bytes / 2)}.json` }),
  },
  {
    name: "a repetition that is repeated",
    toml: location("~ ^/(e+)+$"),
    attack: (bytes) => ({ path: `/${"e".repeat(bytes)}!` }),
  },
  {
    name: "branches that begin alike, without case",
    toml: location("~* ^/(?:f|F|ff)+$"),
    attack: (bytes) => ({ path: `/${"fF".repeat(bytes / 2)}!` }),
  },
  {
    name: "many parts that may be left out",
    toml: location(`~ ^/${"g?".repeat(40)}${"g".repeat(40)}!$`),
    attack: (bytes) => ({ path: `/${"g".repeat(bytes)}` }),
  },
  {
    name: "not bound to the start",
    toml: location("~ h[^/]*h[^/]*H$"),
    attack: (bytes) => ({ path: `/${"h".repeat(bytes)}` }),
  },
  {
    name: "look-ahead in front of open parts",
    toml: location("~ ^/i/(?!admin)(.*)/(.*)/(.*)\\.json$"),
    attack: (bytes) => ({ path: `/i/${"a/".repeat(bytes / 2)}.jsox` }),
  },
  {
    name: "a condition on an argument",
    toml: condition("= /j", '$arg_a ~ "^(.*)-(.*)-(.*)-x$"'),
    attack: (bytes) => ({ path: `/j?a=${"-".repeat(bytes)}y` }),
  },
  {
    name: "a condition on a header",
    toml: condition("= /k", '$http_x_text ~* "(k|K)+(k|K)+$"'),
    attack: (bytes) => ({ path: "/k", headers: { "X-Text": `${"k".repeat(bytes)}!` } }),
  },
  {
    name: "a condition that must not hold",
    toml: condition("= /l", '$http_x_text !~ "^(l*)*$"'),
    attack: (bytes) => ({ path: "/l", headers: { "X-Text": `${"l".repeat(bytes)}!` } }),
  },
];

describe.each(["native", "wire"])("no text holds a worker (%s)", (listener) => {
  let server: RunningServer;
  let pids: readonly number[];
  beforeAll(async () => {
    const stats = '[[location]]\nmatch = "= /channels-stats"\nstatistics = true\nchannels_path = "$arg_id"\n';
    const toml = [stats, ...SHAPES.map((shape) => shape.toml)].join("\n");
    server = await startServer({ toml, workers: 1, args: ["--listener", listener] });
    pids = await server.workerPids();
  });
  afterAll(async () => await server.stop());

  const time = async ({ attack }: Shape, bytes: number): Promise<number> => {
    const { path, headers = {} } = attack(bytes);
    const startMs = performance.now();
    for (let i = 0; i < 3; i++) expect((await ask(server.port, path, { headers })).status).toBeLessThan(500);
    return performance.now() - startMs;
  };

  test.each(SHAPES.map((shape) => [shape.name, shape] as const))("%s", async (_name, shape) => {
    await time(shape, 1000);
    const half = await time(shape, 4000);
    const whole = await time(shape, 8000);
    // Twice the text, at most four times the time; and what a busy machine takes from any request.
    expect(whole).toBeLessThan(4 * half + 150);
  });

  test("a longer text is refused where it was not looked at", async () => {
    const of = async (path: string): Promise<number> =>
      (await ask(server.port, path, { method: "POST", body: "x" })).status;
    expect(await of(`/c/${"a/".repeat(5000)}b.json`)).toBe(414);
    expect(await of(`/j?a=${"-".repeat(9000)}`)).toBe(414);
    expect(await of("/c/a/b/c.json")).toBe(200);
  });

  test("the worker is the one that was there before", async () => {
    expect(await server.workerPids()).toEqual([...pids]);
  });
});

describe("names of servers, and user agents", () => {
  let server: RunningServer;
  beforeAll(async () => {
    const body = (channel: string) =>
      `[[server.location]]\nmatch = "/"\npublisher = "normal"\nchannels_path = "${channel}"\n`;
    const toml = `[[location]]
match = "= /channels-stats"
statistics = true
channels_path = "$arg_id"
[[location]]
match = "~ ^/ev/(.*)$"
subscriber = "polling"
channels_path = "$1"
padding_by_user_agent = "(m+)+e,1024,0"
[[server]]
listen = ["127.0.0.1:0"]
server_name = ['~^(?:([a-z]+)+\\.)+example\\.org$']
${body("y")}`;
    server = await startServer({ toml, workers: 1 });
  });
  afterAll(async () => await server.stop());

  test("a host and a user agent that a regex could run on for years", async () => {
    const [pid] = await server.workerPids();
    const headers = { Host: `${"a".repeat(200)}!`, "User-Agent": "m".repeat(8000) };
    const startMs = performance.now();
    for (let i = 0; i < 10; i++)
      expect((await ask(server.port, "/ev/a", { headers })).status).toBeLessThan(500);
    expect(performance.now() - startMs).toBeLessThan(5000);
    expect(await server.workerPids()).toEqual([pid ?? 0]);
  });
});
