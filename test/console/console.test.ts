/**
 * The console's own addresses on the binary with two workers: what they show is so, from any worker, and who
 * may not look does not.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { binary, layout, type RunningServer, startServer, until } from "../binary/running-server.ts";

setDefaultTimeout(30_000);

const CONSOLE = '\n[[location]]\nmatch = "/console/"\nconsole = true\n';

let server: RunningServer;
beforeAll(async () => {
  server = await startServer({
    toml: `${layout('workers = 2\nlog_level = "info"', { ev: 'event_ids = "auto"' })}${CONSOLE}`,
  });
});
afterAll(() => server.stop());

interface Heard {
  readonly id: number;
  readonly type: string;
  readonly data: Record<string, unknown>;
}

/**
 * Events of the live stream until enough were heard; comes back where it was, as an EventSource does, when
 * its worker dies.
 */
async function listen(isEnough: (heard: readonly Heard[]) => boolean, from = 0): Promise<readonly Heard[]> {
  const heard: Heard[] = [];
  while (!isEnough(heard)) {
    const stop = new AbortController();
    try {
      await hear(heard, isEnough, heard.at(-1)?.id ?? from, stop.signal);
    } catch {
      // Its worker was killed.
      await Bun.sleep(50);
    } finally {
      stop.abort();
    }
  }
  return heard;
}

async function hear(
  heard: Heard[],
  isEnough: (heard: readonly Heard[]) => boolean,
  from: number,
  signal: AbortSignal,
): Promise<void> {
  const headers: Record<string, string> = from === 0 ? {} : { "Last-Event-ID": String(from) };
  const response = await fetch(`${server.url}/console/live`, { headers, signal });
  let text = "";
  for await (const chunk of response.body ?? []) {
    text += new TextDecoder().decode(chunk);
    const parts = text.split("\n\n");
    text = parts.pop() ?? "";
    for (const part of parts) {
      const field = (name: string): string => new RegExp(`^${name}: (.*)$`, "m").exec(part)?.[1] ?? "";
      if (field("data") !== "")
        heard.push({ id: Number(field("id")), type: field("event"), data: JSON.parse(field("data")) });
    }
    if (isEnough(heard)) return;
  }
}

interface Answered {
  readonly rows: readonly { readonly name: string }[];
  readonly messages: readonly { readonly id: number; readonly text: string; readonly size: number }[];
  readonly stored: number;
  readonly members: number | null;
}
const ask = async (path: string): Promise<Answered> =>
  (await fetch(`${server.url}/console/${path}`)).json() as Promise<Answered>;

test("samples count what all workers do, and go on when the worker that takes them is killed", async () => {
  const readers = [1, 2, 3].map(() => new AbortController());
  for (const { signal } of readers)
    void fetch(`${server.url}/ev/news`, { signal })
      .then((response) => response.text())
      .catch(() => null);
  await until("the readers", async () => (await server.statistics("news")).subscribers === 3);
  const publish = setInterval(() => void server.publish("news", "x").catch(() => null), 50);
  try {
    const last = (heard: readonly Heard[]) => heard.findLast(({ type }) => type === "")?.data;
    const heard = await listen((all) => Number(last(all)?.["delivered"]) > 15);
    expect(last(heard)).toMatchObject({ streams: 3, sockets: 0, polls: 0 });
    const workers = (last(heard)?.["workers"] ?? []) as { pid: number }[];
    expect(workers.length).toBe(2);
    process.kill(workers[0]?.pid ?? 0, "SIGKILL");
    const from = heard.at(-1)?.id ?? 0;
    // Taken by the other worker, or by the one that came: with its death among the numbers.
    const after = await listen((all) => Number(last(all)?.["replaced"]) > 0, from);
    expect(after[0]?.id).toBe(from + 1);
    expect(after.map(({ id }) => id)).toEqual(after.map((_, at) => from + 1 + at));
  } finally {
    clearInterval(publish);
    for (const reader of readers) reader.abort();
  }
});

test("channels are listed by what is asked for, and found by a part of their name", async () => {
  for (const [name, times] of [
    ["list-a", 1],
    ["list-b", 3],
    ["other", 2],
  ] as const)
    for (let time = 0; time < times; time++) await server.publish(name, "x");
  const names = async (query: string) => (await ask(`channels?${query}`)).rows.map(({ name }) => name);
  await until("the last one on both workers", async () => {
    const all = await Promise.all(Array.from({ length: 8 }, () => names("search=other")));
    return all.every((found) => found.length === 1);
  });
  expect(await names("search=list-&sort=stored")).toEqual(["list-b", "list-a"]);
  expect(await names("search=list-&sort=name")).toEqual(["list-a", "list-b"]);
  expect(await names("search=nothing")).toEqual([]);
  // Internal channels are nobody's to see.
  expect((await names("search=*")).length).toBe(0);
});

test("one channel shows its last messages, newest first, and takes one", async () => {
  await server.publish("one", "first");
  const sent = await fetch(`${server.url}/console/publish?id=one`, { method: "POST", body: "second" });
  expect(sent.status).toBe(204);
  const { messages, stored, members } = await ask("channel?id=one");
  expect(members).toBe(null);
  expect(stored).toBe(2);
  expect(messages.map(({ id, text, size }) => [id, text, size])).toEqual([
    [2, "second", 6],
    [1, "first", 5],
  ]);
  expect((await fetch(`${server.url}/console/channel?id=none`)).status).toBe(404);
});

test.each([
  ["no name", "", "x", 400],
  ["a name with a star", "a*", "x", 403],
  ["an internal channel", "*console", "x", 403],
  ["two names", "a/b", "x", 403],
  ["no text", "a", "", 400],
])("publishing to %s is refused", async (_what, id, body, status) => {
  const answer = await fetch(`${server.url}/console/publish?id=${encodeURIComponent(id)}`, {
    method: "POST",
    body,
  });
  expect(answer.status).toBe(status);
});

test("a page of another origin can make a browser publish nothing here", async () => {
  const headers = { Origin: "https://elsewhere.example" };
  const answer = await fetch(`${server.url}/console/publish?id=a`, { method: "POST", body: "x", headers });
  expect(answer.status).toBe(403);
});

test("files, methods and names that there are not", async () => {
  const page = await fetch(`${server.url}/console/`);
  expect(page.headers.get("content-security-policy")).toContain("default-src 'none'");
  expect((await fetch(`${server.url}/console/console.js`)).headers.get("content-type")).toContain(
    "javascript",
  );
  expect((await fetch(`${server.url}/console/else`)).status).toBe(404);
  expect((await fetch(`${server.url}/console/`, { method: "POST" })).status).toBe(405);
});

async function sluice(...args: string[]) {
  const child = Bun.spawn([binary, ...args, "--url", server.url], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { out, err, code };
}

test("sluice top shows the same in a terminal", async () => {
  await server.publish("top", "x");
  // A worker may have looked at the channels just before, and shows them for a second.
  await until("the channel in JSON", async () => {
    const { out, code } = await sluice("top", "--once", "--json");
    expect(code).toBe(0);
    const sample = JSON.parse(out);
    expect(sample.workers.length).toBeGreaterThan(0);
    return sample.top.some(({ name }: { name: string }) => name === "top");
  });
  await until("the channel in text", async () => {
    const { out } = await sluice("top", "--once");
    expect(out).toContain("published/s");
    return /^\s*top\b/m.test(out);
  });
  const none = await sluice("top", "--once", "--path", "/nothing/");
  expect(none).toMatchObject({ code: 1, err: expect.stringContaining("--path") });
});
