/**
 * What `sluice check` and `sluice defaults` print and return, in this process; the binary's tests start them
 * for real.
 */
import { afterAll, describe, expect, spyOn, test } from "bun:test";
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
    out: `/c.toml: OK (listen 127.0.0.1:8080, 1 worker, 21 locations, room for 32768 channels)
  127.0.0.1:8080: native listener (the default)
`,
    err: "",
  });
});

test("check of a bad file prints every fault on stderr and returns 2", () => {
  expect(check('workers = 0\n[store]\nsise = 1\n[[location]]\nmatch = "/"\n')).toEqual({
    code: 2,
    out: "",
    err:
      "/c.toml:1: workers = 0: workers cannot be zero.\n" +
      "/c.toml:3: store.sise = 1: unknown option, did you mean size?\n" +
      "/c.toml:4: location[0]: location has no role, set one of publisher, subscriber, statistics, " +
      "stub_status, console, page, pushstream_client, sluice_client, examples, root, alias, handler, " +
      "revoke, proxy, presence_list, empty.\n" +
      "/c.toml: 3 faults\n",
  });
});

test("faults of a handler's file are told along with those of the configuration", () => {
  const location = '[[location]]\nmatch = "/"\nhandler = "gone.ts"\n';
  for (const other of ["workers = 0\n", "[store]\nsise = 1\n", 'listen = "nowhere"\n']) {
    const { code, err } = check(other + location);
    expect(code).toBe(2);
    expect(err).toContain('/c.toml: handler of location "/" = "/gone.ts": there is no such file.\n');
    expect(err).toEndWith("/c.toml: 2 faults\n");
  }
  // What cannot be read as TOML names nothing.
  expect(check(`${location}x`).err).toEndWith("/c.toml: 1 fault\n");
  expect(check(`${location}hooks = 1\n`).err).toEndWith("/c.toml: 3 faults\n");
});

describe("what may be meant is a warning", () => {
  const publisher = (more: string) =>
    `[[location]]\nmatch = "/"\npublisher = "normal"\nchannels_path = "x"\n${more}\n`;
  const ofFiles = (more: string) => `[[location]]\nmatch = "/"\n${more}\n`;
  const missing = join(folder, "missing");

  test.each<[text: string, warning: string]>([
    ["workers = 1", "/c.toml: warning: there is no location: every path is 404"],
    [
      publisher('message_template = "~id~ ~event_id~ ~text~size~id~"'),
      '/c.toml:5: warning: location[0].message_template = "~id~ ~event_id~ ~text~size~id~": ' +
        "~event_id~ is no word of a template and is sent as it stands, did you mean ~event-id~?",
    ],
    [publisher('message_template = "~nothing-at-all~"'), "there are ~id~ ~channel~ ~text~"],
    [
      publisher('header_template = "~time~"'),
      "~time~ is sent as it stands: only message_template has words.",
    ],
    [publisher("websocket_allow_publish = true"), "it says nothing here"],
    [publisher('websocket_publish_channel = "x"'), "without websocket_allow_publish no client publishes"],
    [ofFiles(`root = "${missing}"`), 'location[0].root = "/missing": there is no /missing'],
    [ofFiles(`root = "${missing}/$arg_id"`), "there is no /missing/: nothing will be found"],
    [ofFiles(`root = "${join(folder, "c.toml")}"`), "/c.toml is no folder"],
    [ofFiles(`alias = "${missing}/x"`), "there is no /missing/"],
    [
      publisher(`auth_basic = "r"\nauth_basic_user_file = "${missing}"`),
      "there is no such file: nobody will be let in.",
    ],
  ])("%s", (text, warning) => {
    const { code, out, err } = check(text);
    expect(code).toBe(0);
    expect(out).toContain("/c.toml: OK (");
    expect(err).toContain(warning);
    expect(err.split("\n")).toHaveLength(2);
    // Beside faults they are told as well.
    const faulty = check(`drain_rate = -1\n${text}`);
    expect(faulty.code).toBe(2);
    expect(faulty.err.split("\n")).toHaveLength(4);
  });

  test.each([
    [DEFAULT_TOML],
    [publisher('message_template = "a ~/b~ ~ c~d e~"')],
    [ofFiles(`root = "${folder}"`)],
    [ofFiles(`root = "${folder}/$arg_id/x"`)],
    [ofFiles(`alias = "${folder}/any"`)],
    [
      `[[location]]\nmatch = "/"\nsubscriber = "websocket"\nchannels_path = "x"\n` +
        "websocket_allow_publish = true",
    ],
  ])("and this is none: %#", (text) => {
    expect(check(text).err).toBe("");
  });
});

test("defaults prints the embedded configuration and the table", () => {
  expect(run(defaultsCommand)).toEqual({ code: 0, out: renderDefaults(DEFAULT_TOML), err: "" });
});
