/**
 * The longer run: `bun run test:cluster --minutes N`. All faults of faults.test.ts, those that the short run
 * leaves out as well; thousands of random terms and forks; then chaos: one world of three nodes on which a
 * fault of random choice falls every few seconds until the time is over, judged at the end of each round.
 * Needs a build and redis-server. Prints its seed; `--chaos` begins with the rounds.
 */
import { parseArgs } from "node:util";
import { until } from "../binary/running-server.ts";
import { randomFraction } from "../random.ts";
import { CHAOS } from "./chaos.ts";
import { World } from "./world.ts";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "10" },
    seed: { type: "string" },
    chaos: { type: "boolean", default: false },
  },
});
const endMs = Date.now() + Number(values.minutes) * 60_000;
const seed = Number(values.seed ?? Date.now() % 1_000_000_000);
console.log(`test:cluster: ${values.minutes} minutes, --seed ${seed}`);
const random = randomFraction(seed);

const failed =
  !values.chaos &&
  Bun.spawnSync([process.execPath, "test", "--timeout", "60000", "./test/cluster/"], {
    env: { ...process.env, SLUICE_LONG: "1", FUZZ_RUNS: "200" },
    stdio: ["ignore", "inherit", "inherit"],
  }).exitCode !== 0;

const FAULTS_A_ROUND = 5;
let rounds = 0;
let faults = 0;
while (!failed && Date.now() < endMs) {
  rounds++;
  const names: string[] = [];
  const world = await World.start(3);
  try {
    await world.read();
    world.bustle(10);
    await until("some messages", () => world.taken > 30);
    for (let count = 0; count < FAULTS_A_ROUND; count++) {
      const fault = CHAOS[Math.floor(random() * CHAOS.length)];
      if (fault === undefined) continue;
      names.push(fault.name);
      await fault.does(world);
      await world.works(30_000);
      await world.note();
      for (const [at, reader] of world.readers.entries())
        if (random() < 0.3) await reader.move(world.node(at + 1));
      await Bun.sleep(random() * 500);
    }
    await world.quiet();
    await world.settle();
    const found = await world.faults();
    const gaps = world.readers.reduce((sum, reader) => sum + reader.gaps, 0);
    const seen = world.readers.reduce((sum, reader) => sum + reader.texts.length, 0);
    console.log(
      `round ${rounds}: ${names.join(", ")}: ${world.taken} taken, ${seen} seen, ${gaps} gaps told, ` +
        `${found.length} promises broken`,
    );
    for (const fault of found) console.log(`  ${fault}`);
    faults += found.length;
  } catch (error) {
    faults++;
    console.log(`round ${rounds}: ${names.join(", ")}: ${String(error)}`);
  } finally {
    await world.stop();
  }
}
console.log(`${rounds} rounds, ${faults} promises broken`);
process.exit(failed || faults > 0 ? 1 : 0);
