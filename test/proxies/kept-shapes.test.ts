/**
 * What `convert --keep-nginx` leaves to nginx of configurations as people have them is accepted by Debian's
 * nginx (`nginx -t`), which has no push module.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { splitNginx } from "../../src/config/nginx/keep/split.ts";
import { SHAPES } from "../config/nginx/shapes.ts";

const folder = mkdtempSync(join(tmpdir(), "sluice-kept-"));
const SSL = join(import.meta.dir, "../config/nginx/corpus/ssl/push.example.org");

beforeAll(() => {
  writeFileSync(join(folder, "users"), "u:{PLAIN}p\n");
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** Modules that Debian's package does not have, and what stands for them in a test. */
const WITHOUT = /_by_lua|more_set_headers|some_upload_pass|mail \{/;

const kept = SHAPES.filter(({ ways, text }) => ways.includes("K") && !WITHOUT.test(text));

test("most of them can be tried", () => {
  expect(kept.length).toBeGreaterThan(30);
});

test.skipIf(Bun.which("nginx") === null).each(kept.map((shape) => [shape.name, shape.text] as const))(
  "%s",
  (name, text) => {
    const home = join(folder, name.replaceAll(/\W+/g, "-"));
    mkdirSync(home);
    const file = join(home, "nginx.conf");
    // Nothing of the machine is touched: ports above 1024, a pid file of its own.
    const safe = text
      .replace(/pid \/run\/nginx\.pid;/, "")
      // nginx looks names up when it starts, and here nobody knows them.
      .replaceAll("//static.example.org", "//127.0.0.1")
      .replaceAll(
        "ssl_verify_client on;",
        `ssl_certificate ${SSL}.pem; ssl_certificate_key ${SSL}.key; ssl_verify_client optional_no_ca;`,
      )
      .replaceAll("auth_basic_user_file users", `auth_basic_user_file ${folder}/users`);
    writeFileSync(file, `pid ${home}/pid;\n${safe}`);
    const { faults, files } = splitNginx({ file, address: "127.0.0.1:9090" });
    expect(faults).toEqual([]);
    for (const { file: path, bytes } of files) {
      const target = join(home, "out", relative(home, path));
      mkdirSync(dirname(target), { recursive: true });
      writeFileSync(target, bytes);
    }
    const { exitCode, stderr } = Bun.spawnSync([
      "nginx",
      "-t",
      "-c",
      join(home, "out/nginx.conf"),
      "-e",
      "stderr",
    ]);
    const errors = stderr
      .toString()
      .split("\n")
      .filter((line) => line.includes("[emerg]"));
    expect([exitCode, errors]).toEqual([0, []]);
  },
);
