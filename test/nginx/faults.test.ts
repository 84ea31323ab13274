/**
 * What the push stream module refuses, and its words (push-stream spec 1.1, 1.2, 1.3, 1.6): each faulty
 * nginx.conf is handed to `sluice check` and to `sluice serve`, which both name the file and line, and serve
 * listens nowhere.
 */
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { binary, freePort, RunningServer, until } from "../binary/running-server.ts";

setDefaultTimeout(60_000);

const FOLDER = mkdtempSync(join(tmpdir(), "sluice-faults-"));
const FILE = join(FOLDER, "nginx.conf");
const PORT = freePort();
afterAll(() => rmSync(FOLDER, { recursive: true, force: true }));

interface Parts {
  readonly http?: string;
  readonly server?: string;
  /** In a subscriber location that has a channels path. */
  readonly location?: string;
  /** Its role. */
  readonly role?: string;
  readonly memory?: string;
}

/** http is line 3, the server's part line 6, the location's line 8. */
const faulty = ({
  http = "",
  server = "",
  location = "",
  role = "push_stream_subscriber;",
  memory = "push_stream_shared_memory_size 1m;",
}: Parts): string => `error_log stderr debug;
http {
${memory} ${http}
server {
listen 127.0.0.1:${PORT};
${server}
location ~ ^/sub/(.*)$ {
${role} push_stream_channels_path $1; ${location}
}
}
}
`;

interface Ended {
  readonly code: number;
  readonly stderr: string;
}

function run(...args: string[]): Ended {
  const { exitCode, stderr } = Bun.spawnSync([binary, ...args], {
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
    timeout: 20_000,
    env: { ...process.env, RUNTIME_DIRECTORY: FOLDER },
  });
  return { code: exitCode, stderr: stderr.toString() };
}

const listens = (): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect({ port: PORT, host: "127.0.0.1" });
    socket.on("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });

/** All of what both commands say, place by place, after both refused. */
async function faultsOf(text: string): Promise<readonly string[]> {
  writeFileSync(FILE, text);
  const checked = run("check", FILE);
  const served = run("serve", "--config", FILE);
  expect(checked.code).not.toBe(0);
  expect(served.code).not.toBe(0);
  expect(await listens()).toBeFalse();
  const lines = checked.stderr
    .trim()
    .split("\n")
    // What else could be done with the file follows the faults (test/config/nginx/foreign.test.ts).
    .filter(
      (line) => !line.startsWith("what it needs") && !line.startsWith("as it is") && !line.startsWith("  "),
    )
    .map((line) => line.replace(`${FILE}:`, ""));
  expect(lines.pop()).toBe(` ${lines.length} fault${lines.length === 1 ? "" : "s"}`);
  const told = served.stderr
    .trim()
    .split("\n")
    .filter((line) => line.startsWith("sluice: "));
  expect(told.map((line) => line.replace(`sluice: ${FILE}:`, ""))).toEqual(lines);
  return lines;
}

const MODULE = "push stream module: ";
const RETURNED_MODES = "streaming, polling, long-polling, eventsource, websocket";
const missing = join(FOLDER, "missing.html");
const folder = join(FOLDER, "folder");
mkdirSync(folder);
writeFileSync(join(FOLDER, "header.html"), "<html>");

describe("the texts of push-stream spec 1.1 to 1.3", () => {
  test.each<[string, Parts, string]>([
    [
      "a flag",
      { location: "push_stream_store_messages yes;" },
      '8: invalid value "yes" in "push_stream_store_messages" directive, it must be "on" or "off"',
    ],
    [
      "a flag at http level",
      { http: "push_stream_timeout_with_body 1;" },
      '3: invalid value "1" in "push_stream_timeout_with_body" directive, it must be "on" or "off"',
    ],
    [
      "a number",
      { http: "push_stream_max_number_of_channels 1k;" },
      '3: "push_stream_max_number_of_channels" directive invalid number',
    ],
    [
      "a negative number",
      { location: "push_stream_wildcard_channel_max_qtd -1;" },
      '8: "push_stream_wildcard_channel_max_qtd" directive invalid number',
    ],
    [
      "a size",
      { memory: "push_stream_shared_memory_size 1q;" },
      '3: "push_stream_shared_memory_size" directive invalid value',
    ],
    [
      "seconds",
      { http: "push_stream_message_ttl 10ms;" },
      '3: "push_stream_message_ttl" directive invalid value',
    ],
    [
      "milliseconds",
      { location: "push_stream_ping_message_interval 1y;" },
      '8: "push_stream_ping_message_interval" directive invalid value',
    ],
    [
      "a directive twice",
      { location: "push_stream_store_messages on; push_stream_store_messages off;" },
      '8: "push_stream_store_messages" directive is duplicate',
    ],
    [
      "a template twice at http level",
      { http: "push_stream_message_template a; push_stream_message_template b;" },
      '3: "push_stream_message_template" directive is duplicate',
    ],
    [
      "the memory twice",
      { http: "push_stream_shared_memory_size 1m;" },
      `3: ${MODULE}duplicate zone "push_stream_module"; ` +
        `"push_stream_shared_memory_size" directive is duplicate`,
    ],
    ["no memory", { memory: "" }, `2: ${MODULE}push_stream_shared_memory_size must be set.`],
    [
      "31 pages of memory",
      { memory: "push_stream_shared_memory_size 124k;" },
      "3: The push_stream_shared_memory_size value must be at least 128KiB",
    ],
    [
      "publisher",
      { role: "push_stream_publisher unknown_value;" },
      `8: ${MODULE}invalid push_stream_publisher mode value: unknown_value, accepted values (normal, admin)`,
    ],
    [
      "subscriber",
      { role: "push_stream_subscriber unknown_value;" },
      `8: ${MODULE}invalid push_stream_subscriber mode value: unknown_value, ` +
        `accepted values (${RETURNED_MODES})`,
    ],
    [
      "two roles",
      { role: "push_stream_publisher; push_stream_subscriber;" },
      '8: "push_stream_subscriber" directive is duplicate',
    ],
    [
      "two roles, the other way round",
      { role: "push_stream_subscriber; push_stream_publisher;" },
      '8: "push_stream_publisher" directive is duplicate',
    ],
    [
      "a role after statistics",
      { role: "push_stream_channels_statistics; push_stream_publisher;" },
      '8: "push_stream_publisher" directive is duplicate',
    ],
    [
      "statistics with an argument",
      { role: "push_stream_channels_statistics on;" },
      '8: invalid number of arguments in "push_stream_channels_statistics" directive',
    ],
    [
      "a role in a server",
      { server: "push_stream_publisher;" },
      '6: "push_stream_publisher" directive is not allowed here',
    ],
    [
      "a main directive in a location",
      { location: "push_stream_message_ttl 5;" },
      '8: "push_stream_message_ttl" directive is not allowed here',
    ],
    [
      "timeout_with_body in a location",
      { location: "push_stream_timeout_with_body on;" },
      '8: "push_stream_timeout_with_body" directive is not allowed here',
    ],
    [
      "a template inside if",
      { location: "if ($arg_x) { push_stream_message_template x; }" },
      '8: "push_stream_message_template" directive is not allowed here',
    ],
  ])("%s", async (_, parts, line) => {
    expect(await faultsOf(faulty(parts))).toEqual([line]);
  });

  test.each([
    "push_stream_message_ttl",
    "push_stream_max_subscribers_per_channel",
    "push_stream_max_messages_stored_per_channel",
    "push_stream_max_channel_id_length",
    "push_stream_max_number_of_channels",
    "push_stream_max_number_of_wildcard_channels",
  ])("%s 0", async (name) => {
    expect(await faultsOf(faulty({ http: `${name} 0;` }))).toEqual([`3: ${MODULE}${name} cannot be zero.`]);
  });
});

const UNPARSABLE = `; ${MODULE}unable to parse paddings by user agent`;
const NO_PREFIX =
  "cannot set wildcard channel max qtd if push_stream_wildcard_channel_prefix is not set or blank.";

describe("the rows of push-stream spec 1.6", () => {
  test.each([
    "push_stream_channels_statistics;",
    "push_stream_publisher;",
    "push_stream_subscriber websocket;",
  ])("1: %s without a channels path", async (role) => {
    const text = faulty({ role }).replace("push_stream_channels_path $1;", "");
    expect(await faultsOf(text)).toEqual([`7: ${MODULE}push_stream_channels_path must be set.`]);
  });

  test.each<[string, Parts, string]>([
    [
      "2",
      { location: "push_stream_ping_message_interval 0;" },
      `8: ${MODULE}push_stream_ping_message_interval cannot be zero.`,
    ],
    [
      "3",
      { location: "push_stream_subscriber_connection_ttl 0;" },
      `8: ${MODULE}push_stream_subscriber_connection_ttl cannot be zero.`,
    ],
    [
      "4",
      { location: "push_stream_longpolling_connection_ttl 0s;" },
      `8: ${MODULE}push_stream_longpolling_connection_ttl cannot be zero.`,
    ],
    [
      "5",
      { location: 'push_stream_message_template "";' },
      `8: ${MODULE}push_stream_message_template cannot be blank.`,
    ],
    [
      "6",
      { location: "push_stream_wildcard_channel_max_qtd 0;" },
      `8: ${MODULE}push_stream_wildcard_channel_max_qtd cannot be zero.`,
    ],
    ["7", { location: "push_stream_wildcard_channel_max_qtd 3;" }, `8: ${MODULE}${NO_PREFIX}`],
    [
      "7, blank",
      { http: 'push_stream_wildcard_channel_prefix "";', server: "push_stream_wildcard_channel_max_qtd 3;" },
      `6: ${MODULE}${NO_PREFIX}`,
    ],
    ["7, inherited", { http: "push_stream_max_number_of_wildcard_channels 3;" }, `3: ${MODULE}${NO_PREFIX}`],
    [
      "8",
      {
        http: "push_stream_wildcard_channel_prefix b_; push_stream_max_number_of_wildcard_channels 2;",
        location: "push_stream_wildcard_channel_max_qtd 3;",
      },
      `8: ${MODULE}max number of wildcard channels cannot be smaller than value in ` +
        "push_stream_wildcard_channel_max_qtd.",
    ],
    [
      "10",
      { location: 'push_stream_padding_by_user_agent "user_agent,as,df";' },
      `8: ${MODULE}padding pattern not match the value user_agent,as,df${UNPARSABLE}`,
    ],
    [
      "10, the second group",
      { location: 'push_stream_padding_by_user_agent "a,1,2:;b";' },
      `8: ${MODULE}padding pattern not match the value ;b${UNPARSABLE}`,
    ],
    [
      "11",
      { location: 'push_stream_padding_by_user_agent "a,10,0:b:c,1,2";' },
      `8: ${MODULE}error applying padding pattern to b:c,1,2${UNPARSABLE}`,
    ],
    [
      "12",
      { location: 'push_stream_padding_by_user_agent "(test,10,0";' },
      `8: ${MODULE}unable to compile agent pattern (test${UNPARSABLE}`,
    ],
    [
      "13",
      { location: `push_stream_header_template_file ${missing};` },
      `8: ${MODULE}unable to open file "${missing}" for header template`,
    ],
    [
      "14",
      { location: `push_stream_header_template_file ${folder};` },
      `8: ${MODULE}unable to read data from file "${folder}" for header template`,
    ],
    [
      "15",
      { location: "push_stream_header_template x; push_stream_header_template_file header.html;" },
      `8: "push_stream_header_template_file" directive is duplicate or template set by ` +
        "'push_stream_header_template'",
    ],
    [
      "16",
      { location: "push_stream_header_template_file header.html; push_stream_header_template x;" },
      '8: "push_stream_header_template" directive is duplicate',
    ],
  ])("%s", async (_, parts, line) => {
    expect(await faultsOf(faulty(parts))).toEqual([line]);
  });
});

describe("all at once", () => {
  /** Of each kind there is: the module's, nginx's, what is not supported, and what our own checks find. */
  const TEN = `worker_processes none;
http {
push_stream_shared_memory_size 10k;
push_stream_message_ttl 0;
unknown_directive 1;
server {
listen 127.0.0.1:${PORT};
location /a { push_stream_publisher; }
location ~ ^/(b { push_stream_subscriber; push_stream_channels_path $1; }
location /c { push_stream_subscriber; push_stream_channels_path $nobody; }
location /d { uwsgi_pass 127.0.0.1:1; }
location /e { push_stream_subscriber; push_stream_channels_path e; push_stream_message_template ""; }
location /e { return 204; }
}
}
`;

  test("a file with ten faults of both passes reports ten, each once, from top to bottom", async () => {
    const lines = await faultsOf(TEN);
    expect(lines).toHaveLength(10);
    expect(lines.map((line) => Number.parseInt(line, 10))).toEqual([1, 3, 4, 5, 8, 9, 10, 11, 12, 13]);
    expect(new Set(lines).size).toBe(10);
  });

  test("unknown and unsupported directives are named with file and line, included ones too", async () => {
    writeFileSync(join(FOLDER, "more.conf"), "\nlocation /x { fastcgi_pass unix:/x; }\n");
    const text = faulty({ server: "push_stream_mesage_ttl 1; include more.conf;", location: "mirror /x;" });
    writeFileSync(FILE, text);
    const { stderr } = run("check", FILE);
    expect(stderr).toBe(
      [
        `${FILE}:6: unknown directive "push_stream_mesage_ttl", did you mean "push_stream_message_ttl"?`,
        `${FILE}:8: "mirror" directive is not supported`,
        `${join(FOLDER, "more.conf")}:2: "fastcgi_pass" directive is not supported`,
        `${FILE}: 3 faults`,
        "what it needs and sluice has not: mirror, fastcgi_pass\n",
      ].join("\n"),
    );
  });

  test.each([
    [
      "http {\nserver {\nlisten 1;\n",
      ['4: unexpected end of file, expecting "}" (the block "server" in line 2 is not closed)'],
    ],
    ["http {\n}\n}\n", ['3: unexpected "}"']],
    ['http {\nserver_name "a;\n}\n', []],
    ["http {\nserver {\nlisten 1 }\n}", ['3: unexpected "}"']],
  ])("text that is no nginx syntax: %j", async (text, lines) => {
    const found = await faultsOf(text);
    if (lines.length > 0) expect(found).toEqual(lines);
    else expect(found[0]).toMatch(/^\d+: /);
  });
});

test("18: without a push endpoint it is a notice, not a fault", () => {
  writeFileSync(FILE, `http { server { listen 127.0.0.1:${PORT}; location / { return 204; } } }`);
  const { code, stderr } = run("check", FILE);
  expect(code).toBe(0);
  expect(stderr).toContain(`${MODULE}ngx_http_push_stream_module will not be used with this configuration.`);
});

test("an empty template of an event source stands for the text", () => {
  writeFileSync(
    FILE,
    faulty({ role: "push_stream_subscriber eventsource;", location: 'push_stream_message_template "";' }),
  );
  expect(run("check", FILE)).toMatchObject({ code: 0 });
});

describe("files that cannot be written end the start, and are named", () => {
  test.each([
    ["access_log", "http { access_log no/such/access.log;", "access_log"],
    ["access_log of a location", "http { # ;", "access_log"],
    ["error_log", "error_log no/such/error.log; http {", "error_log"],
    ["pid", "pid no/such/nginx.pid; http {", "pid_file"],
  ])("%s", async (title, head, named) => {
    const location = title.endsWith("location") ? "access_log no/such/access.log;" : "";
    writeFileSync(FILE, faulty({ location }).replace("error_log stderr debug;\nhttp {", head));
    const { code, stderr } = run("serve", "--config", FILE);
    expect(code).toBe(1);
    expect(stderr).toContain(`sluice: ${named}: `);
    expect(stderr).toContain(join(FOLDER, "no/such/"));
    expect(await listens()).toBeFalse();
  });
});

describe("what a start tells", () => {
  const log = join(FOLDER, "start.log");
  const padding = 'push_stream_padding_by_user_agent "[T|t]est 1,0,508:[M|m]sie,256,0";';
  const memory = "push_stream_shared_memory_size 130k my_zone; sendfile on; sendfile_max_chunk 1m;";

  test.each([
    ["stderr", "stderr info"],
    ["its file and stderr", `${log} debug`],
  ])("goes to %s", async (_, target) => {
    const text = faulty({
      memory,
      location: `${padding} tcp_nodelay on; access_log off;`,
      server: "tcp_nodelay on;",
    });
    writeFileSync(FILE, text.replace("stderr debug", target));
    const child = Bun.spawn([binary, "serve", "--config", FILE], {
      stdin: "ignore",
      stdout: "ignore",
      stderr: "pipe",
      env: { ...process.env, RUNTIME_DIRECTORY: FOLDER },
    });
    const started = new RunningServer(PORT, FOLDER, FILE, child);
    const told = (): readonly string[] =>
      target.startsWith(log)
        ? [started.log, existsSync(log) ? readFileSync(log, "utf8") : ""]
        : [started.log];
    await until("it serves", () => told().at(-1)?.includes(": serving ") === true);
    child.kill("SIGTERM");
    expect(await child.exited).toBe(0);
    for (const lines of told()) {
      for (const line of [
        // Rounded up to a page.
        "Using 132KiB of shared memory for push stream module on zone: my_zone\n",
        "push stream module: padding detected [T|t]est 1, header_min_len 0, message_min_len 508\n",
        "push stream module: padding detected [M|m]sie, header_min_len 256, message_min_len 0\n",
        `sendfile (${FILE}:3), sendfile_max_chunk (${FILE}:3), tcp_nodelay (${FILE}:6)\n`,
      ])
        expect(lines.split(line).length - 1).toBe(1);
    }
  });
});
