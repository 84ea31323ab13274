/**
 * Every close code that is sent and every refusal of a WebSocket client's frame (src/http/frame-refusals.ts),
 * provoked on the compiled binary, on both listeners. A code that is added without a provocation does not
 * pass the compiler.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { hashOfKey, newKey, printKeyLine } from "../../src/access/key-text.ts";
import { CLOSE_CODES, CloseCode } from "../../src/http/close-codes.ts";
import { FrameRefusals } from "../../src/http/frame-refusals.ts";
import { nowSec, SECRET, withSecret } from "../access/issuing.ts";
import { ALL_SETTINGS, removeFolders, startHandlers } from "../handlers/handler-server.ts";
import { ask, standing } from "./raw-client.ts";
import { Opcode, RawWebSocket } from "./raw-web-socket.ts";
import { layout, type RunningServer } from "./running-server.ts";

setDefaultTimeout(30_000);
afterAll(removeFolders);

const { key, id } = newKey();
const KEYS = printKeyLine({ name: "admin", id, hash: hashOfKey(key), publish: ["*"], subscribe: [] });
const HOOKS = `export const onPublish = () => { throw new Error("on demand"); };`;
const FULL = `export const authorize = () => ({ status: 503, explain: "full today" });`;
const SOCKET = (match: string, more: string) =>
  `[[location]]\nmatch = "~ ^/${match}/(.*)$"\nsubscriber = "websocket"\nchannels_path = "$1"\n${more}\n`;
const GRANTED = `token = ["query:token"]\ntoken_issuers = ["app"]`;
const TOML = `
[[issuer]]
name = "app"
algorithms = ["HS256"]
key = "env:HUB_KEY"
clock_skew = 0
${layout(`[limits]\nmax_frame_size = 64`, {
  ws: "websocket_allow_publish = true\nstore_messages = true",
})}
${SOCKET("brief", 'subscriber_connection_ttl = "1s"')}
${SOCKET("hooked", 'websocket_allow_publish = true\nhooks = "hooks.ts"')}
${SOCKET("wanted", "authorized_channels_only = true")}
${SOCKET("mute", "")}
${SOCKET("full", 'authorize = "full.ts"')}
${SOCKET("granted", GRANTED)}
[[location]]
match = "= /revoke"
revoke = true
publisher_keys_file = "keys"
`;

describe.each(ALL_SETTINGS.filter(({ workers }) => workers === 1))("$listener listener", (setting) => {
  let server: RunningServer;
  beforeAll(async () => {
    process.env["HUB_KEY"] = SECRET;
    server = await startHandlers(setting, {
      files: { keys: `${KEYS}\n`, "hooks.ts": HOOKS, "full.ts": FULL },
      toml: TOML,
    });
  });
  afterAll(() => server.stop());

  const open = (path: string, headers = {}) => RawWebSocket.open(server.port, path, headers);
  const granted = async (sub: string, exp: number) =>
    open(`/granted/${sub}?token=${await withSecret({ sub, exp, channels: { subscribe: ["*"] } })}`);

  async function says(path: string, opcode: number, payload: string | Uint8Array): Promise<RawWebSocket> {
    const socket = await open(path);
    socket.sendFrame(opcode, payload);
    return socket;
  }

  const PROVOCATIONS: Record<
    Exclude<keyof typeof CloseCode, "NO_STATUS">,
    () => Promise<RawWebSocket> | RawWebSocket
  > = {
    GOING_AWAY: () => open("/brief/a"),
    PROTOCOL: async () => {
      const socket = await open("/ws/unmasked");
      socket.sendFrame(Opcode.TEXT, "x", { masked: false });
      return socket;
    },
    NO_TEXT: () => says("/ws/latin1", Opcode.TEXT, Buffer.from([0x61, 0xff])),
    POLICY: () => open("/wanted/nobody-made-it"),
    TOO_BIG: () => says("/ws/large", Opcode.TEXT, "x".repeat(65)),
    INTERNAL: () => says("/hooked/a", Opcode.TEXT, "x"),
    TRY_AGAIN: () => open("/full/a"),
    GRANT_ENDED: () => granted("brief", nowSec() + 1),
    GRANT_REVOKED: async () => {
      const socket = await granted("victim", nowSec() + 600);
      const headers = { "X-API-Key": key };
      expect(
        (await ask(server.port, "/revoke", { method: "POST", body: "sub=victim&ttl=60", headers })).status,
      ).toBe(204);
      return socket;
    },
    // The last: others would be sent away with it.
    SERVICE_RESTART: async () => {
      const socket = await open("/ws/reloaded");
      await standing(server.port, "reloaded", 1);
      server.process.kill("SIGHUP");
      return socket;
    },
  };

  test.each(Object.entries(PROVOCATIONS))("%s", async (name, provoke) => {
    const socket = await provoke();
    const { opcode, payload } = await socket.frame();
    socket.close();
    const code = CloseCode[name as keyof typeof CloseCode];
    expect([opcode, payload.readUInt16BE()]).toEqual([Opcode.CLOSE, code]);
    expect(CLOSE_CODES[code]).toBeString();
  });

  const FRAMES: Record<keyof typeof FrameRefusals, readonly [path: string, frame: object]> = {
    faultyFrame: ["/ws/f1", { kind: "token" }],
    noPublishing: ["/mute/f2", { kind: "publish", data: "x" }],
    noTokens: ["/ws/f3", { kind: "token", token: "x" }],
    foreignChannel: ["/ws/f4", { kind: "publish", channel: "of-others", data: "x" }],
    noSubscribing: ["/ws/f5", { kind: "subscribe", channels: ["x"] }],
  };

  test.each(Object.entries(FRAMES))("%s", async (name, [path, frame]) => {
    const { status, code } = FrameRefusals[name as keyof typeof FrameRefusals];
    const socket = await open(path, { "Sec-WebSocket-Protocol": "sluice.json.v1" });
    socket.sendFrame(Opcode.TEXT, JSON.stringify({ ref: 1, ...frame }));
    let told: Record<string, unknown> = {};
    while (told["kind"] !== "refused") told = JSON.parse(await socket.text());
    expect(told).toMatchObject({ ref: 1, status, code });
    socket.close();
  });
});
