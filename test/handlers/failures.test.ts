/**
 * Handlers that throw, hang, exit, answer nonsense or let errors go: each costs its own request, which is
 * told an id that is in the log, and no worker. Raw bytes of the compiled binary.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { ask, RawConnection } from "../binary/raw-client.ts";
import { type RunningServer, until } from "../binary/running-server.ts";
import { errorId, forSettings, handlerLocations, startHandlers, workerPids } from "./handler-server.ts";

setDefaultTimeout(60_000);

const FILES: Record<string, string> = {
  "throws.ts": `export default () => { throw new Error("thrown at call"); };`,
  "rejects.ts": `export default async () => { await Bun.sleep(1); throw new Error("rejected"); };`,
  "throws-text.ts": `export default () => { throw "only a text"; };`,
  "throws-trap.ts": `export default () => { throw { toString() { throw 1; } }; };`,
  "throws-first.ts": `
    export default async function* () {
      if (Date.now() > 0) throw new Error("before any piece");
      yield "";
    }`,
  "exits.ts": `export default () => process.exit(0);`,
  "aborts.ts": `export default () => process.abort();`,
  "exits-later.ts": `export default () => { setTimeout(() => process.exit(1), 1); return "soon"; };`,
  "object.ts": `export default () => ({ a: 1 });`,
  "list.ts": `export default () => ["a"];`,
  "number.ts": `export default () => 7;`,
  "twice.ts": `const one = new Response("x"); export default () => one;`,
  "yields-number.ts": `export default async function* () { yield 1; }`,
  "too-large.ts": `export default () => new Uint8Array(2 ** 50);`,
  "too-deep.ts": `const deep = (n) => deep(n + 1) + 1; export default () => deep(0);`,
  "hangs.ts": `export default () => new Promise(() => {});`,
  "never-yields.ts": `
    let closed = 0;
    export default async function* ({ sleep, query, signal }) {
      if (query.has("closed")) { yield String(closed); return; }
      try { await sleep(60_000); yield "never"; } finally { closed += signal.aborted ? 1 : 100; }
    }`,
  "late-timer.ts": `
    const late = () => { throw new Error("thrown by a timer"); };
    export default () => { setTimeout(late, 1); return "fine"; };`,
  "late-promise.ts": `export default () => { void Promise.reject(new Error("let go")); return "fine"; };`,
  "late-text.ts": `export default () => { void Promise.reject("a bare text"); return "fine"; };`,
  "late-fetch.ts": `export default () => { void fetch("http://127.0.0.1:1/"); return "fine"; };`,
  "mid-stream.ts": `
    export default async function* ({ sleep }) {
      yield "one\\n";
      await sleep(100);
      throw new Error("thrown mid-stream");
    }`,
  "bad-import.ts": `throw new Error("thrown at import"); export default () => "";`,
  "bad-export.ts": `export default 7 as unknown as () => string;`,
  "left.ts": `
    let ended = 0, seen = "";
    export default async function* ({ sleep, query, signal }) {
      if (query.has("ended")) { yield ended + seen; return; }
      try {
        yield "begun\\n";
        await sleep(60_000);
        yield "never";
      } catch (error) { seen = " " + error.name; throw error;
      } finally { ended += signal.aborted ? 1 : 100; }
    }`,
  "throws-after.ts": `
    export default async function* ({ sleep }) {
      try { yield "begun\\n"; await sleep(60_000); } finally { throw new Error("thrown after close"); }
    }`,
  "own-end.ts": `
    export default async function* ({ sleep, query, request }) {
      yield "begun\\n";
      request.signal.addEventListener("abort", () => {});
      try { await sleep(60_000); } catch { yield "still talking to nobody"; }
    }`,
  "good.ts": `export default () => "good";`,
};

const NAMES = Object.keys(FILES).map((name) => name.slice(0, -3));
const TOML = handlerLocations(NAMES, 'handler_timeout = "400ms"');

forSettings("handlers that fail", (setting) => {
  let server: RunningServer;
  let pids: readonly number[];
  beforeAll(async () => {
    server = await startHandlers(setting, { files: FILES, toml: TOML });
    pids = workerPids(server);
    expect(pids.length).toBe(setting.workers);
  });
  afterAll(async () => {
    expect(workerPids(server)).toEqual(pids);
    await server.stop();
  });

  test.each([
    ["throws", "Error: thrown at call"],
    ["rejects", "Error: rejected"],
    ["throws-text", "only a text"],
    ["throws-trap", "something that cannot be shown was thrown"],
    ["throws-first", "Error: before any piece"],
    ["exits", "Error: a handler cannot end its worker: process.exit() does nothing here"],
    ["aborts", "Error: a handler cannot end its worker: process.abort() does nothing here"],
    ["object", "TypeError: a handler cannot answer with a plain object"],
    ["list", "TypeError: a handler cannot answer with a list"],
    ["number", "TypeError: a handler cannot answer with a number"],
    ["too-large", "RangeError: "],
    ["too-deep", "RangeError: Maximum call stack"],
    ["hangs", "TooLate: no answer within 400 ms"],
    ["never-yields", "TooLate: no answer within "],
  ])("%s: 500 with an id that is in the log", async (name, sentence) => {
    const { status, fields, body } = await ask(server.port, `/${name}`);
    const id = errorId(fields);
    expect(status).toBe(500);
    expect(body.toString()).toBe(`Internal Server Error (id ${id})\n`);
    await until("its line in the log", () => server.log.includes(id));
    const line = server.log.split("\n").find((each) => each.includes(id));
    expect(line).toContain(`error worker `);
    expect(line).toContain(`handler failed: ${sentence}`);
    expect(line).toContain(`${name}.ts`);
    expect(line).toContain(`path=/${name}`);
  });

  test("whoever took too long is woken and closed", async () => {
    if (setting.workers > 1) return;
    const closed = async () => (await ask(server.port, "/never-yields?closed")).body.toString();
    await until("its finally", async () => (await closed()) === "1");
  });

  test.each(["bad-import", "bad-export"])("%s: every request has the id of the one line", async (name) => {
    const { status, fields } = await ask(server.port, `/${name}`);
    expect(status).toBe(500);
    const id = errorId(fields);
    expect(server.log.split("\n").filter((line) => line.includes(id)).length).toBe(1);
    const fault = name === "bad-import" ? "Error: thrown at import" : 'TypeError: the export "default"';
    expect(server.log).toContain(`import failed: ${fault}`);
  });

  test.each([
    ["late-timer", "thrown by a timer"],
    ["late-promise", "let go"],
    ["late-text", "a bare text"],
    ["late-fetch", "a handler let an error go"],
    ["exits-later", "a handler cannot end its worker"],
  ])("%s: an error that was let go is in the log, and that is all", async (name, sentence) => {
    const logged = server.log.length;
    expect((await ask(server.port, `/${name}`)).status).toBe(200);
    await until("its line in the log", () => server.log.slice(logged).includes(sentence));
    expect((await ask(server.port, "/good")).body.toString()).toBe("good");
    expect(workerPids(server)).toEqual(pids);
  });

  test("one Response for two requests is refused the second time", async () => {
    let last = 200;
    for (let i = 0; i < 20 && last === 200; i++) last = (await ask(server.port, "/twice")).status;
    expect(last).toBe(500);
  });

  test.each([
    ["mid-stream", "one\n", "thrown mid-stream"],
    ["yields-number", "", "a handler yields text or bytes, not number"],
  ])("%s: the client sees that the answer is not whole", async (name, text, sentence) => {
    const connection = await RawConnection.open(server.port);
    connection.request(`/${name}`);
    if (text !== "") {
      await connection.head();
      expect(await connection.chunkedText(text.length)).toBe(text);
    }
    const rest = await connection.untilEnd();
    expect(rest.toString("latin1")).not.toContain("0\r\n\r\n");
    await until("its line in the log", () => server.log.includes(sentence));
    connection.close();
  });

  test("a client that leaves ends the generator, even while it sleeps", async () => {
    if (setting.workers > 1) return;
    const connection = await RawConnection.open(server.port);
    connection.request("/left");
    await connection.head();
    await connection.chunked(6);
    connection.close();
    const ended = async () => (await ask(server.port, "/left?ended")).body.toString();
    await until("its finally", async () => (await ended()) === "1 AbortError");
  });

  test("what it throws after its client has left is in the log", async () => {
    const connection = await RawConnection.open(server.port);
    connection.request("/throws-after");
    await connection.head();
    await connection.chunked(6);
    connection.close();
    await until("its line in the log", () => server.log.includes("thrown after close"));
  });

  test("it may go on after its client has left, and nobody is hurt", async () => {
    const connection = await RawConnection.open(server.port);
    connection.request("/own-end");
    await connection.head();
    await connection.chunked(6);
    connection.close();
    await Bun.sleep(100);
    expect((await ask(server.port, "/good")).status).toBe(200);
  });

  test("a client that leaves before the answer begins wakes the handler", async () => {
    const connection = await RawConnection.open(server.port);
    connection.request("/never-yields");
    await Bun.sleep(50);
    connection.close();
    await Bun.sleep(50);
    expect((await ask(server.port, "/good")).status).toBe(200);
  });
});
