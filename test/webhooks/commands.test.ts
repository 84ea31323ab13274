/** What is said of a configuration's webhooks before anybody is served, and `sluice webhook test`. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runSluice } from "../cli/run-sluice.ts";
import { hook, Receiver } from "./receiver.ts";

const folder = mkdtempSync(join(tmpdir(), "sluice-webhooks-"));
const file = join(folder, "sluice.toml");
const receiver = new Receiver();

beforeAll(() => {
  writeFileSync(
    file,
    `${hook(receiver, ["published"], 'timeout = "200ms"')}\n[[location]]\nmatch = "/"\npage = true\n`,
  );
  writeFileSync(join(folder, "short"), "short\n");
});

afterAll(() => {
  receiver.stop();
  rmSync(folder, { recursive: true, force: true });
});

const GOOD = {
  name: "a",
  url: "http://127.0.0.1:1/",
  events: ["published"],
  secret: "0123456789abcdef",
} as const;

const toml = (values: object): string =>
  `[[webhook]]\n${Object.entries(values)
    .map(([key, value]) => `${key} = ${JSON.stringify(value)}`)
    .join("\n")}\n`;

describe("sluice check says in one sentence", () => {
  test.each<[string, object, string]>([
    ["a bad URL", { url: "example.com/hook" }, "a webhook's url begins with https:// or http://."],
    ["another scheme", { url: "ftp://example.com/" }, "the URL must begin with https:// or http://."],
    ["a password in it", { url: "https://u:p@example.com/" }, "the URL must not have a password in it."],
    [
      "an unknown event",
      { events: ["joind"] },
      "there is no such event; there are occupied, vacated, joined,",
    ],
    ["no events", { events: [] }, "a webhook is told of at least one kind of event."],
    ["a short secret", { secret: "short" }, "a secret has at least 16 bytes;"],
    [
      "a variable that is not set",
      { secret: "env:SLUICE_NO_SUCH" },
      "the variable SLUICE_NO_SUCH is not set.",
    ],
    [
      "a short secret in a file",
      { secret: `file:${folder}/short` },
      "must have at least 16 bytes, it has 5.",
    ],
    ["a file that is not there", { secret: `file:${folder}/none` }, "ENOENT"],
    ["a pattern of grants", { channels: [`inbox-\${sub}`] }, "is nobody here"],
    ["a pattern that is none", { channels: ["a*b"] }, "a pattern has one *, at its end."],
    ["a name with a space", { name: "a b" }, "a name has 1 to 64 letters"],
  ])("%s", async (_, fault, sentence) => {
    const path = join(folder, "faulty.toml");
    writeFileSync(path, toml({ ...GOOD, ...fault }));
    const { code, err } = await runSluice(["check", path]);
    expect(code).toBe(2);
    expect(err).toContain("webhook[0].");
    expect(err).toContain(sentence);
    expect(err).not.toContain("p@example");
    if ("secret" in fault) expect(err).not.toContain('"short"');
  });

  test("what is missing, a second one of the same name, and more than there is room for", async () => {
    const path = join(folder, "faulty.toml");
    const many = Array.from({ length: 17 }, (_, at) => toml({ ...GOOD, name: at === 1 ? "0" : `${at}` }));
    writeFileSync(path, `[[webhook]]\n${many.join("\n")}`.replace("[[webhook]]\n[[webhook]]", "[[webhook]]"));
    const { err } = await runSluice(["check", path]);
    expect(err).toContain("webhook[1].name");
    expect(err).toContain("duplicate webhook, the same as webhook[0].");
    expect(err).toContain("there are more than 16 webhooks.");
    writeFileSync(path, "[[webhook]]\n");
    const bare = await runSluice(["check", path]);
    for (const key of ["name", "url", "events", "secret"]) expect(bare.err).toContain(`${key} must be set.`);
  });
});

describe("sluice webhook test", () => {
  const run = (...more: string[]) => runSluice(["webhook", "test", "backend", "--config", file, ...more]);

  test("sends a signed batch, and shows status, time and answer", async () => {
    receiver.manner = () => "take";
    const { code, out } = await run();
    expect(code).toBe(0);
    expect(out).toMatch(/^backend {2}http:\/\/127\.0\.0\.1:\d+\/hook\ntaken \(204\), after \d+ ms\n$/);
    expect(receiver.told).toEqual(["test test"]);
    expect(receiver.faults).toEqual([]);
  });

  test.each([
    ["500", "not taken: it answered 500"],
    ["redirect", "not taken: it answered 302, and redirects are not followed"],
    ["hang", "not taken: no answer within 200 ms"],
  ] as const)("a receiver that %ss: exit code 1 and why", async (manner, why) => {
    receiver.manner = () => manner;
    const { code, out } = await run();
    expect(code).toBe(1);
    expect(out).toContain(why);
    if (manner === "500") expect(out).toContain("answer: oops\n");
    const json = JSON.parse((await run("--json")).out);
    expect(json).toMatchObject({ webhook: "backend", taken: false });
  });

  test("of a name that is none", async () => {
    const { code, err } = await runSluice(["webhook", "test", "nobody", "--config", file]);
    expect(code).toBe(2);
    expect(err).toContain('there is no webhook "nobody"; there are backend.');
  });
});
