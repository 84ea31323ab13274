/** Log lines as they leave the process: for people, for machines, and towards the journal of systemd. */
import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const folder = mkdtempSync(join(tmpdir(), "sluice-log-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const script = join(folder, "script.ts");
const log = join(import.meta.dir, "../../src/log.ts");

/**
 * What a process writes to a stderr that is a file; `journal`: JOURNAL_STREAM, of that file or of another.
 */
async function written(lines: string, journal: "none" | "this" | "another"): Promise<string> {
  const path = join(folder, "stderr");
  writeFileSync(path, "");
  writeFileSync(script, `import { configureLog, log, sendLogTo } from ${JSON.stringify(log)};\n${lines}`);
  const { dev, ino } = statSync(path);
  const stream = { none: "", this: `${dev}:${ino}`, another: `${dev}:${ino + 1}` }[journal];
  const run = Bun.spawn([process.execPath, script], {
    env: { ...process.env, JOURNAL_STREAM: stream },
    stdio: ["ignore", "ignore", Bun.file(path)],
  });
  expect(await run.exited).toBe(0);
  return readFileSync(path, "utf8");
}

const LEVELS = `
configureLog("debug", "worker 3", STYLE);
log("debug", "a");
log("info", "b", { n: 1, s: "x y" });
log("warn", "c\\nforged");
log("error", "d", { stack: "1\\n2" });
`;
const inStyle = (style: string): string => LEVELS.replace("STYLE", `"${style}"`);

describe.each(["auto", "text"])("style %s", (style) => {
  test("elsewhere: time, level, process", async () => {
    const lines = (await written(inStyle(style), "none")).split("\n");
    expect(lines.map((line) => line.replace(/^\d{4}-\d\d-\d\dT[\d:.]+Z /, "T "))).toEqual([
      "T debug worker 3: a",
      'T info  worker 3: b n=1 s="x y"',
      "T warn  worker 3: c forged",
      'T error worker 3: d stack="1\\n2"',
      "",
    ]);
  });

  test("towards the journal: priorities, and no time", async () => {
    expect(await written(inStyle(style), "this")).toBe(
      '<7>worker 3: a\n<6>worker 3: b n=1 s="x y"\n<4>worker 3: c forged\n<3>worker 3: d stack="1\\n2"\n',
    );
  });

  test("a JOURNAL_STREAM that is not stderr means nothing", async () => {
    expect(await written(inStyle(style), "another")).not.toContain("<6>");
  });
});

describe("style json", () => {
  test("one object a line", async () => {
    const lines = (await written(inStyle("json"), "none")).trim().split("\n");
    const objects = lines.map((line) => JSON.parse(line));
    const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
    expect(objects).toEqual([
      { time, level: "debug", process: "worker 3", message: "a" },
      { time, level: "info", process: "worker 3", message: "b", n: 1, s: "x y" },
      { time, level: "warn", process: "worker 3", message: "c\nforged" },
      { time, level: "error", process: "worker 3", message: "d", stack: "1\n2" },
    ]);
  });

  test("towards the journal the priority stands before it", async () => {
    const [, second = ""] = (await written(inStyle("json"), "this")).split("\n");
    expect(second.slice(0, 3)).toBe("<6>");
    expect(JSON.parse(second.slice(3))).toMatchObject({ message: "b" });
  });
});

test("lines that go to a file have no priorities, whatever stderr is", async () => {
  const text = `let all = "";
configureLog("info", "main");
sendLogTo((line) => { all += line; });
log("info", "x");
process.stderr.write(all);`;
  expect(await written(text, "this")).toMatch(/^\d{4}-.* info {2}main: x\n$/);
});
