import { describe, expect, test } from "bun:test";
import type { Config } from "../../src/config/model.ts";
import { planReload } from "../../src/supervisor/reload.ts";
import { testConfig } from "./test-config.ts";

const config = (changes: Partial<Config> = {}): Config => testConfig("/dev/null", changes);
const NO_PORTS = new Map<string, string>();

describe("what a reload may change", () => {
  test("workers, messages and addresses take effect without a warning", () => {
    const plan = planReload(config(), config({ workers: 5, listen: ["127.0.0.1:17001"] }), NO_PORTS);
    expect(plan.warnings).toEqual([]);
    expect(plan.config.workers).toBe(5);
    expect(plan.config.listen).toEqual(["127.0.0.1:17001"]);
  });

  test("the store stays as it is, with one warning for each change", () => {
    const old = config();
    const next = config({ store: { ...old.store, size: old.store.size * 2, path: "/elsewhere" } });
    const plan = planReload(old, next, NO_PORTS);
    expect(plan.warnings).toEqual([
      "Cannot change memory area size without restart, ignoring change on zone: test_zone",
      "Cannot change store path without restart, ignoring change on zone: test_zone",
    ]);
    expect(plan.config.store).toEqual(old.store);
  });

  test("another zone name is the zone of the next start: the warning names the one that stays", () => {
    const old = config();
    const plan = planReload(old, config({ store: { ...old.store, zone: "other" } }), NO_PORTS);
    expect(plan.warnings).toEqual([
      "Cannot change zone name without restart, ignoring change on zone: test_zone",
    ]);
    expect(plan.config.store.zone).toBe("test_zone");
  });

  test("the events channel is made with the store", () => {
    const old = config();
    const messages = { ...old.messages, eventsChannelId: "events", pingText: "new" };
    const plan = planReload(old, config({ messages }), NO_PORTS);
    expect(plan.warnings).toEqual([
      "Cannot change events channel without restart, ignoring change on zone: test_zone",
    ]);
    expect(plan.config.messages).toEqual({ ...messages, eventsChannelId: "" });
  });
});

describe("which addresses have to be probed", () => {
  const current = config({ listen: ["127.0.0.1:8080", "unix:/run/a.sock"] });
  test.each([
    [["127.0.0.1:8080", "unix:/run/a.sock"], []],
    [["127.0.0.1:9090"], ["127.0.0.1:9090"]],
    [["0.0.0.0:8080"], []],
    [["unix:/run/b.sock"], ["unix:/run/b.sock"]],
  ])("%p → %p", (listen, expected) => {
    expect(planReload(current, config({ listen }), NO_PORTS).unprobed).toEqual(expected);
  });

  test("port 0 stays the port that was chosen at the start", () => {
    const ports = new Map([["127.0.0.1:0", "127.0.0.1:41234"]]);
    const plan = planReload(
      config({ listen: ["127.0.0.1:41234"] }),
      config({ listen: ["127.0.0.1:0"] }),
      ports,
    );
    expect(plan.config.listen).toEqual(["127.0.0.1:41234"]);
    expect(plan.unprobed).toEqual([]);
  });
});
