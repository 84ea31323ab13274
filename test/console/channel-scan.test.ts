/** Ten pages that look at the list of a console's channels cost one look at the store, not ten. */
import { afterAll, expect, spyOn, test } from "bun:test";
import { SLICE } from "../../src/console/channel-scan.ts";
import { ConsoleChannels, SORTS } from "../../src/console/channels.ts";
import { LivingChannels } from "../../src/store/channel/channel-statistics.ts";
import { Channel, newStore, removeTempFolders } from "../store/fixture.ts";

afterAll(removeTempFolders);

/** More than one slice. */
const MANY = SLICE + 100;

test("ten who ask for the list within a second share one scan, each in his own order", async () => {
  const store = newStore({}, { size: 4 * 1024 * 1024, channels: MANY + 100 });
  for (let at = 0; at < MANY; at++) new Channel(store, `channel-${at}`);
  const scans = spyOn(LivingChannels, "of");
  try {
    const channels = new ConsoleChannels(store, 0);
    const five = () => Promise.all(SORTS.map((sort) => channels.list("channel-1", sort)));
    // The first five while it goes on, the others from what it found.
    const lists = await five();
    new Channel(store, "channel-1-late").append("x");
    lists.push(...(await five()));
    expect(scans).toHaveBeenCalledTimes(1);
    const found = Array.from({ length: MANY }, (_, at) => `channel-${at}`).filter((name) =>
      name.startsWith("channel-1"),
    );
    for (const list of lists) {
      expect(list?.total).toBe(found.length);
      for (const { name } of list?.rows ?? []) expect(found).toContain(name);
    }
    const [byName] = (await channels.list("channel-59", "name"))?.rows ?? [];
    expect(byName?.name).toBe("channel-59");
    expect((await channels.list("", "stored"))?.total).toBe(MANY);
    expect(scans).toHaveBeenCalledTimes(1);
    // Who asks later is shown what has come, by a second scan, with a rate.
    let late = await channels.list("late", "stored");
    while (late?.total !== 1) {
      await Bun.sleep(50);
      late = await channels.list("late", "stored");
    }
    expect(scans).toHaveBeenCalledTimes(2);
    expect((await channels.list("channel-59", "rate"))?.rows[0]?.rate).toBe(0);
  } finally {
    scans.mockRestore();
  }
});
