/**
 * `auth_request` on the compiled binary, on both listeners: what a backend is told, how often it is asked,
 * what its answers do, and that nobody is let in when it is down, hangs, redirects or talks nonsense. One
 * worker, so that questions can be counted.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { ask, RawConnection } from "../binary/raw-client.ts";
import { Opcode, RawWebSocket } from "../binary/raw-web-socket.ts";
import { freePort, type RunningServer, until } from "../binary/running-server.ts";
import { ALL_SETTINGS, folderWith, removeFolders, startHandlers } from "../handlers/handler-server.ts";
import { startBackend } from "./asked-backend.ts";
import { nowSec, SECRET, withSecret } from "./issuing.ts";

setDefaultTimeout(30_000);

const backend = startBackend();
const deadPort = freePort();
afterAll(() => {
  backend.stop();
  removeFolders();
});

/** A hash that takes its time, off the event loop. */
const users = join(
  folderWith({ users: `kim:${Bun.password.hashSync("right", { algorithm: "bcrypt", cost: 4 })}\n` }),
  "users",
);

const HANDLER = `
import type { Handler } from "sluice";
const decide: Handler = ({ headers, remoteAddress }) => {
  if (headers.get("cookie") === "forever") return new Response(new ReadableStream({ pull() {} }));
  if (headers.get("cookie") !== "good") return new Response("no", { status: 403 });
  return Response.json({ sub: headers.get("x-role") + " " + remoteAddress, subscribe: ["a", "\${sub}"] });
};
export default decide;
`;

const location = (path: string, more: string): string => `
[[location]]
match = "~ ^/${path}/(.*)$"
subscriber = "long-polling"
channels_path = "$1"
longpolling_connection_ttl = "10ms"
last_received_message_time = "$arg_time"
last_received_message_tag = "$arg_tag"
${more}
`;

const TOML = `
[[issuer]]
name = "app"
algorithms = ["HS256"]
key = "env:HUB_KEY"
[[location]]
match = "= /auth-handler"
handler = "decide.ts"
access = ["deny all"]
[[location]]
match = "= /pub"
publisher = "admin"
channels_path = "$arg_id"
auth_request = "${backend.url}"
auth_headers = ["Cookie"]
${location(
  "lp",
  `auth_request = "${backend.url}"\nauth_cache = "1h"\nauth_headers = ["Cookie", "X-Team"]\n` +
    `auth_timeout = "300ms"\npublic = ["open"]`,
)}
${location("each", `auth_request = "${backend.url}"\nauth_cache = 0`)}
${location("dead", `auth_request = "http://127.0.0.1:${deadPort}/auth"`)}
${location("code", `auth_request = "/auth-handler"\nauth_timeout = "300ms"\nauth_headers = ["Cookie"]`)}
${location("both", `auth_request = "${backend.url}"\ntoken_issuers = ["app"]`)}
${location(
  "any",
  `auth_request = "${backend.url}"\nauth_cache = 0\nsatisfy = "any"\n` +
    `access = ["allow 127.0.0.1", "deny all"]`,
)}
${location(
  "any-of",
  `auth_request = "${backend.url}"\nauth_cache = 0\nsatisfy = "any"\naccess = ["deny all"]`,
)}
${location(
  "no-rule",
  `auth_request = "${backend.url}"\nauth_cache = 0\nsatisfy = "any"\naccess = ["allow 192.0.2.1"]`,
)}
${location(
  "any-user",
  `auth_request = "${backend.url}"\nauth_cache = 0\nsatisfy = "any"\nauth_basic = "r"\n` +
    `auth_basic_user_file = "USERS"`,
)}
${location("all-of", `auth_request = "${backend.url}"\nauth_cache = 0\naccess = ["deny all"]`)}
[[location]]
match = "~ ^/ev/(.*)$"
subscriber = "eventsource"
channels_path = "$1"
auth_request = "${backend.url}"
[[location]]
match = "~ ^/ws/(.*)$"
subscriber = "websocket"
channels_path = "$1"
websocket_allow_publish = true
auth_request = "${backend.url}"
`;

describe.each(ALL_SETTINGS.filter(({ workers }) => workers === 1))(
  "auth_request, $listener listener",
  (setting) => {
    let server: RunningServer;
    /** What has nothing to do with the door. */
    const once: (name: string, run: () => Promise<void>) => void = (name, run) => {
      if (setting.listener === "wire") test(name, run);
    };
    beforeAll(async () => {
      process.env["HUB_KEY"] = SECRET;
      server = await startHandlers(setting, {
        files: { "decide.ts": HANDLER },
        toml: TOML.replace("USERS", users),
      });
    });
    afterAll(async () => {
      await server.stop();
    });

    let visitor = 0;
    /** Somebody who was not here yet. */
    const somebody = (): Record<string, string> => ({ Cookie: `session=${setting.listener}${visitor++}` });
    const get = (path: string, headers: Record<string, string> = somebody()) =>
      ask(server.port, path, { headers });
    const asks = async (what: () => Promise<unknown>): Promise<number> => {
      const before = backend.asked.length;
      await what();
      return backend.asked.length - before;
    };
    const answers = (answer: typeof backend.answer): void => {
      backend.answer = answer;
    };

    test("it is told what is asked for, the listed fields, and nothing else", async () => {
      answers(() => new Response("ok"));
      const headers = {
        Cookie: "c=1",
        "X-Team": "red",
        Authorization: "Bearer secret",
        "X-Channel-Id": "forged",
        "X-Role": "forged",
        "X-Original-URI": "/forged",
      };
      await get("/lp/a/b%20%c3%a9.b3?time=1&who=me&tag=2&eventid=3", headers);
      const told = Object.fromEntries(backend.asked.at(-1) ?? []);
      expect(told).toMatchObject({
        cookie: "c=1",
        "x-team": "red",
        "x-original-uri": "/lp/a/b%20%c3%a9.b3?who=me",
        "x-original-method": "GET",
        "x-channel-id": "a/b%20%C3%A9",
        "x-role": "subscriber",
      });
      expect(told).not.toHaveProperty("authorization");
      answers(() => new Response(null, { status: 204 }));
      const published = await ask(server.port, "/pub?id=a", {
        method: "POST",
        body: "the body",
        headers: somebody(),
      });
      expect(published.status).toBe(200);
      expect(Object.fromEntries(backend.asked.at(-1) ?? [])).toMatchObject({
        "x-role": "publisher",
        "x-original-method": "POST",
        "x-original-uri": "/pub?id=a",
      });
    });

    test("equal questions are one question, at the same time and as long as its answer counts", async () => {
      answers(async () => {
        await Bun.sleep(50);
        return new Response("ok");
      });
      const who = somebody();
      const crowd = (): Promise<unknown> =>
        Promise.all(
          Array.from({ length: 100 }, async (_, at) =>
            expect((await get(`/lp/a?time=${at}&tag=${at}`, who)).status).toBe(304),
          ),
        );
      expect(await asks(crowd)).toBe(1);
      expect(await asks(crowd)).toBe(0);
      // Another visitor, another channel, another argument, another team.
      expect(await asks(() => get("/lp/a"))).toBe(1);
      expect(await asks(() => get("/lp/b", who))).toBe(1);
      expect(await asks(() => get("/lp/a?x=1", who))).toBe(1);
      expect(await asks(() => get("/lp/a", { ...who, "X-Team": "blue" }))).toBe(1);
      // It is not asked about what is open.
      expect(await asks(async () => expect((await get("/lp/open")).status).toBe(304))).toBe(0);
      const again = somebody();
      expect(await asks(async () => [await get("/each/a", again), await get("/each/a", again)])).toBe(2);
    });

    test("a grant in JSON is a grant: what it names, as long as it says", async () => {
      answers(() =>
        Response.json({ sub: "kim", subscribe: ["a", `box-\${sub}`], publish: ["a"], exp: nowSec() + 2 }),
      );
      const who = somebody();
      expect((await get("/lp/a/box-kim", who)).status).toBe(304);
      expect((await get("/lp/a/box-lee", who)).status).toBe(403);
      const connection = await RawConnection.open(server.port);
      connection.request("/ev/a", { headers: who });
      expect((await connection.head()).status).toBe(200);
      const socket = await RawWebSocket.open(server.port, "/ws/a/box-kim", {
        ...who,
        "Sec-WebSocket-Protocol": "sluice.json.v1",
      });
      await socket.text();
      socket.sendFrame(Opcode.TEXT, '{"kind":"publish","ref":1,"channel":"box-kim","data":"x"}');
      expect(JSON.parse(await socket.text())).toMatchObject({ kind: "refused", ref: 1, status: 403 });
      socket.sendFrame(Opcode.TEXT, '{"kind":"token","ref":2,"token":"x"}');
      expect(JSON.parse(await socket.text())).toMatchObject({ kind: "refused", ref: 2, status: 401 });
      socket.close();
      expect((await connection.restOfChunks()).toString()).toEndWith("event: expired\ndata: expired\n\n");
      // A ticket ends with its grant.
      answers(() => new Response(null, { status: 401 }));
      expect((await get("/lp/a/box-kim", who)).status).toBe(401);
    });

    test("without JSON it lets in to what was asked for, whatever bytes that is", async () => {
      answers(() => new Response("<p>hello</p>", { headers: { "Content-Type": "text/html" } }));
      expect((await get("/lp/a%ff%2a/b")).status).toBe(403);
      expect((await get("/lp/a%ff/b")).status).toBe(304);
      const socket = await RawWebSocket.open(server.port, "/ws/mine", somebody());
      socket.sendFrame(Opcode.TEXT, "to all of mine");
      expect(await socket.text()).toBe("to all of mine");
      socket.close();
    });

    const FAILURES: readonly (readonly [string, typeof backend.answer])[] = [
      ["500", () => new Response("x", { status: 500 })],
      ["404", () => new Response("x", { status: 404 })],
      ["a redirect", () => Response.redirect(`${backend.url}/elsewhere`)],
      ["JSON that is none", () => new Response("{", { headers: { "Content-Type": "application/json" } })],
      ["JSON that is no grant", () => Response.json({ subscribe: "a" })],
      ["a list", () => Response.json([])],
      ["patterns that are none", () => Response.json({ subscribe: ["a*b"] })],
      ["a time that is a text", () => Response.json({ exp: "soon" })],
      [
        "a gigabyte",
        () => new Response(new ReadableStream({ pull: (sink) => sink.enqueue(new Uint8Array(65_536)) })),
      ],
      ["hanging", () => new Promise<Response>(() => undefined)],
      [
        "a body that hangs",
        () => new Response(new ReadableStream({ start: (sink) => sink.enqueue(new Uint8Array(1)) })),
      ],
    ];

    once("whatever else it says is 502, and is followed nowhere", async () => {
      for (const [what, answer] of FAILURES) {
        answers(answer);
        // After one that gave no answer it is left alone for a moment.
        await until("it is asked again", async () => (await asks(() => get("/lp/a"))) > 0);
        const before = backend.asked.length;
        const { status, fields, body } = await get("/lp/a");
        expect([what, status, fields.get("retry-after"), body.length]).toEqual([what, 502, "1", 0]);
        expect(backend.asked.length - before).toBeLessThanOrEqual(1);
      }
      answers(() => new Response("ok"));
      await until("it is asked again", async () => (await get("/lp/a")).status === 304);
    });

    once("401 and 403 are passed on, and are not kept for long", async () => {
      const who = somebody();
      answers(
        () =>
          new Response("no", {
            status: 401,
            headers: { "WWW-Authenticate": 'Session realm="us"', "Set-Cookie": "x=1" },
          }),
      );
      const refused = await get("/lp/a", who);
      expect([
        refused.status,
        refused.fields.get("www-authenticate"),
        refused.fields.get("set-cookie"),
      ]).toEqual([401, 'Session realm="us"', undefined]);
      expect(await asks(() => get("/lp/a", who))).toBe(0);
      answers(() => new Response("ok"));
      await until("the next answer", async () => (await get("/lp/a", who)).status === 304);
    });

    once("one that is not there is left alone", async () => {
      const startMs = performance.now();
      for (let asked = 0; asked < 200; asked++) expect((await get("/dead/a")).status).toBe(502);
      expect(server.log.split("nobody can say who may come").length).toBeLessThan(60);
      expect(performance.now() - startMs).toBeLessThan(10_000);
    });

    test("a handler of the server is asked without a way through its own door", async () => {
      expect((await get("/auth-handler")).status).toBe(403);
      expect((await get("/code/a", { Cookie: "good" })).status).toBe(304);
      expect((await get("/code/subscriber%20127.0.0.1", { Cookie: "good" })).status).toBe(304);
      expect((await get("/code/b", { Cookie: "good" })).status).toBe(403);
      expect((await get("/code/a", { Cookie: "bad" })).status).toBe(403);
      expect((await get("/code/a", { Cookie: "forever" })).status).toBe(502);
    });

    once("a token that is there decides, good or bad, and then nobody is asked", async () => {
      answers(() => new Response("ok"));
      const token = await withSecret({ channel: "a" });
      const bearing = (text: string) => ({ ...somebody(), Authorization: `Bearer ${text}` });
      expect(await asks(async () => expect((await get("/both/a", bearing(token))).status).toBe(304))).toBe(0);
      expect(await asks(async () => expect((await get("/both/b", bearing(token))).status).toBe(403))).toBe(0);
      expect(await asks(async () => expect((await get("/both/b", bearing("bad"))).status).toBe(401))).toBe(0);
      expect(await asks(async () => expect((await get("/both/b")).status).toBe(304))).toBe(1);
    });

    test("satisfy any with a password that takes its time: either of the two, and not neither", async () => {
      const user = (password: string) => ({
        ...somebody(),
        Authorization: `Basic ${btoa(`kim:${password}`)}`,
      });
      answers(() => new Response("no", { status: 403 }));
      const refused = await get("/any-user/a", user("wrong"));
      expect([refused.status, refused.fields.get("www-authenticate")]).toEqual([401, 'Basic realm="r"']);
      expect((await get("/any-user/a")).status).toBe(401);
      expect(await asks(async () => expect((await get("/any-user/a", user("right"))).status).toBe(304))).toBe(
        0,
      );
      answers(() => new Response("ok"));
      expect((await get("/any-user/a", user("wrong"))).status).toBe(304);
      expect((await get("/any-user/a")).status).toBe(304);
      answers(() => new Response("later", { status: 500 }));
      expect((await get("/any-user/a", user("wrong"))).status).toBe(401);
    });

    test("satisfy: one of them, or all", async () => {
      answers(() => new Response("no", { status: 403 }));
      expect(await asks(async () => expect((await get("/any/a")).status).toBe(304))).toBe(0);
      expect((await get("/any-of/a")).status).toBe(403);
      // That no rule forbids it is not enough.
      expect((await get("/no-rule/a")).status).toBe(403);
      expect((await get("/all-of/a")).status).toBe(403);
      answers(() => new Response("ok"));
      expect((await get("/any-of/a")).status).toBe(304);
      expect(await asks(async () => expect((await get("/all-of/a")).status).toBe(403))).toBe(0);
    });
  },
);
