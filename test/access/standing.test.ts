/**
 * What becomes of those who stand by a grant: on every transport, on two workers, over the compiled binary.
 * It ends with the grant, or goes on with the token that the client sends next, and ends when the grant is
 * taken back.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { hashOfKey, newKey, printKeyLine } from "../../src/access/key-text.ts";
import { ask, RawConnection } from "../binary/raw-client.ts";
import { Opcode, RawWebSocket } from "../binary/raw-web-socket.ts";
import { layout, type RunningServer, until } from "../binary/running-server.ts";
import { ALL_SETTINGS, removeFolders, startHandlers } from "../handlers/handler-server.ts";
import { nowSec, SECRET, withSecret } from "./issuing.ts";

setDefaultTimeout(30_000);
afterAll(removeFolders);

const { key, id } = newKey();
const KEYS = printKeyLine({ name: "admin", id, hash: hashOfKey(key), publish: ["*"], subscribe: [] });

const HOOKS = `
import type { Hooks } from "sluice";
const tell = (what, { grant, user, publish }) => void publish("seen", what + " " +
  JSON.stringify({ sub: grant?.sub, info: grant?.info, listens: grant?.subscribe, user }));
export const onSubscribe: Hooks["onSubscribe"] = (_event, context) => tell("came", context);
export const onUnsubscribe: Hooks["onUnsubscribe"] = (_event, context) => tell("went", context);
`;
const HANDLER = `
import type { Handler, WebSocketHandler } from "sluice";
const count: Handler = async function* ({ grant, sleep }) {
  yield "hello " + grant?.sub + "\\n";
  for (;;) { await sleep(60_000); yield "."; }
};
export default count;
export const websocket: WebSocketHandler = {
  open(socket, { grant }) { socket.send("hello " + grant?.sub); },
};
`;
const GUARD = `
import type { Authorize } from "sluice";
export const authorize: Authorize = ({ query, grant }) => query.has("narrow")
  ? { sub: "by guard of " + grant?.sub, subscribe: ["room"], exp: Number(query.get("exp")) }
  : { exp: Number(query.get("exp")) };
`;

const GUARDED = `
token = ["header", "query:token"]
token_issuers = ["app"]`;

/** Clocks here are the same: so that nobody waits a minute for an end. */
const TOML = `
[[issuer]]
name = "app"
algorithms = ["HS256"]
key = "env:HUB_KEY"
clock_skew = 0
${layout("", {
  sub: `${GUARDED}\nheader_template = "^"\nfooter_template = "$"`,
  ev: `${GUARDED}\nevent_ids = "auto"\nhooks = "hooks.ts"`,
  lp: `${GUARDED}\nlast_event_id = "$arg_eventid"`,
  ws: `${GUARDED}
websocket_allow_subscribe = true
websocket_allow_publish = true
store_messages = true
access_log = ["ACCESS_LOG users"]`,
})}
[[location]]
match = "= /handler"
handler = "handler.ts"
${GUARDED}
[[location]]
match = "~ ^/guarded/(.*)$"
subscriber = "eventsource"
channels_path = "$1"
authorize = "guard.ts"
require = "optional"
public = ["*"]
${GUARDED}
[[location]]
match = "~ ^/judged/(.*)$"
subscriber = "websocket"
channels_path = "$1"
authorize = "guard.ts"
websocket_allow_subscribe = true
require = "optional"
public = ["*"]
${GUARDED}
[[location]]
match = "= /revoke"
revoke = true
publisher_keys_file = "keys"
`;

const json = { "Sec-WebSocket-Protocol": "sluice.json.v1" };

describe.each(ALL_SETTINGS.filter(({ workers }) => workers === 2))(
  "standing, $listener listener",
  (setting) => {
    let server: RunningServer;
    let accessLog: string;
    beforeAll(async () => {
      process.env["HUB_KEY"] = SECRET;
      accessLog = join(process.env["TMPDIR"] ?? "/tmp", `sluice-access-${process.pid}-${Math.random()}.log`);
      server = await startHandlers(setting, {
        files: { keys: `${KEYS}\n`, "hooks.ts": HOOKS, "handler.ts": HANDLER, "guard.ts": GUARD },
        toml:
          `log_format = ["users $sluice_sub $request_uri $http_referer $status"]\n` +
          `${TOML.replace("ACCESS_LOG", accessLog)}`,
      });
    });
    afterAll(async () => {
      await server.stop();
      rmSync(accessLog, { force: true });
    });

    const revoke = async (form: string): Promise<number> =>
      (await ask(server.port, "/revoke", { method: "POST", body: form, headers: { "X-API-Key": key } }))
        .status;
    const publish = (channel: string, text: string) => server.publish(channel, text);

    async function stream(path: string): Promise<RawConnection> {
      const connection = await RawConnection.open(server.port);
      connection.request(path);
      expect((await connection.head()).status).toBe(200);
      return connection;
    }

    async function socket(path: string, headers: Record<string, string> = json): Promise<RawWebSocket> {
      const opened = await RawWebSocket.open(server.port, path, headers);
      if (headers === json) expect(await opened.text()).toContain('"kind":"hello"');
      return opened;
    }

    const closed = async (opened: RawWebSocket): Promise<string> => {
      const { opcode, payload } = await opened.frame();
      return opcode === Opcode.CLOSE
        ? `${payload.readUInt16BE()} ${payload.toString("utf8", 2)}`
        : `${opcode} ${payload}`;
    };

    const short = (channel: string, sub = "short") =>
      withSecret({ sub, exp: nowSec() + 2, channels: { subscribe: [channel], publish: [channel] } });

    test.concurrent("every transport ends with the grant, and says so as far as it can", async () => {
      const token = await short("first");
      const [text, events, ws, template] = await Promise.all([
        stream(`/sub/first?token=${token}`),
        stream(`/ev/first?token=${token}`),
        socket(`/ws/first?token=${token}`),
        socket(`/ws/first?token=${token}`, {}),
      ]);
      const poll = ask(server.port, `/lp/first?token=${token}`);
      const [handler, handlerSocket] = await Promise.all([
        stream(`/handler?token=${token}`),
        socket(`/handler?token=${token}`, {}),
      ]);
      expect(await handlerSocket.text()).toBe("hello short");
      await until("all of them stand", async () => (await server.statistics("first")).subscribers === 5);
      await publish("first", "one");
      expect(await ws.text()).toContain("one");
      expect(await closed(ws)).toBe('4001 {"http_status": 401, "explain":"The token has expired."}');
      expect(await template.text()).toBe("one");
      expect(await closed(template)).toStartWith("4001 ");
      expect(await closed(handlerSocket)).toStartWith("4001 ");
      expect((await text.restOfChunks()).toString()).toBe("^one$");
      const got = (await events.restOfChunks()).toString();
      expect(got).toEndWith("event: expired\ndata: expired\n\n");
      expect((await poll).body.toString()).toBe("one");
      expect((await ask(server.port, `/lp/first?token=${token}`)).status).toBe(401);
      expect((await handler.restOfChunks()).toString()).toContain("hello short");
      expect((await server.statistics("first")).subscribers).toBe(0);
      // Whoever comes back with a new token has missed nothing, and gets nothing twice.
      await publish("first", "two");
      const position = /^id: ?(.+)$/m.exec(got.slice(got.lastIndexOf("\nid:") + 1))?.[1] ?? "";
      const back = await stream(
        `/ev/first?token=${await short("first")}&eventid=${encodeURIComponent(position)}`,
      );
      await until("two", () => back.peek().includes("data: two"));
      expect(back.peek()).not.toContain("data: one");
      back.close();
    });

    test.concurrent("a socket adds the channels that its token grants, and no others", async () => {
      const channels = { subscribe: ["mine-*"], publish: [] };
      const token = await withSecret({ sub: "adder", exp: nowSec() + 600, channels });
      const opened = await socket(`/ws/mine-1?token=${token}&sluice_positions=`);
      const ask = async (on: RawWebSocket, ...channels: string[]): Promise<unknown> => {
        on.sendFrame(Opcode.TEXT, JSON.stringify({ kind: "subscribe", channels }));
        return JSON.parse(await on.text());
      };
      const refused = { kind: "refused", status: 403, code: "not_granted" };
      expect(await ask(opened, "yours")).toMatchObject(refused);
      expect(await ask(opened, "mine-2", "yours")).toMatchObject(refused);
      expect(await ask(opened, "mine-2")).toMatchObject({ kind: "subscribed", channels: ["mine-2"] });
      // Of what a next token does not grant, nothing more is added.
      const narrow = { sub: "adder", exp: nowSec() + 600, channels: { subscribe: ["mine-1", "mine-2"] } };
      opened.sendFrame(Opcode.TEXT, JSON.stringify({ kind: "token", token: await withSecret(narrow) }));
      expect(JSON.parse(await opened.text())).toMatchObject({ kind: "token" });
      expect(await ask(opened, "mine-3")).toMatchObject(refused);
      await publish("mine-2", "hello");
      expect(JSON.parse(await opened.text())).toMatchObject({ kind: "message", data: "hello" });
      opened.close();
      // Code that judged the channels of the request is not asked about others.
      const judged = await socket(`/judged/room?exp=${nowSec() + 600}&sluice_positions=`);
      expect(await ask(judged, "yours")).toMatchObject({ kind: "refused", code: "no_subscribing" });
      judged.close();
    });

    test.concurrent("a socket goes on with the token sent next, not a bad one or another's", async () => {
      const opened = await socket(`/ws/room?token=${await short("room", "renewer")}`);
      const say = (frame: Record<string, unknown>): void =>
        opened.sendFrame(Opcode.TEXT, JSON.stringify(frame));
      const answer = async (): Promise<unknown> => JSON.parse(await opened.text());
      const later = nowSec() + 600;
      const next = (more: Record<string, unknown>) =>
        withSecret({ sub: "renewer", exp: later, channels: { subscribe: ["room"], publish: [] }, ...more });
      say({ kind: "token", ref: 1, token: "nonsense" });
      expect(await answer()).toEqual({
        kind: "refused",
        ref: 1,
        status: 401,
        code: "invalid_token",
        explain: "The token is not valid.",
      });
      say({ kind: "token", ref: 2, token: await next({ sub: "somebody else" }) });
      expect(await answer()).toMatchObject({ kind: "refused", ref: 2, status: 401 });
      say({ kind: "token", ref: 3, token: await next({ channels: { subscribe: ["elsewhere"] } }) });
      expect(await answer()).toMatchObject({ kind: "refused", ref: 3, status: 403 });
      say({ kind: "token", ref: 4, token: await next({}), more: 1 });
      expect(await answer()).toMatchObject({ kind: "refused", ref: 4, status: 400 });
      say({ kind: "publish", data: "by the first" });
      expect(await answer()).toMatchObject({ kind: "message", data: "by the first" });
      say({ kind: "token", ref: 6, token: await next({}) });
      expect(await answer()).toEqual({ kind: "token", ref: 6, expires: later });
      // What the next one does not grant is over.
      say({ kind: "publish", ref: 7, data: "no" });
      expect(await answer()).toMatchObject({ kind: "refused", ref: 7, status: 403 });
      const other = await socket(`/ws/room?token=${await short("room")}`);
      expect(await closed(other)).toStartWith("4001");
      await publish("room", "still here");
      expect(await answer()).toMatchObject({ kind: "message", data: "still here" });
      expect(await revoke("sub=renewer&ttl=60")).toBe(204);
      expect(await closed(opened)).toBe(
        '4003 {"http_status": 401, "explain":"What the token or key granted was taken back."}',
      );
    });

    test.concurrent("what is taken back ends on every worker and transport, and is refused", async () => {
      const tokenOf = (sub: string, more: Record<string, unknown> = {}) =>
        withSecret({ sub, channels: { subscribe: ["*"] }, ...more });
      const victim = await tokenOf("victim");
      const one = await tokenOf("two tokens", { jti: "t-1" });
      const other = await tokenOf("two tokens", { jti: "t-2", iat: nowSec() - 100 });
      const gone = await Promise.all([
        socket(`/ws/held?token=${victim}`),
        socket(`/ws/held?token=${victim}`),
        socket(`/ws/held?token=${one}`),
      ]);
      const events = await stream(`/ev/held?token=${victim}`);
      const stays = await socket(`/ws/held?token=${other}`);
      expect(await revoke("sub=victim&ttl=2")).toBe(204);
      expect(await revoke("jti=t-1&ttl=60")).toBe(204);
      for (const each of gone) expect(await closed(each)).toStartWith("4003");
      expect((await events.restOfChunks()).toString()).toEndWith("event: revoked\ndata: revoked\n\n");
      for (let asked = 0; asked < 8; asked++) {
        const { status } = await ask(server.port, `/lp/held.b1?token=${one}`);
        expect(status).toBe(401);
      }
      await until(
        "its time is over",
        async () =>
          (await ask(server.port, `/ev/held?token=${victim}`, { method: "OPTIONS" })).status === 200 &&
          (await statusOf(`/ev/held?token=${victim}`)) === 200,
      );
      // All that were issued before.
      expect(await revoke(`issued_before=${nowSec() - 50}&ttl=60`)).toBe(204);
      expect(await closed(stays)).toStartWith("4003");
      expect(await statusOf(`/ev/held?token=${await tokenOf("new", { iat: nowSec() })}`)).toBe(200);
      // Of one that does not say when, nobody can say that it is newer.
      expect(await statusOf(`/ev/held?token=${await tokenOf("unknown", { iat: undefined })}`)).toBe(401);
    });

    async function statusOf(path: string): Promise<number> {
      const connection = await RawConnection.open(server.port);
      connection.request(path);
      const { status } = await connection.head();
      connection.close();
      return status;
    }

    test.concurrent("a revocation says what is wrong with it, and is for who may", async () => {
      for (const form of [
        "",
        "sub=a",
        "ttl=1",
        "sub=a&ttl=0",
        "sub=a&jti=b&ttl=1",
        "sub=a&ttl=1&x=1",
        "issued_before=x&ttl=1",
        '{"sub":1,"ttl":1}',
        "{",
        `sub=${"a".repeat(300)}&ttl=1`,
      ])
        expect([form, await revoke(form)]).toEqual([form, 400]);
      expect((await ask(server.port, "/revoke", { method: "POST", body: "sub=a&ttl=1" })).status).toBe(401);
      expect((await ask(server.port, "/revoke", { headers: { "X-API-Key": key } })).status).toBe(405);
      expect(
        (
          await ask(server.port, "/revoke", {
            method: "POST",
            body: "sub=a&ttl=1",
            headers: { "X-API-Key": key, Origin: "https://evil.example" },
          })
        ).status,
      ).toBe(403);
    });

    test.concurrent("hooks, guards and the log know whom a grant is for; no log has a token", async () => {
      const token = await withSecret({
        sub: "inf\u00f6",
        iat: nowSec(),
        channels: { subscribe: ["h-*"] },
        info: { name: "I" },
      });
      const seen = await stream(
        "/ev/seen?token=" +
          (await withSecret({
            sub: "watcher",
            iat: nowSec(),
            channels: { subscribe: ["seen"] },
          })),
      );
      const held = await stream(`/ev/h-1?token=${token}`);
      await until("it stands", async () => (await server.statistics("h-1")).subscribers === 1);
      held.close();
      await until("it has gone", async () => (await server.statistics("h-1")).subscribers === 0);
      const grant = '{"sub":"inf\u00f6","info":{"name":"I"},"listens":["h-*"],"user":"inf\u00f6"}';
      const said = (): string => Buffer.from(seen.peek(), "latin1").toString();
      await until(
        "both are told",
        () => said().includes(`came ${grant}`) && said().includes(`went ${grant}`),
      );
      seen.close();
      // What a guard grants.
      const soon = nowSec() + 2;
      const narrowed = await withSecret({ iat: nowSec(), channels: { subscribe: ["*"] } });
      const guarded = await stream(`/guarded/room?narrow=1&exp=${soon}&token=${narrowed}`);
      expect((await guarded.restOfChunks()).toString()).toEndWith("event: expired\ndata: expired\n\n");
      expect(await statusOf(`/guarded/other?narrow=1&exp=${nowSec() + 60}`)).toBe(403);
      expect(await statusOf(`/guarded/other?exp=${nowSec() + 60}`)).toBe(200);
      expect(await statusOf(`/guarded/other?exp=${nowSec() - 60}`)).toBe(403);
      const opened = await socket(`/ws/h-1?token=${token}`, {
        ...json,
        Referer: `https://x.example/?a=1&token=${token}`,
      }).catch(() => null);
      opened?.close();
      await until("the log", () => readFileSync(accessLog, "latin1").includes("inf"));
      const log = readFileSync(accessLog, "latin1");
      expect(log).toContain("token=***");
      expect(log).not.toContain(token.slice(-20));
      expect(server.log).not.toContain(token.slice(-20));
    });
  },
);
