/**
 * A sluice without the web application, as an executable: main is the real one, workers live the real
 * worker's life around a toy server. `FIXTURE_WORKER` makes workers misbehave. Started by main.test.ts.
 *
 *   fixture-main.ts serve CONFIG.json     fixture-main.ts __worker
 */
import { readFileSync, writeSync } from "node:fs";
import type { startWorker } from "../../src/app.ts";
import type { Config } from "../../src/config/model.ts";
import { configureLog, log } from "../../src/log.ts";
import { WORKER_COMMAND } from "../../src/supervisor/handshake.ts";
import { parseAddress } from "../../src/supervisor/sockets/addresses.ts";
import type { ConfigOutcome } from "../../src/supervisor/supervision.ts";
import { supervise } from "../../src/supervisor/supervisor.ts";
import { liveAsWorker } from "../../src/supervisor/worker/worker-life.ts";

/** An event loop that stands still. */
function spin(): void {
  for (;;) Math.random();
}

const NAME = new TextEncoder().encode("news");
const nowSec = (): number => Math.floor(Date.now() / 1000);

/**
 * GET /who, /hold (a stream that ends with "bye" on drain), /publish, /stored, /log, /throw, /emfile, /env,
 * /spin.
 */
const startToy: typeof startWorker = ({ config, store, slot }) => {
  if (process.env["FIXTURE_WORKER"] === "fail") throw new Error("the toy does not want to start");
  const held = new Set<ReadableStreamDefaultController<string>>();
  const raise = (code: string) =>
    setTimeout(() => {
      throw Object.assign(new Error(`raised ${code}`), { code });
    });
  const answer = (request: Request): Response => {
    const { pathname } = new URL(request.url);
    if (pathname === "/who") return Response.json({ pid: process.pid, slot, text: config.messages.pingText });
    if (pathname === "/hold") {
      let mine: ReadableStreamDefaultController<string> | undefined;
      const stream = new ReadableStream<string>({
        start(controller) {
          mine = controller;
          held.add(controller);
          controller.enqueue("hello\n");
        },
        cancel: () => void (mine && held.delete(mine)),
      });
      return new Response(stream);
    }
    if (pathname === "/publish") {
      const index = store.open(NAME, nowSec());
      return new Response(
        String(store.append(index, store.incarnation(index), NAME, null, null, true, Date.now())),
      );
    }
    if (pathname === "/stored") return new Response(String(store.storedCount(store.find(NAME))));
    if (pathname === "/log") log("warn", `the worker in slot ${slot} was asked to log`);
    if (pathname === "/throw") raise("EWHATEVER");
    if (pathname === "/emfile") raise("EMFILE");
    if (pathname === "/env") return Response.json(process.env);
    if (pathname === "/spin") setTimeout(spin);
    return new Response("ok");
  };
  const servers = config.listen.map((text) => {
    const address = parseAddress(text);
    if (address === null) throw new Error(`bad address ${text}`);
    const { kind } = address;
    if (kind === "unix") return Bun.serve({ unix: address.path, fetch: answer });
    const { hostname, port } = address;
    return Bun.serve({ hostname, port, reusePort: true, idleTimeout: 0, fetch: answer });
  });
  return {
    addresses: config.listen,
    async drain() {
      if (process.env["FIXTURE_WORKER"] === "deaf") await Bun.sleep(60_000);
      for (const controller of held) {
        controller.enqueue("bye\n");
        controller.close();
      }
      await Promise.all(servers.map((server) => server.stop()));
    },
    reopenLogs: () => undefined,
    async quit() {
      await Promise.all(servers.map((server) => server.stop()));
    },
    stop() {
      for (const server of servers) server.stop(true);
    },
  };
};

async function runAsWorker(): Promise<number> {
  const behaviour = process.env["FIXTURE_WORKER"];
  if (behaviour === "crash") {
    writeSync(2, "crashing\n");
    process.kill(process.pid, "SIGKILL");
  }
  return await liveAsWorker(startToy);
}

function readConfig(path: string): ConfigOutcome {
  try {
    return { ok: true, config: JSON.parse(readFileSync(path, "utf8")) as Config };
  } catch (error) {
    return { ok: false, faults: [`${path}: ${(error as Error).message}`, "a second fault"] };
  }
}

async function runAsMain(path: string): Promise<number> {
  const loaded = readConfig(path);
  if (!loaded.ok) return 2;
  configureLog("debug", "main");
  const end = await supervise({
    config: loaded.config,
    reload: () => readConfig(path),
    onServing: ({ listen, workers, report }) => {
      log("info", "serving", {
        listen: listen.join(" "),
        workers,
        store: report.kind,
        messages: report.messages,
      });
    },
  });
  for (const fault of end.faults) writeSync(2, `sluice: ${fault}\n`);
  return end.code;
}

const [word, path = ""] = process.argv.slice(2);
process.exit(await (word === WORKER_COMMAND ? runAsWorker() : runAsMain(path)));
