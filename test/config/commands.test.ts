/** What `sluice check` and `sluice defaults` print and return, in this process; the binary's tests start them for real. */
import { afterAll, expect, spyOn, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkCommand } from "../../src/cli/check.ts";
import { defaultsCommand } from "../../src/cli/defaults.ts";
import { DEFAULT_TOML } from "../../src/config/load.ts";
import { renderDefaults } from "../../src/config/print.ts";

const folder = mkdtempSync(join(tmpdir(), "sluice-check-"));
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** Runs a command with its output caught. */
function run(command: () => number): { code: number; out: string; err: string } {
  const texts = { out: "", err: "" };
  const catcher = (name: "out" | "err") => (chunk: string | Uint8Array) => {
    texts[name] += String(chunk);
    return true;
  };
  const spies = [
    spyOn(process.stdout, "write").mockImplementation(catcher("out")),
    spyOn(process.stderr, "write").mockImplementation(catcher("err")),
  ];
  try {
    return { code: command(), ...texts };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}

function check(text: string) {
  const file = join(folder, "c.toml");
  writeFileSync(file, text);
  const { code, out, err } = run(() => checkCommand(file));
  return { code, out: out.replaceAll(folder, ""), err: err.replaceAll(folder, "") };
}

test("check of a good file says OK on stdout", () => {
  expect(check(`${DEFAULT_TOML.replace('workers = "auto"', "workers = 1")}`)).toEqual({
    code: 0,
    out: "/c.toml: OK (listen 127.0.0.1:8080, 1 worker, 15 locations)\n",
    err: "",
  });
});

test("check of a bad file prints every fault on stderr and returns 2", () => {
  expect(check('workers = 0\n[store]\nsise = 1\n[[location]]\nmatch = "/"\n')).toEqual({
    code: 2,
    out: "",
    err: `/c.toml:1: workers = 0: workers cannot be zero.
/c.toml:3: store.sise = 1: unknown option, did you mean size?
/c.toml:4: location[0]: location has no role, set one of publisher, subscriber, statistics, page, pushstream_client, examples, root, alias, handler, empty.
/c.toml: 3 faults
`,
  });
});

test("defaults prints the embedded configuration and the table", () => {
  expect(run(defaultsCommand)).toEqual({ code: 0, out: renderDefaults(DEFAULT_TOML), err: "" });
});
