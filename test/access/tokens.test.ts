/**
 * Signed tokens on every transport of the compiled binary, two workers, both kinds of listener: who is let in
 * where, with what he may not, and every way a token can be bad.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { ask, RawConnection } from "../binary/raw-client.ts";
import { Opcode, RawWebSocket } from "../binary/raw-web-socket.ts";
import type { RunningServer } from "../binary/running-server.ts";
import { ALL_SETTINGS, removeFolders, startHandlers } from "../handlers/handler-server.ts";
import {
  encoded,
  type KeyServer,
  keySet,
  newPair,
  nowSec,
  type Pair,
  pemOf,
  SECRET,
  serveKeys,
  signed,
  withSecret,
} from "./issuing.ts";

setDefaultTimeout(30_000);

let ec: Pair;
let rsa: Pair;
let rsa512: Pair;
let stranger: Pair;
let keys: KeyServer;
let rsaPem: string;

beforeAll(async () => {
  [ec, rsa, rsa512, stranger] = (await Promise.all(["ES256", "RS256", "RS512", "ES256"].map(newPair))) as [
    Pair,
    Pair,
    Pair,
    Pair,
  ];
  rsaPem = await pemOf(rsa);
  keys = serveKeys(await keySet(["ec-1", "ES256", ec]));
});
afterAll(() => {
  keys.stop();
  removeFolders();
});

const GUARDED = `
token = ["header", "cookie:session", "query:token", "protocol"]
token_issuers = ["secret", "pair", "set"]
public = ["news-*"]`;

const toml = (): string => `
[[issuer]]
name = "secret"
issuer = "https://example.com"
audience = "https://push.example.com"
algorithms = ["HS256"]
key = "env:HUB_KEY"
[[issuer]]
name = "pair"
issuer = "https://example.com"
audience = "https://push.example.com"
algorithms = ["RS256", "PS256"]
key_file = "rsa.pem"
subscribe = ["inbox-\${sub}"]
[[issuer]]
name = "set"
issuer = "https://example.com"
audience = "https://push.example.com"
algorithms = ["ES256"]
jwks = "${keys.url}"
[[location]]
match = "= /pub"
publisher = "admin"
channels_path = "$arg_id"
store_messages = true
${GUARDED}
[[location]]
match = "= /open-pub"
publisher = "admin"
channels_path = "$arg_id"
store_messages = true
[[location]]
match = "~ ^/sub/(.*)$"
subscriber = "streaming"
channels_path = "$1"
header_template = "^"
${GUARDED}
[[location]]
match = "~ ^/ev/(.*)$"
subscriber = "eventsource"
channels_path = "$1"
${GUARDED}
[[location]]
match = "~ ^/lp/(.*)$"
subscriber = "long-polling"
channels_path = "$1"
${GUARDED}
[[location]]
match = "~ ^/poll/(.*)$"
subscriber = "polling"
channels_path = "$1"
${GUARDED}
[[location]]
match = "~ ^/ws/(.*)$"
subscriber = "websocket"
channels_path = "$1"
websocket_allow_publish = true
${GUARDED}
[[location]]
match = "= /channels-stats"
statistics = true
channels_path = "$arg_id"
[[location]]
match = "= /counted"
statistics = true
channels_path = "$arg_id"
${GUARDED.replace(/public.*/, "")}
`;

const allowed = (subscribe: readonly string[], publish: readonly string[] = []) => ({
  channels: { subscribe, publish },
});

describe.each(ALL_SETTINGS.filter(({ workers }) => workers === 2))(
  "tokens, $listener listener",
  (setting) => {
    let server: RunningServer;
    beforeAll(async () => {
      process.env["HUB_KEY"] = SECRET;
      server = await startHandlers(setting, { files: { "rsa.pem": rsaPem }, toml: toml() });
    });
    afterAll(async () => {
      await server.stop();
    });

    const get = (path: string, token: string | null = null, headers: Record<string, string> = {}) =>
      ask(server.port, path, {
        headers: token === null ? headers : { Authorization: `Bearer ${token}`, ...headers },
      });

    /** Status of the handshake, or what the socket is closed with. */
    async function socket(path: string, headers: Record<string, string>): Promise<string> {
      const opened = await RawWebSocket.open(server.port, path, headers);
      const { opcode, payload } = await opened.frame();
      opened.close();
      return opcode === Opcode.CLOSE
        ? `${payload.readUInt16BE()} ${payload.toString("utf8", 2)}`
        : payload.toString();
    }

    async function held(path: string, token: string | null): Promise<number> {
      const connection = await RawConnection.open(server.port);
      connection.request(path, { headers: token === null ? {} : { Authorization: `Bearer ${token}` } });
      const { status } = await connection.head();
      connection.close();
      return status;
    }

    test("every transport lets in who has a token for the channel, and nobody else", async () => {
      const good = await withSecret(allowed(["room-*"], ["room-1"]));
      const other = await withSecret(allowed(["elsewhere"], ["elsewhere"]));
      await ask(server.port, "/open-pub?id=room-1", { method: "POST", body: "kept" });
      for (const [token, status] of [
        [good, 200],
        [null, 401],
        [other, 403],
      ] as const) {
        const publish = await ask(server.port, "/pub?id=room-1", {
          method: "POST",
          body: "kept",
          headers: token === null ? {} : { Authorization: `Bearer ${token}` },
        });
        expect(publish.status).toBe(status);
        expect((await get("/pub?id=room-1", token)).status).toBe(status);
        for (const path of ["/sub/room-1", "/ev/room-1.b1/room-2"])
          expect([path, await held(path, token)]).toEqual([path, status]);
        for (const path of ["/lp/room-1.b1", "/poll/room-1.b1"])
          expect((await get(path, token)).status).toBe(status);
      }
      const spoken = { "Sec-WebSocket-Protocol": "sluice.json.v1" };
      expect(await socket("/ws/room-1", { ...spoken, Authorization: `Bearer ${good}` })).toContain(
        '"kind":"hello"',
      );
      expect(await socket("/ws/room-1", spoken)).toBe(
        '1008 {"http_status": 401, "explain":"A token or key is needed here."}',
      );
      expect(await socket("/ws/room-1/secret", { ...spoken, Authorization: `Bearer ${good}` })).toStartWith(
        '1008 {"http_status": 403',
      );
    });

    test("one channel of several that is not granted refuses all of them", async () => {
      const token = await withSecret(allowed(["a", "b"], ["a"]));
      expect((await get("/poll/a/b", token)).status).toBe(304);
      expect((await get("/poll/a/c", token)).status).toBe(403);
      expect(
        (
          await ask(server.port, "/pub?id=a/b", {
            method: "POST",
            body: "x",
            headers: { Authorization: `Bearer ${token}` },
          })
        ).status,
      ).toBe(403);
    });

    test("what is public is open to all, also to the bearer of a token that does not name it", async () => {
      expect((await get("/poll/news-1")).status).toBe(304);
      expect((await get("/poll/news-1", await withSecret())).status).toBe(304);
      expect((await get("/poll/news-1/room")).status).toBe(401);
      expect((await get("/poll/news-1", "nonsense")).status).toBe(401);
      expect((await ask(server.port, "/pub?id=news-1", { method: "POST", body: "x" })).status).toBe(200);
      // To listen is public there, to speak is not.
      const opened = await RawWebSocket.open(server.port, "/ws/news-1", {
        "Sec-WebSocket-Protocol": "sluice.json.v1",
      });
      expect((await opened.frame()).payload.toString()).toContain("hello");
      opened.sendFrame(Opcode.TEXT, '{"kind":"publish","ref":1,"data":"x"}');
      expect(JSON.parse(await opened.text())).toEqual({
        kind: "refused",
        ref: 1,
        status: 401,
        code: "no_token",
        explain: "A token or key is needed here.",
      });
      opened.close();
    });

    test("a token is found in each place of the location, and the first place decides", async () => {
      const token = await withSecret(allowed(["a"]));
      expect((await get(`/poll/a?token=${token}`)).status).toBe(304);
      expect((await get("/poll/a", null, { Cookie: `other=1; session=${token}` })).status).toBe(304);
      expect((await get("/poll/a", null, { Cookie: `Session=${token}` })).status).toBe(401);
      expect((await get(`/poll/a?token=${token}`, "bad")).status).toBe(401);
      expect(await socket("/ws/a", { "Sec-WebSocket-Protocol": `sluice.json.v1, token.${token}` })).toContain(
        "hello",
      );
      for (const [path, cookie] of [
        ["/poll/a", `session=${token}; session=${token}`],
        [`/poll/a?token=${token}&token=x`, "a=b"],
      ] as const) {
        const refused = await get(path, null, { Cookie: cookie });
        expect(refused.status).toBe(400);
        expect(refused.fields.get("x-nginx-pushstream-explain")).toBe(
          "There is more than one token in one place.",
        );
      }
    });

    test("claims of ours, of Mercure and of Centrifugo say the same thing", async () => {
      const poll = async (claims: Record<string, unknown>, channel: string) =>
        (await get(`/poll/${channel}`, await withSecret(claims))).status;
      expect(await poll(allowed([`box-\${sub}`]), "box-alice")).toBe(304);
      expect(await poll(allowed([`box-\${sub}`]), "box-bob")).toBe(403);
      expect(await poll({ ...allowed([`box-\${sub}`]), sub: "*" }, "box-bob")).toBe(403);
      expect(await poll({ ...allowed([`box-\${sub}`]), sub: undefined }, "box-")).toBe(403);
      expect(await poll({ mercure: { subscribe: ["*"] } }, "any")).toBe(304);
      expect(await poll({ mercure: { subscribe: ["any"], payload: { x: 1 } } }, "any")).toBe(304);
      // To Mercure that is a name.
      expect(await poll({ mercure: { subscribe: ["an*"] } }, "any")).toBe(403);
      expect(await poll({ mercure: { publish: ["*"] } }, "any")).toBe(403);
      expect(await poll({ channels: ["one", "two"] }, "two")).toBe(304);
      expect(await poll({ channels: ["*"] }, "two")).toBe(403);
      expect(await poll({ channel: "one" }, "one")).toBe(304);
      expect(await poll({ channel: "one" }, "two")).toBe(403);
      // What each token of an issuer may, besides.
      const paired = await signed(rsa.privateKey, "RS256");
      expect((await get("/poll/inbox-alice", paired)).status).toBe(304);
      expect((await get("/poll/inbox-bob", paired)).status).toBe(403);
    });

    test("statistics: of the channels one may hear, and all of them for who may hear all", async () => {
      const some = await withSecret(allowed(["a*"]));
      const all = await withSecret(allowed(["*"]));
      await ask(server.port, "/open-pub?id=ab", { method: "POST", body: "x" });
      expect((await get("/counted?id=ab", some)).status).toBe(200);
      for (const id of ["", "ALL", "a*", "b"]) {
        expect([id, (await get(`/counted?id=${id}`, some)).status]).toEqual([id, 403]);
        expect([id, (await get(`/counted?id=${id}`, all)).status]).not.toEqual([id, 403]);
      }
    });

    test("bad tokens are refused with the words of RFC 6750, whichever way they are bad", async () => {
      const grants = allowed(["a"]);
      const header = (await withSecret(grants)).split(".", 2);
      const claims = {
        iss: "https://example.com",
        aud: "https://push.example.com",
        exp: nowSec() + 60,
        ...grants,
      };
      const none = `${encoded({ alg: "none" })}.${encoded(claims)}.`;
      const bad: Record<string, string | Promise<string>> = {
        "no token": "nonsense",
        "alg none": none,
        "alg none with something behind it": `${none}AA`,
        "the RS key as the secret of an HS token": signed(new TextEncoder().encode(rsaPem), "HS256", grants),
        "an algorithm that is not in the list": signed(rsa512.privateKey, "RS512", grants),
        "HS384 where HS256 is allowed": signed(new TextEncoder().encode(SECRET.repeat(2)), "HS384", grants),
        "another's key under a known kid": signed(stranger.privateKey, "ES256", grants, { kid: "ec-1" }),
        "an unknown kid": signed(stranger.privateKey, "ES256", grants, { kid: "ec-9" }),
        "a key in its own header": signed(stranger.privateKey, "ES256", grants, { jwk: { kty: "EC" } }),
        "an address of keys in its header": signed(stranger.privateKey, "ES256", grants, {
          kid: "x",
          jku: keys.url,
        }),
        "not valid yet": withSecret({ ...grants, nbf: nowSec() + 3600 }),
        "another audience": withSecret({ ...grants, aud: "https://other.example" }),
        "no audience": withSecret({ ...grants, aud: undefined as never }),
        "another issuer": withSecret({ ...grants, iss: "https://evil.example" }),
        "an issuer that is a list": withSecret({ ...grants, iss: ["https://example.com"] as never }),
        "a text for a list of channels": withSecret({ channels: { subscribe: "a" } }),
        "numbers for channels": withSecret({ channels: { subscribe: [1] } }),
        "a pattern with a star in it": withSecret({ channels: { subscribe: ["a*b"] } }),
        "a sub that is a number": withSecret({ ...grants, sub: 7 as never }),
        "an exp beyond all calendars": withSecret({ ...grants, exp: 1e15 }),
        "an exp that is a text": withSecret({ ...grants, exp: "tomorrow" as never }),
        "more channels than one has": withSecret({
          channels: { subscribe: new Array<string>(300).fill("a") },
        }),
        "a mercure claim that is a list": withSecret({ ...grants, mercure: [] as never }),
        "a critical header nobody knows": withSecret(grants, { crit: ["x"], x: 1 }).catch(() => "x.y.z"),
        "deep claims": withSecret({ ...grants, deep: [[[[[[[[[[]]]]]]]]]] as never }),
        "a claim that stands twice": `${header[0]}.${encoded(`{"sub":"a","sub":"b"}`)}.AAAA`,
        "a changed claim": withSecret(grants).then((token) =>
          token.replace(/\.[^.]+\./, `.${encoded({ ...claims, sub: "root" })}.`),
        ),
        "a signature cut short": withSecret(grants).then((token) => token.slice(0, -8)),
        "four parts": withSecret(grants).then((token) => `${token}.AA`),
        "five parts, as if encrypted": "a.b.c.d.e",
        "10,000 characters": `${header[0]}.${"A".repeat(10_000)}.AA`,
      };
      for (const [why, token] of Object.entries(bad)) {
        const { status, fields } = await get("/poll/a", await token);
        const said = {
          why,
          status,
          explain: fields.get("x-nginx-pushstream-explain"),
          asks: fields.get("www-authenticate"),
        };
        expect(said).toEqual({
          why,
          status: 401,
          explain: "The token is not valid.",
          asks: 'Bearer realm="sluice", error="invalid_token", error_description="The token is not valid."',
        });
      }
      const expired = await get("/poll/a", await withSecret({ ...grants, exp: nowSec() - 3600 }));
      expect(expired.status).toBe(401);
      expect(expired.fields.get("x-nginx-pushstream-explain")).toBe("The token has expired.");
      // Clocks differ: half a minute is nothing.
      expect((await get("/poll/a", await withSecret({ ...grants, exp: nowSec() - 30 }))).status).toBe(304);
      const missing = await get("/poll/a");
      expect(missing.fields.get("www-authenticate")).toBe('Bearer realm="sluice"');
      expect(server.log).not.toContain("Bearer");
    });

    test("each kind of key verifies", async () => {
      for (const token of [
        await withSecret(allowed(["a"])),
        await signed(rsa.privateKey, "RS256", allowed(["a"])),
        await signed(ec.privateKey, "ES256", allowed(["a"]), { kid: "ec-1" }),
        // One key of that kind: it needs no name.
        await signed(ec.privateKey, "ES256", allowed(["a"])),
      ]) {
        expect((await get("/poll/a", token)).status).toBe(304);
        expect((await get("/poll/a", token)).status).toBe(304);
      }
    });
  },
);
