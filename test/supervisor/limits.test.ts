import { expect, test } from "bun:test";
import { connectionLimit, descriptorLimit } from "../../src/supervisor/service/limits.ts";

test("the descriptor limit is the one this process has", () => {
  const script =
    `${JSON.stringify(process.execPath)} -e 'import { descriptorLimit } ` +
    `from "./src/supervisor/service/limits.ts"; console.log(descriptorLimit())'`;
  const child = Bun.spawnSync(["sh", "-c", `ulimit -n 256 && exec ${script}`], {
    cwd: `${import.meta.dir}/../..`,
  });
  expect(child.stdout.toString().trim()).toBe("256");
  expect(descriptorLimit()).toBeGreaterThan(0);
});

test.each([
  [0, 20_000, 19_936],
  [1000, 20_000, 1000],
  [50_000, 20_000, 19_936],
  [0, 32, 16],
])("max_connections %p with %p descriptors is %p", (configured, descriptors, expected) => {
  expect(connectionLimit(configured, descriptors)).toBe(expected);
});
