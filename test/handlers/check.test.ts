/** What `sluice check` and `sluice serve` say of handler files before any of them runs. */
import { afterAll, expect, test } from "bun:test";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { loadCheckedConfig } from "../../src/cli/checked-config.ts";
import { formatFault } from "../../src/config/fault.ts";
import { binary } from "../binary/running-server.ts";
import { folderWith, removeFolders } from "./handler-server.ts";

afterAll(removeFolders);
const folder = folderWith({
  "outside.ts": "export default () => 1;",
  "config/good.ts":
    `import type { Handler } from "sluice";\nimport { x } from "./lib/more.ts";\n` +
    "export default (() => x) as Handler;",
  "config/lib/more.ts": "export const x: string = 'x';",
  "config/socket.ts": "export const websocket = {};",
  "config/guard.ts": "export async function authorize() { return true; }",
  "config/hooks.ts": "export const onPublish = () => undefined;",
  "config/again.ts": `export * from "./guard.ts";`,
  "config/syntax.ts": "const fine = 1;\n\nexport default function f( {",
  "config/two-faults.ts": "export default 1; let x: = 3;\n\n let ; foo bar",
  "config/empty.ts": "",
  "config/value-import.ts": `// first line\nimport { Handler } from "sluice";\nexport default () => Handler;`,
  "config/lost-import.ts": `import { x } from "./nowhere.ts";\nexport default () => x;`,
  "config/deep.ts": `import { x } from "./bad-lib.ts";\nexport default () => x;`,
  "config/bad-lib.ts": "export const x = ;",
});
const config = join(folder, "config");
symlinkSync(join(folder, "outside.ts"), join(config, "linked-out.ts"));
symlinkSync(join(config, "good.ts"), join(config, "linked-in.ts"));
mkdirSync(join(config, "folder.ts"));

const PUBLISHER = 'publisher = "normal"\nchannels_path = "$arg_id"\n';

function faultsOf(location: string, name = "c.toml"): readonly string[] {
  const file = join(config, name);
  writeFileSync(file, name.endsWith(".toml") ? `[[location]]\nmatch = "/x"\n${location}` : location);
  const outcome = loadCheckedConfig({ file });
  return outcome.ok ? [] : outcome.faults.map((fault) => formatFault(fault).replaceAll(config, "C"));
}

test.each([
  'handler = "good.ts"',
  'handler = "./lib/../good.ts"',
  `handler = "${config}/good.ts"`,
  'handler = "linked-in.ts"',
  'handler = "socket.ts"',
  `${PUBLISHER}authorize = "guard.ts"\nhooks = "hooks.ts"`,
  `${PUBLISHER}authorize = "again.ts"`,
  'root = "/tmp"\nauthorize = "guard.ts"',
])("fine: %s", (location) => {
  expect(faultsOf(location)).toEqual([]);
});

test.each([
  ['handler = "missing.ts"', 'C/c.toml: handler of location "/x" = "C/missing.ts": there is no such file.'],
  ['handler = "../outside.ts"', "it must lie in the configuration's folder, C, or below it."],
  ['handler = "lib/../../outside.ts"', "it must lie in the configuration's folder, C, or below it."],
  ['handler = "linked-out.ts"', "it must lie in the configuration's folder, C, or below it."],
  ['handler = "/etc/passwd"', "it must lie in the configuration's folder, C, or below it."],
  [`handler = "${config}"`, "it must lie in the configuration's folder, C, or below it."],
  ['handler = "folder.ts"', "it cannot be read: "],
  [
    'handler = "syntax.ts"',
    "C/syntax.ts:3: not valid TypeScript: Expected identifier but found end of file.",
  ],
  ['handler = "deep.ts"', "C/bad-lib.ts:1: not valid TypeScript: Unexpected ;"],
  ['handler = "empty.ts"', "it exports nothing; handler wants default or websocket."],
  ['handler = "guard.ts"', "it exports authorize; handler wants default or websocket."],
  [
    'handler = "value-import.ts"',
    'C/value-import.ts:2: there is nothing in "sluice" at run time: write `import type`.',
  ],
  ['handler = "lost-import.ts"', "C/lost-import.ts:1: there is no file ./nowhere.ts."],
  [`${PUBLISHER}authorize = "good.ts"`, "it exports default; authorize wants authorize."],
  [
    `${PUBLISHER}hooks = "guard.ts"`,
    "it exports authorize; hooks wants onSubscribe or onUnsubscribe or onPublish.",
  ],
  ['handler = ""', "path must name a file."],
  ['handler = "good.ts"\npage = true', "location has two roles (page, handler), it can have one."],
  ['page = true\nauthorize = "guard.ts"', "authorize is for a location with publisher, subscriber,"],
  ['root = "/tmp"\nhooks = "hooks.ts"', "hooks is for a location with publisher, subscriber."],
  ['handler = "good.ts"\nhandler_timeout = "0"', "handler_timeout"],
])("fault: %s", (location, sentence) => {
  const faults = faultsOf(location);
  expect(faults.length).toBe(1);
  expect(faults[0]).toContain(sentence);
});

test("all faults of all files at once, each once", () => {
  const second = '[[location]]\nmatch = "/y"\nhandler = "two-faults.ts"\n';
  const faults = faultsOf(
    `handler = "two-faults.ts"\n${second}[[location]]\nmatch = "/z"\nhandler = "missing.ts"`,
  );
  expect(faults.map((fault) => fault.replace(/: not.*/, ""))).toEqual([
    "C/two-faults.ts:1",
    "C/two-faults.ts:3",
    'C/c.toml: handler of location "/z" = "C/missing.ts": there is no such file.',
  ]);
});

const nginx = (inner: string): string => `events {}\nhttp { server { listen 127.0.0.1:0; ${inner} } }`;

test("the directives of nginx.conf", () => {
  const zone = "push_stream_shared_memory_size 10m;";
  expect(
    faultsOf(nginx("location / { sluice_handler good.ts; sluice_handler_timeout 5s; }"), "n.conf"),
  ).toEqual([]);
  const publisher = "location /pub { push_stream_publisher; push_stream_channels_path $arg_id;";
  const guarded = `sluice_authorize guard.ts; sluice_hooks hooks.ts; sluice_handler_timeout 500ms;
    ${publisher} }
    location /open { push_stream_channels_statistics; push_stream_channels_path $arg_id; }`;
  const file = join(config, "g.conf");
  writeFileSync(file, nginx(guarded).replace("http {", `http { ${zone}`));
  const outcome = loadCheckedConfig({ file });
  if (!outcome.ok) throw new Error(outcome.faults.map(formatFault).join("\n"));
  const codes = outcome.config.locations.filter(({ role }) => role.kind !== "none").map(({ code }) => code);
  expect(codes[0]).toEqual({
    handler: null,
    authorize: join(config, "guard.ts"),
    hooks: join(config, "hooks.ts"),
    timeoutMs: 500,
    answerLingerMs: 30_000,
    answerMaxBytes: 1024 ** 2,
    isBodyStreamed: false,
  });
  expect(codes[1]).toBeNull();
  expect(faultsOf(nginx("location / { sluice_handler ../outside.ts; }"), "n.conf")[0]).toContain(
    "configuration's folder",
  );
  expect(faultsOf(nginx("location / { sluice_handler; }"), "n.conf")[0]).toContain(
    "invalid number of arguments",
  );
});

test("the program refuses to serve, with file and line", () => {
  writeFileSync(join(config, "c.toml"), '[[location]]\nmatch = "/x"\nhandler = "syntax.ts"\n');
  for (const args of [
    ["check", "c.toml"],
    ["serve", "--config", "c.toml"],
  ]) {
    const run = Bun.spawnSync([binary, ...args], { cwd: config });
    expect(run.exitCode).toBe(2);
    expect(run.stderr.toString()).toContain("syntax.ts:3: not valid TypeScript");
  }
});

test("the program prints the types", async () => {
  const run = Bun.spawnSync([binary, "types"]);
  expect(run.exitCode).toBe(0);
  const published = await Bun.file(join(import.meta.dir, "../../src/handlers/sluice.d.ts")).text();
  expect(run.stdout.toString()).toBe(published);
});
