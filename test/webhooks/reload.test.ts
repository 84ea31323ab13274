/**
 * A configuration whose webhooks become others, while publishers go on: those that stay lose nothing, new
 * ones begin, old ones are forgotten.
 */
import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { layout, startServer, until, withSmallStore } from "../binary/running-server.ts";
import { hook, Receiver } from "./receiver.ts";

test("webhooks that stay, come and go with a reload", async () => {
  const [stays, goes, comes] = [new Receiver(), new Receiver(), new Receiver()];
  const first = `${hook(stays, ["published"], "", "stays")}${hook(goes, ["published"], "", "goes")}`;
  const second = `${hook(stays, ["published"], "", "stays")}${hook(comes, ["published"], "", "comes")}`;
  const server = await startServer({ toml: layout(first) });
  const pids = new Set(await server.workerPids());
  const reload = async (toml: string): Promise<void> => {
    writeFileSync(server.configFile, withSmallStore(layout(toml)));
    server.process.kill("SIGHUP");
    await until("other workers", async () => (await server.workerPids()).every((pid) => !pids.has(pid)));
    for (const pid of await server.workerPids()) pids.add(pid);
  };
  let published = 0;
  let isOn = true;
  const publishing = (async () => {
    for (; isOn; published++) {
      expect((await server.publish("a", `${published}`)).status).toBe(200);
      await Bun.sleep(3);
    }
  })();
  await until("told", () => goes.events.length > 10);
  await reload(second);
  await until("the new one is told", () => comes.events.length > 10);
  isOn = false;
  await publishing;
  await until(
    "all",
    () => stays.events.length >= published && comes.events.at(-1)?.data === `${published - 1}`,
  );
  const order = Array.from({ length: published }, (_, at) => `${at}`);
  expect([...new Set(stays.events.map(({ data }) => data ?? ""))]).toEqual(order);
  const its = [...new Set(comes.events.map(({ data }) => data ?? ""))];
  expect(its).toEqual(order.slice(-its.length));
  const last = goes.events.length;
  expect(last).toBeLessThan(published);

  await reload("");
  await server.publish("a", "after");
  await Bun.sleep(300);
  expect([stays, comes, goes].map(({ events }) => events.at(-1)?.data)).not.toContain("after");
  expect((await server.request("/metrics")).text).not.toContain("sluice_webhook");
  await server.stop();
  for (const receiver of [stays, goes, comes]) {
    expect(receiver.faults).toEqual([]);
    receiver.stop();
  }
}, 30_000);
