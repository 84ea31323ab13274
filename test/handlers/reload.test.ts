/**
 * Edited handlers are picked up by HUP and by `--watch`; faults are not. Workers that a handler holds up for
 * good, or eats up, are replaced. The compiled binary.
 */
import { afterEach, expect, setDefaultTimeout, test } from "bun:test";
import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ask, RawConnection } from "../binary/raw-client.ts";
import { type RunningServer, until, withSmallStore } from "../binary/running-server.ts";
import { handlerLocations, startHandlers, workerPids } from "./handler-server.ts";

setDefaultTimeout(90_000);

const version = (text: string): string =>
  `import { name } from "./lib.ts"; export default () => name + " ${text}";`;
const FILES = { "page.ts": version("one"), "lib.ts": `export const name = "lib";` };

let server: RunningServer;
afterEach(async () => {
  await server.stop();
});

/** A connection may meet a worker that is just leaving. */
const page = async (): Promise<string> => {
  try {
    return (await ask(server.port, "/page")).body.toString();
  } catch (error) {
    return String(error);
  }
};
const write = (name: string, text: string): void => writeFileSync(join(server.folder, name), text);

test("HUP picks up edited files", async () => {
  const workers = 2;
  server = await startHandlers(
    { workers, listener: "native" },
    { files: FILES, toml: handlerLocations(["page"]) },
  );
  expect(await page()).toBe("lib one");
  write("page.ts", version("two"));
  write("lib.ts", `export const name = "new lib";`);
  expect(await page()).toBe("lib one");
  server.process.kill("SIGHUP");
  await until("the new answer", async () => (await page()) === "new lib two");
  await until("nobody with the old one", () => workerPids(server).length === workers);
  for (let i = 0; i < 10; i++) expect(await page()).toBe("new lib two");
});

test("HUP with a syntax error is refused; the old handler serves on", async () => {
  server = await startHandlers(
    { workers: 1, listener: "native" },
    { files: FILES, toml: handlerLocations(["page"]) },
  );
  const pids = workerPids(server);
  write("page.ts", "\nexport default () => {");
  server.process.kill("SIGHUP");
  await until("the refusal", () => server.log.includes("reload refused"));
  expect(server.log).toContain("page.ts:2: not valid TypeScript");
  expect(await page()).toBe("lib one");
  expect(workerPids(server)).toEqual(pids);
});

test("--watch picks up what is saved, also by rename, what is imported, and after a fault", async () => {
  server = await startHandlers(
    { workers: 1, listener: "native" },
    { files: FILES, toml: handlerLocations(["page"]), args: ["--watch"] },
  );
  write("page.ts", version("two"));
  await until("the edited file", async () => (await page()) === "lib two");
  write("lib.tmp", `export const name = "renamed";`);
  renameSync(join(server.folder, "lib.tmp"), join(server.folder, "lib.ts"));
  await until("the renamed file", async () => (await page()) === "renamed two");
  write("page.ts", "export default () => {");
  await until("the refusal", () => server.log.includes("reload refused"));
  expect(await page()).toBe("renamed two");
  write("page.ts", version("three"));
  await until("the mended file", async () => (await page()) === "renamed three");
  writeFileSync(
    server.configFile,
    withSmallStore(`${handlerLocations(["page"])}${handlerLocations(["other"])}`),
  );
  write("other.ts", `export default () => "other";`);
  await until("the new location", async () => {
    const { body } = await ask(server.port, "/other").catch(() => ({ body: "" }));
    return body.toString() === "other";
  });
});

test.each(["native", "wire"] as const)(
  "a stop lets generators say a last word, and waits no longer, %s listener",
  async (listener) => {
    server = await startHandlers(
      { workers: 1, listener },
      {
        files: {
          "polite.ts": `
          export default async function* ({ sleep, signal }) {
            try { yield "begun\\n"; await sleep(60_000); }
            catch { yield "goodbye " + signal.reason.name + "\\n"; }
          }`,
          "deaf.ts": `export default async function* () { yield "begun\\n"; await new Promise(() => {}); }`,
        },
        toml: handlerLocations(["polite", "deaf"]),
      },
    );
    const [polite, deaf] = [await RawConnection.open(server.port), await RawConnection.open(server.port)];
    polite.request("/polite");
    deaf.request("/deaf");
    for (const connection of [polite, deaf]) {
      await connection.head();
      await connection.chunked(6);
    }
    const stopped = server.stop();
    expect((await polite.restOfChunks()).toString()).toBe("goodbye AbortError\n");
    expect((await deaf.restOfChunks()).toString()).toBe("");
    expect(await stopped).toBe(0);
  },
);

test.each(["native", "wire"] as const)(
  "QUIT waits for generators to come to their end, %s listener",
  async (listener) => {
    const files = {
      "lines.ts": `
      export default async function* ({ sleep }) {
        for (let i = 0; i < 4; i++) { yield i + "\\n"; await sleep(100); }
      }`,
    };
    server = await startHandlers({ workers: 1, listener }, { files, toml: handlerLocations(["lines"]) });
    const connection = await RawConnection.open(server.port);
    connection.request("/lines");
    await connection.head();
    await connection.chunked(2);
    server.process.kill("SIGQUIT");
    expect((await connection.restOfChunks()).toString()).toBe("1\n2\n3\n");
    connection.close();
    expect(await server.process.exited).toBe(0);
  },
);

test("an endless loop costs one worker, which is replaced", async () => {
  server = await startHandlers(
    { workers: 1, listener: "native" },
    {
      files: { ...FILES, "loop.ts": "export default () => { for (;;) Bun.sleepSync(1000); };" },
      toml: handlerLocations(["page", "loop"]),
    },
  );
  const [pid] = workerPids(server);
  const connection = await RawConnection.open(server.port);
  connection.request("/loop");
  await until("the worker to be found out", () => server.log.includes("its event loop stood still"), 40_000);
  await until("another worker", async () => (await page()) === "lib one");
  expect(workerPids(server)).not.toContain(pid as number);
  connection.close();
});

test("a handler that takes all memory there is costs one worker, which is replaced", async () => {
  server = await startHandlers(
    { workers: 1, listener: "native" },
    {
      files: {
        ...FILES,
        // Bounded, should the limit below not hold.
        "eat.ts": `
          export default () => {
            const eaten: Uint8Array[] = [];
            for (let i = 0; i < 1500; i++) eaten.push(new Uint8Array(1_000_000).fill(i));
            return String(eaten.length);
          };`,
      },
      toml: handlerLocations(["page", "eat"]),
    },
  );
  const [pid = 0] = workerPids(server);
  const limited = Bun.spawnSync(["prlimit", "--pid", String(pid), `--data=${700 * 2 ** 20}`]);
  expect(limited.exitCode).toBe(0);
  const connection = await RawConnection.open(server.port);
  connection.request("/eat");
  // The runtime throws a RangeError where it can, and aborts where it cannot.
  const rest = (await connection.untilEnd().catch((error: unknown) => String(error))).toString();
  expect(rest).not.toContain("1500");
  await until("a worker that serves", async () => (await page()) === "lib one", 30_000);
  connection.close();
});
