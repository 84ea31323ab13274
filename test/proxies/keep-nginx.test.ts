/**
 * `sluice convert --keep-nginx`: an nginx.conf with push in several places, taken apart, and both parts run,
 * Debian's nginx in front of the binary. Its nginx has no push stream module, so what it serves shows that
 * none of it is left.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ask, RawConnection, type RawRequest } from "../binary/raw-client.ts";
import { RawWebSocket } from "../binary/raw-web-socket.ts";
import { binary, freePort, until } from "../binary/running-server.ts";
import { runSluice } from "../cli/run-sluice.ts";
import { temporaryPaths } from "../nginx-temporary.ts";

setDefaultTimeout(60_000);

const folder = mkdtempSync(join(tmpdir(), "sluice-keep-"));
const out = join(folder, "out");
const original = join(folder, "etc");
const port = freePort();
const other = freePort();
const behind = freePair();

/** A free port whose successor, which is the second server's, is free as well. */
function freePair(): number {
  for (;;) {
    const first = freePort();
    try {
      Bun.listen({ hostname: "127.0.0.1", port: first + 1, socket: { data: () => undefined } }).stop(true);
      return first;
    } catch (error) {
      if (!(error instanceof Error)) throw error;
    }
  }
}

const MAIN = `# the site
load_module modules/ngx_http_push_stream_module.so;
worker_processes 2;
pid ${folder}/nginx.pid;
error_log ${folder}/error.log;
events { worker_connections 256; }
http {
    # memory of the module
    push_stream_shared_memory_size 8m;
    push_stream_message_ttl 5m;   # five minutes
    access_log off;
    ${temporaryPaths(folder)}
    map $http_x_team $team { default all; ~^(?<word>[a-z]+)$ "team-$word"; }
    server {
        listen 127.0.0.1:${port};
        set $whole $arg_id;
        if ($arg_id = "") { set $whole lobby; }
        root ${folder}/site;
        location /pub {
            # only from here
            allow 127.0.0.1;
            deny all;
            push_stream_publisher admin;  # POST
            push_stream_channels_path $whole;
            push_stream_store_messages on;
            push_stream_message_template '{ "id": ~id~ }';
        }
        location /secret { auth_basic r; auth_basic_user_file ${folder}/users; push_stream_publisher;
          push_stream_channels_path secret; }
        location = /old-pub { rewrite ^ /pub?id=$arg_channel? last; }
        location /channels-stats { push_stream_channels_statistics; push_stream_channels_path $arg_id; }
        location = /team { push_stream_publisher; push_stream_channels_path $team;
          push_stream_store_messages on; }
        location = /scheme { push_stream_publisher; push_stream_channels_path "$scheme-$server_port";
          push_stream_store_messages on; }
        include conf.d/*.inc;
        location / { try_files $uri =404; }
    }
    server {
        listen 127.0.0.1:${other};
        location / { return 200 "other $http_host"; }
        include conf.d/subscribers.inc;
    }
}
`;
const SUBSCRIBERS = `location ~ ^/(?:sub|ws|ev|lp|poll)-none { return 410; }
location ~ ^/ws/(.*)$ { push_stream_subscriber websocket; push_stream_channels_path $1;
  push_stream_websocket_allow_publish on; push_stream_store_messages on; }
location ~ ^/ev/(.*)$ {
    push_stream_subscriber eventsource;
    push_stream_channels_path "$1";
    if ($arg_tests = "on") {
        push_stream_channels_path "test_$1";
    }
    push_stream_ping_message_interval 40s;
}
location ~ ^/sub/(.*)$ { push_stream_subscriber; push_stream_channels_path $1;
  push_stream_header_template "<h>"; }
location ~ ^/lp/(.*)$ { push_stream_subscriber long-polling; push_stream_channels_path $1; }
location ~ ^/poll/(.*)$ { push_stream_subscriber polling; push_stream_channels_path $1; }
`;

let report = "";
let sluice: Bun.Subprocess;
let nginx: Bun.Subprocess | undefined;

const startSluice = (): Bun.Subprocess =>
  Bun.spawn([binary, "serve", "--config", join(out, "sluice.toml")], {
    env: { ...process.env, RUNTIME_DIRECTORY: folder },
    stdin: "ignore",
    stdout: "ignore",
    stderr: Bun.file(join(folder, "sluice.log")),
  });

const READY_WITHIN_MS = 30_000;

const ready = (of: number) =>
  until(
    `somebody listens on ${of}`,
    async () => {
      if (sluice.exitCode !== null || (nginx !== undefined && nginx.exitCode !== null))
        throw new Error(
          ["sluice.log", "nginx.log"].map((name) => readFileSync(join(folder, name), "utf8")).join("\n"),
        );
      const connection = await RawConnection.open(of).catch(() => null);
      connection?.close();
      return connection !== null;
    },
    READY_WITHIN_MS,
  );

beforeAll(async () => {
  if (Bun.which("nginx") === null) return;
  // Workers of an nginx that root has started are nobody.
  chmodSync(folder, 0o755);
  mkdirSync(join(original, "conf.d"), { recursive: true });
  mkdirSync(join(folder, "site"));
  writeFileSync(join(original, "nginx.conf"), MAIN);
  writeFileSync(join(original, "conf.d/subscribers.inc"), SUBSCRIBERS);
  writeFileSync(
    join(original, "conf.d/plain.inc"),
    "# nothing of push\nlocation = /plain { return 200 plain; }\n",
  );
  writeFileSync(join(folder, "site/page.html"), "a page");
  writeFileSync(join(folder, "users"), "u:{PLAIN}p\n");
  const command = ["convert", "--keep-nginx", join(original, "nginx.conf"), "--out", out];
  const { code, out: text, err } = await runSluice([...command, "--address", `127.0.0.1:${behind}`]);
  if (code !== 0) throw new Error(err);
  report = text;
  sluice = startSluice();
  nginx = Bun.spawn(
    ["nginx", "-c", join(out, "nginx/nginx.conf"), "-g", "daemon off;", "-e", join(folder, "error.log")],
    {
      stdin: "ignore",
      stdout: "ignore",
      stderr: Bun.file(join(folder, "nginx.log")),
    },
  );
  await Promise.all([ready(behind), ready(behind + 1), ready(port)]);
});
afterAll(async () => {
  nginx?.kill("SIGTERM");
  sluice?.kill("SIGTERM");
  await Promise.all([nginx?.exited, sluice?.exited]);
  rmSync(folder, { recursive: true, force: true });
});

const asked = (path: string, request: RawRequest = {}, of = port, from?: string) =>
  ask(of, path, request, from);
const publish = (path: string, body: string, more: RawRequest = {}) =>
  asked(path, { method: "POST", body, ...more });
const statistics = async (channel: string): Promise<{ subscribers: number; published_messages: number }> => {
  const { body } = await asked(`/channels-stats?id=${channel}`);
  const { subscribers = 0, published_messages = 0 } = JSON.parse(body.toString() || "{}");
  return { subscribers: Number(subscribers), published_messages: Number(published_messages) };
};
const stand = (channel: string, count: number) =>
  until(`${count} stand in ${channel}`, async () => (await statistics(channel)).subscribers === count);

describe.skipIf(Bun.which("nginx") === null)("an nginx.conf taken apart", () => {
  test("nothing of the module is left, and everything else is as it was", () => {
    const main = readFileSync(join(out, "nginx/nginx.conf"), "utf8");
    const inc = readFileSync(join(out, "nginx/conf.d/subscribers.inc"), "utf8");
    expect(main + inc).not.toMatch(/push_stream/);
    for (const line of MAIN.split("\n").filter((text) => !/push_stream|^http/.test(text)))
      expect(main).toContain(line);
    for (const comment of [
      "# the site",
      "# memory of the module",
      "# five minutes",
      "# only from here",
      "# POST",
    ])
      expect(main).toContain(comment);
    expect(readFileSync(join(out, "nginx/conf.d/plain.inc"), "utf8")).toStartWith("# nothing of push\n");
    expect(readFileSync(join(original, "nginx.conf"), "utf8")).toBe(MAIN);
    for (const text of ["nginx -t", "sluice check", "Go back", "curl", `${original}.before-sluice`])
      expect(report).toContain(text);
  });

  test("the site is nginx's", async () => {
    expect((await asked("/page.html")).body.toString()).toBe("a page");
    expect((await asked("/plain")).body.toString()).toBe("plain");
    expect((await asked("/", {}, other)).body.toString()).toBe("other x");
    expect((await asked("/sub-none")).status).toBe(410);
  });

  test("rules, passwords and rewrites stay in front", async () => {
    expect((await publish("/pub?id=a", "x")).status).toBe(200);
    expect((await asked("/pub?id=a", { method: "POST", body: "x" }, port, "127.0.0.7")).status).toBe(403);
    expect((await publish("/secret", "x")).status).toBe(401);
    const { status } = await publish("/secret", "x", { headers: { authorization: `Basic ${btoa("u:p")}` } });
    expect(status).toBe(200);
    expect((await publish("/old-pub?channel=old", "x")).status).toBe(200);
    expect((await statistics("old")).published_messages).toBe(1);
  });

  test("variables of nginx reach sluice, and a client cannot send its own", async () => {
    await publish("/pub", "x");
    expect((await statistics("lobby")).published_messages).toBe(1);
    await publish("/team", "x", { headers: { "X-Team": "red" } });
    expect((await statistics("team-red")).published_messages).toBe(1);
    await publish("/scheme", "x", { headers: { "X-Sluice-Scheme": "evil" } });
    expect((await statistics(`http-${port}`)).published_messages).toBe(1);
    await publish("/scheme?id=%0d%0aX-Sluice-Scheme:%20evil", "x");
    expect((await statistics(`http-${port}`)).published_messages).toBe(2);
  });

  test("every subscriber mode, through both servers", async () => {
    for (const of of [port, other]) {
      const channel = `modes-${of}`;
      const socket = await RawWebSocket.open(of, `/ws/${channel}`);
      const events = await RawConnection.open(of);
      events.request(`/ev/${channel}`);
      expect((await events.head()).fields.get("content-type")).toStartWith("text/event-stream");
      const stream = await RawConnection.open(of);
      stream.request(`/sub/${channel}`);
      await stream.head();
      await until("the stream's header", () => stream.peek().includes("<h>"));
      const poll = asked(`/lp/${channel}`, {}, of);
      await stand(channel, 4);
      expect((await publish(`/pub?id=${channel}`, "hello")).status).toBe(200);
      expect((await socket.frame()).payload.toString()).toBe("hello");
      await until("the event", () => events.peek().includes("data: hello"));
      await until("the line", () => stream.peek().includes("hello"));
      expect((await poll).body.toString()).toBe("hello");
      expect((await asked(`/poll/${channel}.b1`, {}, of)).body.toString()).toBe("hello");
      socket.sendFrame(1, "from a client");
      await until("the client's own", () => events.peek().includes("data: from a client"));
      // Who leaves nginx leaves sluice.
      socket.connection.close();
      events.close();
      stream.close();
      await stand(channel, 0);
    }
  });

  test("a condition around push directives counts", async () => {
    const events = await RawConnection.open(port);
    events.request("/ev/cond?tests=on");
    await events.head();
    await stand("test_cond", 1);
    events.close();
  });

  test("who comes back misses nothing: after a reload of nginx, and after one of sluice", async () => {
    for (const reload of [() => nginx?.kill("SIGHUP"), () => sluice.kill("SIGHUP")]) {
      const channel = `resume-${Math.random().toString(36).slice(2)}`;
      await publish(`/pub?id=${channel}`, "one");
      const first = await asked(`/lp/${channel}.b1`);
      expect(first.body.toString()).toBe("one");
      const position = {
        "If-Modified-Since": first.fields.get("last-modified") ?? "",
        "If-None-Match": first.fields.get("etag") ?? "",
      };
      const held = await RawConnection.open(port);
      held.request(`/ev/${channel}`);
      await held.head();
      await stand(channel, 1);
      reload();
      // Whoever stands goes on, or is ended and comes again.
      await until(
        "publishing works again",
        async () => (await publish(`/pub?id=${channel}`, "two")).status === 200,
      );
      await until("the held one hears it or is ended", () => held.ended || held.peek().includes("data: two"));
      held.close();
      let { body } = await asked(`/lp/${channel}`, { headers: position });
      await until("what was missed", async () => {
        if (body.toString() === "two") return true;
        ({ body } = await asked(`/lp/${channel}`, { headers: position }));
        return false;
      });
    }
  });

  test("sluice away is 502, and nginx goes on", async () => {
    sluice.kill("SIGTERM");
    await sluice.exited;
    expect((await publish("/pub?id=a", "x")).status).toBe(502);
    expect((await asked("/page.html")).status).toBe(200);
    sluice = startSluice();
    await Promise.all([ready(behind), ready(behind + 1)]);
    expect((await publish("/pub?id=a", "x")).status).toBe(200);
  });
});

describe("what cannot be taken apart", () => {
  const refused = async (name: string, server: string): Promise<string> => {
    const file = join(folder, `${name}.conf`);
    writeFileSync(file, `http {\npush_stream_shared_memory_size 1m;\nserver {\nlisten 1;\n${server}\n}\n}\n`);
    const target = join(folder, `${name}-out`);
    const { code, out: text, err } = await runSluice(["convert", "--keep-nginx", file, "--out", target]);
    expect([code, text, existsSync(target)]).toEqual([2, "", false]);
    return err.replaceAll(file, "F");
  };
  const PUSH = "push_stream_publisher; push_stream_channels_path $arg_id;";

  test.each([
    ["no-push", "location / { return 200; }", "F: no location of it has a push_stream_ role.\n"],
    [
      "named",
      `location @p { ${PUSH} }`,
      "F:5: location @p has no path by which sluice could find it: give it one.\n",
    ],
    [
      "break",
      `location /p { rewrite ^ /q break; ${PUSH} }`,
      'F:5: "rewrite … break" in a push location changes the path by which sluice finds it: ' +
        "rewrite to a location of its own.\n",
    ],
    ["no-path", "location /p { push_stream_publisher; }", "push_stream_channels_path must be set.\n"],
  ])("%s", async (name, server, sentence) => {
    expect(await refused(name, server)).toContain(sentence);
  });

  test.each([
    [["--out", "x"], "--out is for --keep-nginx."],
    [["--keep-nginx"], "--keep-nginx needs --out FOLDER."],
    [
      ["--keep-nginx", "--out", "x", "--address", "0.0.0.0:80"],
      "0.0.0.0:80: it is 127.0.0.1:PORT or unix:/path",
    ],
    [["--keep-nginx", "--out", "/proc"], "/proc is not empty."],
  ])("%j", async (args, sentence) => {
    const { code, err } = await runSluice(["convert", "nginx.conf", ...args]);
    expect(code).toBe(2);
    expect(err).toContain(sentence);
  });
});
