/**
 * `--foreign 404`, blocks of Lua, faults that follow from others, and what is said of the other ways
 * (config/nginx/foreign.ts, ways.ts).
 */
import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { formatFault } from "../../../src/config/fault.ts";
import { checkNginx } from "../../../src/config/nginx/load.ts";
import { waysFor } from "../../../src/config/nginx/ways.ts";

const folder = mkdtempSync(join(tmpdir(), "sluice-foreign-"));
const file = join(folder, "nginx.conf");
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

const PUSH = "push_stream_publisher; push_stream_channels_path $arg_id;";
const conf = (server: string, http = ""): string =>
  `http { push_stream_shared_memory_size 1m; ${http}\nserver { listen 127.0.0.1:1;\n${server}\n} }`;

function faultsOf(text: string, foreign: number | null = null): readonly string[] {
  return checkNginx(text, file, { foreign }).faults.map((fault) =>
    formatFault(fault).replace(`${file}:`, ""),
  );
}

interface Table {
  readonly match: string;
  readonly step?: readonly { readonly return?: string }[];
  readonly location?: readonly Table[];
  readonly publisher?: string;
}

/** "match: status" of each location. */
function answersOf(text: string): readonly string[] {
  const { translation, faults } = checkNginx(text, file, { foreign: 404 });
  expect(faults.map(formatFault)).toEqual([]);
  const [server] = translation.document["server"] as readonly { readonly location: readonly Table[] }[];
  const shown = ({ match, step, location = [], publisher }: Table): readonly string[] => [
    `${match}: ${publisher ?? step?.[0]?.return ?? "served"}`,
    ...location.flatMap(shown),
  ];
  return server?.location.flatMap(shown) ?? [];
}

describe("--foreign", () => {
  test.each<[string, string, readonly string[]]>([
    ["location / { proxy_pass http://a; }", "upstream a { server b; }", ["/: served"]],
    ["location / { uwsgi_pass a; }", "upstream a { server b; }", ["/: 404"]],
    ["location ~ \\.php$ { fastcgi_pass a; include none*; }", "", ["~ \\.php$: 404"]],
    ["location / { if ($arg_a) { uwsgi_pass a; } root /x; }", "", ["/: 404"]],
    ["location /lua { content_by_lua_block { ngx.say('}') } }", "", ["/lua: 404"]],
    ["location /x { some_module on; }", "", ["/x: 404"]],
    ["location /plain { return 200 a; }", "", ["/plain: 200 a"]],
    // What is inside does not inherit a uwsgi_pass, and may be of push.
    [
      `location /a { uwsgi_pass a; location /a/b { return 200 b; } location /a/p { ${PUSH} } }`,
      "",
      ["/a: 404", "/a/b: 200 b", "/a/p: normal"],
    ],
    // Whom auth_request asks is no part of the site.
    [
      `location = /ask { proxy_pass http://127.0.0.1:1; } location /p { ${PUSH} auth_request /ask; }`,
      "",
      ["= /ask: served", "/p: normal"],
    ],
    [`location @app { uwsgi_pass a; } location /p { ${PUSH} }`, "", ["@app: 404", "/p: normal"]],
  ])("%s", (server, http, answers) => {
    expect(answersOf(conf(server, http))).toEqual(answers);
  });

  test.each([
    // A guard of push that is not done is never skipped.
    [`location /p { ${PUSH} limit_rate 1k; }`, '3: "limit_rate" directive is not supported'],
    [`limit_rate 1k; location /p { ${PUSH} }`, '3: "limit_rate" directive is not supported'],
    [
      `location /p { ${PUSH} proxy_pass http://a; }`,
      '3: "proxy_pass" directive beside another role is not supported',
    ],
    [
      `location /p { ${PUSH} location /p/q { secure_link $arg_a; } }`,
      '3: "secure_link" directive is not supported',
    ],
    [`ssi on; location /p { ${PUSH} }`, '3: "ssi" directive is not supported'],
  ])("%s stays a fault", (server, fault) => {
    expect(faultsOf(conf(server), 404)).toEqual([fault]);
  });

  test("says so in the file as well", () => {
    const uwsgi = "location / { uwsgi_pass a; }";
    expect(faultsOf(conf(uwsgi, "sluice_foreign 404;"))).toEqual([]);
    expect(faultsOf(`sluice_foreign 410;\n${conf(uwsgi)}`)).toEqual([]);
    expect(faultsOf(conf(uwsgi, "sluice_foreign no;"))).toEqual([
      '1: invalid value "no" in "sluice_foreign", it is a status such as 404',
      '3: "uwsgi_pass" directive is not supported',
    ]);
  });

  test("each is listed", () => {
    const { translation } = checkNginx(conf("location / { uwsgi_pass a; }"), file, { foreign: 410 });
    expect(translation.notices[0]).toBe(`${file}:3 location / answers 410: it is not served as nginx would`);
  });
});

describe("faults", () => {
  test("a block of Lua hides nothing behind it, whatever it has in it", () => {
    const lua = `content_by_lua_block {
      local a = "}" .. '{' .. [[ } ]] .. [==[ ]] } ]==] -- } it's
      --[[ } ' " ]]
      if a then return { b = 1 } end
    }`;
    expect(faultsOf(conf(`location /a { ${lua} }\nlocation /b { nothing_known 1; }`))).toEqual([
      '3: "content_by_lua_block" directive is not supported',
      '8: unknown directive "nothing_known"',
    ]);
  });

  test("a block of Lua that does not end is told", () => {
    expect(faultsOf("http { init_by_lua_block { x = '}'")[0]).toContain(
      "the Lua block in line 1 is not closed",
    );
  });

  test.each([
    ["geo $a { default 0; }", "", '1: "geo" directive is not supported'],
    ["geo $remote_addr $a { default 0; }", "", '1: "geo" directive is not supported'],
    ["split_clients $arg_x $a { * b; }", "", '1: "split_clients" directive is not supported'],
    ["", "set_by_lua_block $a { return 1 }", '3: "set_by_lua_block" directive is not supported'],
  ])("what %s %s would make is not told as unknown, too", (http, server, fault) => {
    const push = "location /p { push_stream_publisher; push_stream_channels_path $a; add_header X $a; }";
    expect(faultsOf(conf(`${server} ${push} if ($a) { return 403; }`, http))).toEqual([fault]);
  });

  test("are in the words of the file, once", () => {
    const push = "push_stream_publisher; push_stream_channels_path $nope;";
    const text = conf(`location /a { ${push} location /a/b { } }\nlocation ~ ( { allow x; ${PUSH} }`);
    expect(faultsOf(text)).toEqual([
      '3: "push_stream_channels_path" directive "$nope": unknown variable $nope.',
      '4: "allow" directive "allow x": invalid parameter "x".',
      expect.stringContaining('4: "location" directive "~ (": bad regular expression'),
    ]);
  });
});

describe("the ways that are left", () => {
  const ways = (text: string): readonly string[] => {
    writeFileSync(file, text);
    return waysFor(text, file, checkNginx(text, file).faults).map((line) =>
      line.replaceAll(file, "F").trim(),
    );
  };
  const keep = expect.stringContaining("sluice convert --keep-nginx F --out DIR");
  const foreign = expect.stringContaining("--foreign 404");

  test.each([
    [
      `location / { uwsgi_pass a; }\nlocation /b { uwsgi_pass a; }\nlocation /p { ${PUSH} }`,
      ["what it needs and sluice has not: uwsgi_pass 2 times", expect.anything(), keep, foreign],
    ],
    [
      `location /p { ${PUSH} limit_rate 1k; }`,
      ["what it needs and sluice has not: limit_rate", expect.anything(), keep],
    ],
    ["location / { uwsgi_pass a; }", [expect.anything(), expect.anything(), foreign]],
    [`location @p { ${PUSH} mirror /x; }`, ["what it needs and sluice has not: mirror"]],
  ])("%s", (server, lines) => {
    expect(ways(conf(server))).toEqual(lines);
  });

  test("none where the file cannot be read", () => {
    expect(ways("http {")).toEqual([]);
  });
});
