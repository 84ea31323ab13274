/**
 * Everything CI runs, in one command: build, types, lint and format, then the suites. `bun run test` calls it after an install;
 * `bun test/run.ts wire fuzz` runs only the suites named. Ends with `N passed, N failed, N skipped`.
 *
 * A file with a failure is run once more by itself. Passes it then, the failure is shown and named at the end all the same, as one that
 * comes and goes (many tests kill, stop and starve processes of a busy machine), and the run goes on: somebody has to look at it.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dir, "..");
const bun = process.execPath;

/** Cheap and pure first, so that a mistake shows early. */
const SUITES = [
  "architecture",
  "leaves",
  "wire",
  "config",
  "store",
  "fanout",
  "subscribe",
  "publish",
  "admin",
  "front",
  "files",
  "web",
  "listen",
  "fuzz",
  "race",
  "supervisor",
  "cli",
  "build",
  "binary",
  "delivery",
  "cluster",
  "nginx",
  "proxies",
  "access",
  "libraries",
  "handlers",
  "systemd",
  "browser",
];

const tally = { passed: 0, failed: 0, skipped: 0 };
const failedSteps: string[] = [];
const comingAndGoing: string[] = [];

async function run(title: string, command: readonly string[], isSuite: boolean): Promise<boolean> {
  const startedMs = performance.now();
  const { output, code } = await outcome(command);
  const count = (word: string) => Number(new RegExp(`^ *(\\d+) ${word}$`, "m").exec(output)?.[1] ?? 0);
  let failed = isSuite ? Math.max(count("fail"), code === 0 ? 0 : 1) : Number(code !== 0);
  if (failed > 0 && isSuite && (await passesNow(output))) {
    console.log(`came and went in ${title}:\n${interesting(output)}`);
    comingAndGoing.push(...failures(output));
    failed = 0;
  }
  tally.passed += isSuite ? count("pass") : Number(code === 0);
  tally.failed += failed;
  tally.skipped += isSuite ? count("skip") : 0;
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  const counts = isSuite ? `${count("pass")} passed, ${failed} failed, ${count("skip")} skipped` : "";
  console.log(`${failed === 0 ? "ok  " : "FAIL"} ${title.padEnd(14)} ${seconds.padStart(6)} s  ${counts}`);
  if (failed > 0) {
    failedSteps.push(title);
    console.log(isSuite ? interesting(output) : output);
  } else {
    for (const line of output.split("\n"))
      if (/seed|skipped:|^measured:/i.test(line)) console.log(`       ${line.trim()}`);
  }
  return failed === 0;
}

async function outcome(command: readonly string[]): Promise<{ output: string; code: number }> {
  const child = Bun.spawn([...command], {
    cwd: root,
    env: { ...process.env, SLUICE_BINARY: join(root, "dist/sluice") },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, errors, code] = await Promise.all([text(child.stdout), text(child.stderr), child.exited]);
  return { output: out + errors, code };
}

/** Runs the files with a failure again, each by itself. False, too, where something outside a test failed: a file that does not load. */
async function passesNow(output: string): Promise<boolean> {
  const files = new Set<string>();
  let file = "";
  for (const line of output.split("\n")) {
    if (/^test\/\S+\.ts:$/.test(line)) file = line.slice(0, -1);
    // The list at the end names no files.
    if (/^\d+ tests failed:$/.test(line)) break;
    if (line.startsWith("(fail)")) files.add(file);
  }
  if (/^ *\d+ errors?$/m.test(output) || files.size === 0 || files.size > 3 || files.has("")) return false;
  for (const each of files) if ((await outcome(suiteCommand(`./${each}`))).code !== 0) return false;
  return true;
}

const failures = (output: string): string[] => [
  ...new Set(output.split("\n").filter((line) => line.startsWith("(fail)"))),
];

const suiteCommand = (target: string): string[] => [bun, "test", "--timeout", "30000", target];

/** A failing suite without its passing tests. */
function interesting(output: string): string {
  const lines = output.split("\n").filter((line) => !line.startsWith("(pass)") && !line.startsWith("(skip)"));
  return lines.join("\n");
}

const text = (stream: ReadableStream<Uint8Array>): Promise<string> => new Response(stream).text();

const asked = process.argv.slice(2);
if (asked.length === 0) {
  const built = await run("build", [bun, "run", "build"], false);
  await run("types", [bun, "x", "tsc", "--noEmit"], false);
  await run("lint, format", [bun, "x", "biome", "check", "--error-on-warnings", "."], false);
  if (!built) process.exit(finish());
}
for (const suite of asked.length > 0 ? asked : SUITES) {
  const path = `test/${suite}`;
  const target = existsSync(join(root, path)) ? `./${path}/` : `./${path}.test.ts`;
  await run(suite, suiteCommand(target), true);
}
process.exit(finish());

function finish(): number {
  for (const each of comingAndGoing) console.log(`came and went: ${each.slice("(fail) ".length)}`);
  if (failedSteps.length > 0) console.log(`\nfailed: ${failedSteps.join(", ")}`);
  console.log(`${tally.passed} passed, ${tally.failed} failed, ${tally.skipped} skipped`);
  return tally.failed > 0 ? 1 : 0;
}
