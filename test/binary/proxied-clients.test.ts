/**
 * Clients behind a proxy, on the compiled binary and both listeners: everything that looks at addresses sees
 * that of the client as a trusted proxy tells it, and nobody else is believed. Past hole: `access = ["allow
 * 127.0.0.1", "deny all"]` let everyone in who came through an nginx on the same machine, and through a unix
 * socket nobody.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { removeFolders, startHandlers } from "../handlers/handler-server.ts";
import { ask, type RawAnswer, RawConnection, type RawRequest } from "./raw-client.ts";
import { Opcode, RawWebSocket } from "./raw-web-socket.ts";
import { type RunningServer, until } from "./running-server.ts";

const CLIENT = "192.0.2.7";
const QUOTA = 3;

const FILES = {
  "guard.ts": `export const authorize = async ({ remoteAddress, sleep }) => {
    await sleep(1);
    return remoteAddress === "${CLIENT}";
  };`,
  "hooks.ts":
    "export const onSubscribe = ({ remoteAddress }, { publish }) => { " +
    `publish("came-" + remoteAddress, "x"); };`,
  "who.ts": `export default ({ remoteAddress }) => remoteAddress;`,
  "talk.ts": `export const websocket = { open(socket) { socket.send(socket.remoteAddress); } };`,
};

const pub = (match: string, more: string, of = "location"): string =>
  `[[${of}]]\nmatch = "= /${match}"\npublisher = "admin"\nchannels_path = "$arg_id"\n` +
  `store_messages = true\n${more}\n`;
const RULES = `access = ["allow ${CLIENT}", "allow 2001:db8:2::/48", "deny all"]`;
const IF = (of: string): string => `[[${of}.step]]\nif = "$remote_addr != ${CLIENT}"\nreturn = "403"\n`;

const TOML = (log: string): string => `
trusted_proxies = ["127.0.0.1", "10.0.0.0/8", "unix:"]
log_format = ["who $remote_addr|$realip_remote_addr|$status"]
[limits]
max_channels_created_per_address = ${QUOTA}
${pub("open", "")}
${pub("rules", RULES)}
${pub("if", IF("location"))}
${pub("guarded", 'authorize = "guard.ts"')}
${pub("logged", `access_log = ["${log} who"]`)}
[[location]]
match = "~ ^/ws/(.*)$"
subscriber = "websocket"
channels_path = "$1"
${RULES}
hooks = "hooks.ts"
[[location]]
match = "= /who"
handler = "who.ts"
add_header = ["X-Who $remote_addr|$realip_remote_addr"]
[[location]]
match = "= /talk"
handler = "talk.ts"
[[location]]
match = "= /channels-stats"
statistics = true
channels_path = "$arg_id"
[[location]]
match = "= /bare"
empty = true
[[location.step]]
return = "200 served"
[[server]]
listen = ["127.0.0.1:1"]
server_name = ["strangers"]
trusted_proxies = ["10.0.0.0/8"]
${pub("rules", RULES, "server.location")}
[[server.location]]
match = "= /who"
handler = "who.ts"
[[server]]
listen = ["127.0.0.1:1"]
server_name = ["forwarded"]
real_ip_header = "Forwarded"
${pub("rules", RULES, "server.location")}
[[server]]
listen = ["127.0.0.1:1"]
server_name = ["steps"]
real_ip_header = "x-real-ip"
real_ip_recursive = false
[[server.step]]
if = "$remote_addr = 10.0.0.1"
return = "200 $remote_addr"
`;

describe.each(["native", "wire"] as const)("%s listener", (listener) => {
  let server: RunningServer;
  let unix: string;
  let accessLog: string;

  beforeAll(async () => {
    const log = `/tmp/sluice-proxied-${process.pid}-${listener}.log`;
    accessLog = log;
    unix = `/tmp/sluice-proxied-${process.pid}-${listener}.sock`;
    const parts = { files: FILES, toml: "", args: ["--listen", `unix:${unix}`] };
    server = await startHandlers({ workers: 1, listener }, { ...parts, toml: TOML(log) });
  });
  afterAll(async () => {
    await server.stop();
    removeFolders();
    await Bun.file(accessLog)
      .delete()
      .catch(() => expect(existsSync(accessLog)).toBeFalse());
  });

  const from = (forwarded: string | null, more: RawRequest["headers"] = {}): Record<string, string> => ({
    ...(forwarded === null ? {} : { "X-Forwarded-For": forwarded }),
    ...more,
  });
  const post = (path: string, headers: RawRequest["headers"] = {}) =>
    ask(server.port, path, { method: "POST", body: "x", headers });
  const UNKNOWN = [400, "The proxy did not say who its client is."];
  const outcome = ({ status, fields }: RawAnswer): number | (number | string)[] => {
    const explain = fields.get("x-nginx-pushstream-explain");
    return explain === undefined ? status : [status, explain];
  };

  const SAID: readonly (readonly [forwarded: string | null, outcome: number | (number | string)[]])[] = [
    [CLIENT, 200],
    [`6.6.6.6, ${CLIENT}, 10.0.0.3`, 200],
    ["6.6.6.6", 403],
    // The client's own tale.
    [`${CLIENT}, 6.6.6.6`, 403],
    ["127.0.0.1", 403],
    [null, UNKNOWN],
    ["", UNKNOWN],
    ["unknown", UNKNOWN],
    [`${CLIENT}, somebody`, UNKNOWN],
    [`${CLIENT}${",10.0.0.1".repeat(40)}`, UNKNOWN],
    [`${CLIENT}, ${"1".repeat(5000)}`, UNKNOWN],
  ];
  test.each(["rules", "if", "guarded"])("/%s judges the client, not the proxy", async (path) => {
    for (const [forwarded, expected] of SAID)
      expect([forwarded, outcome(await post(`/${path}?id=a`, from(forwarded)))]).toEqual([
        forwarded,
        expected,
      ]);
  });

  test("who is no trusted proxy is not believed, whatever he says", async () => {
    for (const said of [CLIENT, "unknown", null]) {
      const headers = from(said, { Host: "strangers" });
      expect(outcome(await post("/rules?id=a", headers))).toBe(403);
      expect((await ask(server.port, "/who", { headers })).body.toString()).toBe("127.0.0.1");
    }
  });

  test("a server says for itself which header it is, and how far it goes", async () => {
    const forwarded = async (value: string | null) =>
      outcome(
        await post("/rules?id=a", {
          Host: "forwarded",
          ...from("6.6.6.6", value === null ? {} : { Forwarded: value }),
        }),
      );
    expect(await forwarded(`for=6.6.6.6, for=${CLIENT};proto=https`)).toBe(200);
    expect(await forwarded('for="[2001:db8:2::9]:4711", for=10.0.0.1')).toBe(200);
    expect(await forwarded(`for=${CLIENT}, for=_hidden`)).toEqual(UNKNOWN);
    expect(await forwarded(`for=${CLIENT}, for=unknown`)).toEqual(UNKNOWN);
    expect(await forwarded(null)).toEqual(UNKNOWN);

    const steps = (value: string) =>
      ask(server.port, "/any", { headers: { Host: "steps", "X-Real-IP": value } });
    expect((await steps(`${CLIENT}, 10.0.0.1`)).body.toString()).toBe("10.0.0.1");
    expect((await steps(CLIENT)).status).toBe(404);
    expect(outcome(await steps("nobody"))).toEqual(UNKNOWN);
  });

  test("through a unix socket", async () => {
    const through = async (forwarded: string | null) =>
      (await fetch("http://x/rules?id=a", { unix, method: "POST", body: "x", headers: from(forwarded) }))
        .status;
    expect([await through(CLIENT), await through("6.6.6.6"), await through(null)]).toEqual([200, 403, 400]);
  });

  test("code, variables and logs name the client; $realip_remote_addr the proxy", async () => {
    const { body, fields } = await ask(server.port, "/who", { headers: from("2001:DB8:2:0::9") });
    expect([body.toString(), fields.get("x-who")]).toEqual(["2001:db8:2::9", "2001:db8:2::9|127.0.0.1"]);
    expect((await post("/logged?id=a", from("6.6.6.6, 192.0.2.8"))).status).toBe(200);
    await until("the line", () => existsSync(accessLog) && readFileSync(accessLog, "utf8") !== "");
    expect(readFileSync(accessLog, "utf8")).toBe("192.0.2.8|127.0.0.1|200\n");
  });

  test("WebSockets: rules, hooks and handlers; a client nobody names gets no socket", async () => {
    const socket = await RawWebSocket.open(server.port, "/ws/room", from(`6.6.6.6, ${CLIENT}`));
    await until("the hook", async () => (await server.statistics(`came-${CLIENT}`)).published_messages === 1);
    socket.connection.close();
    const talk = await RawWebSocket.open(server.port, "/talk", from(CLIENT));
    const { opcode, payload } = await talk.frame();
    expect([opcode, payload.toString()]).toEqual([Opcode.TEXT, CLIENT]);
    talk.connection.close();
    for (const said of ["6.6.6.6", "unknown", null]) {
      const refused = RawWebSocket.open(server.port, "/ws/room", from(said));
      expect(refused).rejects.toThrow(said === "6.6.6.6" ? "403" : "400");
      await refused.catch(() => undefined);
    }
  });

  test("each client has its own quota of new channels, and an unknown one makes none", async () => {
    const made = async (address: string | null, count: number): Promise<unknown[]> => {
      const outcomes: unknown[] = [];
      for (let i = 0; i < count; i++)
        outcomes.push(outcome(await post(`/open?id=${address}-${i}`, from(address))));
      return outcomes;
    };
    const TOO_MANY = [403, "Too many channels were created from this address."];
    expect(await made("198.51.100.1", QUOTA + 1)).toEqual([...Array(QUOTA).fill(200), TOO_MANY]);
    expect(await made("198.51.100.2", QUOTA)).toEqual(Array(QUOTA).fill(200));
    expect(await made("unknown", 1)).toEqual([UNKNOWN]);
    expect((await server.statistics("unknown-0")).published_messages).toBe(0);
  });

  test("where nobody asks who comes, nobody has to say", async () => {
    expect((await ask(server.port, "/bare")).status).toBe(200);
    expect((await ask(server.port, "/health/ready")).status).toBe(200);
  });

  test("the refused are counted, and told to the operator once in a while", async () => {
    const before = await server.metric("sluice_refused_requests_total");
    const connection = await RawConnection.open(server.port);
    for (let i = 0; i < 5; i++) {
      connection.request("/rules?id=a", { headers: from(null) });
      expect((await connection.answer()).status).toBe(400);
    }
    connection.close();
    expect(await server.metric("sluice_refused_requests_total")).toBe(before + 5);
    const lines = server.log.split("\n").filter((line) => line.includes("a trusted proxy does not say"));
    expect(lines.length).toBeLessThan(5);
    expect(lines[0]).toContain('proxy=127.0.0.1 header=X-Forwarded-For fault="it is missing" requests=1');
  });
});
