/** Blocks, includes and limits of the nginx.conf parser. The words themselves are in tokens.test.ts. */
import { describe, expect, test } from "bun:test";
import {
  type Directive,
  type ParseOutcome,
  parseNginx,
  parseNginxFile,
} from "../../../src/config/nginx/tree.ts";
import { tableReader } from "./table-reader.ts";

const MAIN = "/etc/nginx/nginx.conf";
type Files = Readonly<Record<string, string | Uint8Array>>;

const parse = (text: string, files: Files = {}): ParseOutcome => parseNginx(text, MAIN, tableReader(files));

/** A tree on one line: "http{ listen(80) }". */
const shown = (directives: readonly Directive[]): string =>
  directives.map((one) => one.name + shownArgs(one) + shownBlock(one)).join(" ");
const shownArgs = ({ args }: Directive): string =>
  args.length === 0 ? "" : `(${args.map((arg) => arg.text).join()})`;
const shownBlock = ({ block }: Directive): string => (block === null ? "" : `{${shown(block)}}`);

function tree(text: string, files: Files = {}): string {
  const outcome = parse(text, files);
  return outcome.ok ? shown(outcome.directives) : JSON.stringify(outcome.faults);
}

function faults(text: string, files: Files = {}): string[] {
  const outcome = parse(text, files);
  return outcome.ok
    ? []
    : outcome.faults.map(
        ({ file, line, sentence }) => `${file.replace("/etc/nginx/", "")}:${line}: ${sentence}`,
      );
}

describe("trees", () => {
  test.each([
    ["", ""],
    ["\uFEFFa;", "a"],
    ["a b c;", "a(b,c)"],
    ["http { server { listen 80; } }", "http{server{listen(80)}}"],
    ["a{}b{}", "a{} b{}"],
    ["types { text/html html htm; }", "types{text/html(html,htm)}"],
    ['map $u $c { "" close; default upgrade; ~^x 1; }', "map($u,$c){(close) default(upgrade) ~^x(1)}"],
    ["if ($arg_qs = on) { return 204; }", "if(($arg_qs,=,on)){return(204)}"],
    ["\r\nhttp {\r\n  # x\r\n  a b;\r\n}\r\n", "http{a(b)}"],
    ['"a" b;', "a(b)"],
  ])("%j", (text, expected) => expect(tree(text)).toBe(expected));

  test("a directive knows its file, its line, and whether it has a block", () => {
    const outcome = parse('a\n;\nb "c" c2 {\n  d;\n}');
    expect(outcome).toEqual({
      ok: true,
      directives: [
        { name: "a", args: [], file: MAIN, line: 1, block: null },
        {
          name: "b",
          args: [
            { text: "c", quoted: true },
            { text: "c2", quoted: false },
          ],
          file: MAIN,
          line: 3,
          block: [{ name: "d", args: [], file: MAIN, line: 4, block: null }],
        },
      ],
    });
  });
});

describe("faults", () => {
  test.each([
    ["}", ['nginx.conf:1: unexpected "}"']],
    ["a;\n}\n}\nb;", ['nginx.conf:2: unexpected "}"', 'nginx.conf:3: unexpected "}"']],
    [
      "http {\n  server {\n  }\n",
      ['nginx.conf:4: unexpected end of file, expecting "}" (the block "http" in line 1 is not closed)'],
    ],
    ["http {\n  a", ['nginx.conf:2: unexpected end of file, expecting ";" or "}"']],
    ["http {\n  a b\n}\n", ['nginx.conf:3: unexpected "}"']],
    [
      "{ a; }\nb c }\n;",
      [
        'nginx.conf:1: unexpected "{"',
        'nginx.conf:2: unexpected "}"',
        'nginx.conf:2: unexpected "}"',
        'nginx.conf:3: unexpected ";"',
      ],
    ],
    ["include a { b; }", ['nginx.conf:1: directive "include" is not terminated by ";"']],
    ["<?php echo 1;", []],
    ["GIF89a\0\0", ['nginx.conf:1: unexpected end of file, expecting ";" or "}"']],
  ])("%j", (text, expected) => expect(faults(text)).toEqual(expected));

  test("all of a file are found in one pass", () => {
    const text = 'a;;\nhttp {\n  b "c"d;\n  location ~ ^/x{2}$ { e }\n  include nope;\n';
    expect(faults(text)).toEqual([
      'nginx.conf:1: unexpected ";"',
      'nginx.conf:3: unexpected "d"',
      'nginx.conf:4: unexpected "{" in "^/x{2}$": a regular expression with braces must be quoted',
      'nginx.conf:4: unexpected "}"',
      'nginx.conf:5: open() "/etc/nginx/nope" failed (2: No such file or directory)',
      'nginx.conf:6: unexpected end of file, expecting "}" (the block "http" in line 2 is not closed)',
    ]);
  });

  test("a hundred are enough", () => {
    expect(faults(";".repeat(10_000))).toHaveLength(100);
    expect(faults("}".repeat(10_000))).toHaveLength(100);
  });

  test("a sentence stays on one line, whatever it quotes, and ends somewhere", () => {
    expect(faults('include "a\n\u001bc";')[0]).toContain('"/etc/nginx/a\\x0a\\x1bc"');
    expect(faults(`include ${"a".repeat(5000)};`)[0]).toHaveLength("nginx.conf:1: ".length + 500);
  });

  test("a Lua block ends in a fault or a tree, not in a hang", () => {
    const lua =
      "location / { content_by_lua_block { local t = { a = \"it's\" } if x then ngx.say('}') end } }";
    expect(parse(lua)).toBeDefined();
  });
});

describe("include", () => {
  test("brings its directives where it stands, in any block, relative to the main file", () => {
    const files = {
      "/etc/nginx/conf.d/b.conf": "server { include locations/one; }",
      "/etc/nginx/conf.d/a.conf": "sendfile on;",
      "/etc/nginx/locations/one": "location / { include /srv/x; }",
      "/srv/x": "return 204;\n",
      "/etc/nginx/mime.types": "types { include more.types; }",
      "/etc/nginx/more.types": "text/html html;",
    };
    const text = "a; http { include mime.types; include conf.d/*.conf; b; }";
    expect(tree(text, files)).toBe(
      "a http{types{text/html(html)} sendfile(on) server{location(/){return(204)}} b}",
    );
  });

  test("keeps the file and line of what it brings", () => {
    const outcome = parse("include x;", { "/etc/nginx/x": "\n\na { b; }" });
    const [a] = outcome.ok ? outcome.directives : [];
    expect(a).toMatchObject({ file: "/etc/nginx/x", line: 3, block: [{ file: "/etc/nginx/x", line: 3 }] });
  });

  test.each([
    ["include conf.d/*.conf;", {}, []],
    ["\ninclude nope;", {}, ['nginx.conf:2: open() "/etc/nginx/nope" failed (2: No such file or directory)']],
    ["include;", {}, ['nginx.conf:1: invalid number of arguments in "include" directive']],
    ["include a b;", {}, ['nginx.conf:1: invalid number of arguments in "include" directive']],
    ["http { include x; }", { "/etc/nginx/x": "a; }" }, ['x:1: unexpected "}"']],
    [
      "http {\n include x; }",
      { "/etc/nginx/x": "a {\n b; " },
      ['x:2: unexpected end of file, expecting "}" (the block "a" in line 1 is not closed)'],
    ],
    ["include nginx.conf;", { [MAIN]: "" }, ['nginx.conf:1: "/etc/nginx/nginx.conf" includes itself']],
    [
      "include x;",
      { "/etc/nginx/x": "a;\ninclude y;", "/etc/nginx/y": "b { include ./x; }" },
      ['y:1: "/etc/nginx/x" includes itself'],
    ],
    ["include x; include x;", { "/etc/nginx/x": "a;" }, []],
    [
      "include *.conf;",
      { [MAIN]: "", "/etc/nginx/a.conf": "a" },
      [
        'a.conf:1: unexpected end of file, expecting ";" or "}"',
        'nginx.conf:1: "/etc/nginx/nginx.conf" includes itself',
      ],
    ],
  ] as const)("%j with %j", (text, files, expected) => expect(faults(text, files)).toEqual([...expected]));

  test("other reasons of the disk are told in nginx's words", () => {
    const failing = (code: string) => ({
      read: () => {
        throw Object.assign(new Error("x"), { code });
      },
      glob: () => [],
    });
    const sentence = (code: string) => {
      const outcome = parseNginx("include x;", MAIN, failing(code));
      return outcome.ok ? "" : outcome.faults[0]?.sentence;
    };
    expect(sentence("EACCES")).toBe('open() "/etc/nginx/x" failed (13: Permission denied)');
    expect(sentence("EISDIR")).toBe('pread() "/etc/nginx/x" failed (21: Is a directory)');
    expect(sentence("EIO")).toBe('open() "/etc/nginx/x" failed (EIO)');
  });
});

describe("limits", () => {
  const nested = (depth: number, inner = "x;"): string => "a {".repeat(depth) + inner + "}".repeat(depth);

  test("64 blocks deep, not 65, told once", () => {
    expect(faults(nested(64))).toEqual([]);
    expect(faults(nested(65))).toEqual(["nginx.conf:1: blocks are nested more than 64 deep"]);
    expect(faults(nested(100_000))).toEqual(["nginx.conf:1: blocks are nested more than 64 deep"]);
  });

  test("the depth goes on through includes", () => {
    const x = nested(2);
    expect(faults(nested(62, "include x;"), { "/etc/nginx/x": x })).toEqual([]);
    expect(faults(nested(63, "include x;"), { "/etc/nginx/x": x })).toEqual([
      "x:1: blocks are nested more than 64 deep",
    ]);
  });

  test("a chain of includes", () => {
    const files: Record<string, string> = {};
    for (let at = 0; at < 100; at++) files[`/etc/nginx/${at}`] = `include ${at + 1};`;
    expect(faults("include 0;", files)).toEqual(["63:1: files are included more than 64 deep"]);
  });

  test("files that double with every level stop at 1,000", () => {
    const files: Record<string, string> = { "/etc/nginx/30": "a;" };
    for (let at = 0; at < 30; at++) files[`/etc/nginx/${at}`] = `include ${at + 1};include ${at + 1};`;
    const found = faults("include 0;", files);
    expect(found).toHaveLength(1);
    expect(found[0]).toEndWith(": more than 1000 files are included");
  });

  test("16 MiB together", () => {
    const comment = `#${"x".repeat(8 * 1024 * 1024)}`;
    expect(faults(comment, { "/etc/nginx/x": comment })).toEqual([]);
    expect(faults(`include x;\ninclude x;${comment}`, { "/etc/nginx/x": comment })).toEqual([
      "nginx.conf:1: the configuration is longer than 16 MiB",
    ]);
  });

  test("a million words", () => {
    expect(faults("a;".repeat(1_000_001))).toEqual(["nginx.conf:1: more than 1000000 words"]);
  });

  test("many directives of one include are no long argument list", () => {
    expect(faults("include x;", { "/etc/nginx/x": "a;".repeat(400_000) })).toEqual([]);
  });

  test("one long line is read in one go", () => {
    // once, each word searched the rest of the line for its end
    expect(faults("a b;".repeat(400_000))).toEqual([]);
  });
});

describe("bytes", () => {
  const bytes = (binary: string): Uint8Array => Buffer.from(binary, "latin1");
  const parseBytes = (binary: string) => parseNginxFile(MAIN, tableReader({ [MAIN]: bytes(binary) }));

  test("UTF-8 with and without a byte order mark", () => {
    expect(parseBytes("\xEF\xBB\xBFa \xC3\xA4;")).toEqual(parse("a ä;"));
  });

  test("a comment in an old encoding harms nobody", () => {
    expect(parseBytes("\xEF\xBB\xBF# f\xFCr\na \xC3\xA4 \xF0\x9F\x98\x80;")).toEqual(parse("\na ä 😀;"));
  });

  test("words that are not UTF-8 are faults with their lines, also in included files", () => {
    const files = {
      [MAIN]: bytes("a;\nb \xFC \xC3\xA4;\n\xFFc { d; }\ninclude x;"),
      "/etc/nginx/x": bytes("\n\ne \xC3;"),
    };
    const outcome = parseNginxFile(MAIN, tableReader(files));
    const sentence = "a parameter is not valid UTF-8 text";
    expect(outcome).toEqual({
      ok: false,
      faults: [
        { file: MAIN, line: 2, sentence },
        { file: MAIN, line: 3, sentence },
        { file: "/etc/nginx/x", line: 3, sentence },
      ],
    });
  });

  test("a main file that is missing", () => {
    expect(parseNginxFile(MAIN, tableReader())).toEqual({
      ok: false,
      faults: [{ file: MAIN, line: 0, sentence: `open() "${MAIN}" failed (2: No such file or directory)` }],
    });
  });
});
