// Locations: finding the location of a path among a hundred, by kind of location. Paths differ from call to
// call, so that the matcher's memory of the last one is of no help. The goal is under 2 us.

import { bench, do_not_optimize, run, summary } from "mitata";
import { compileLocations } from "../../src/config/location/locations.ts";

const HUNDRED = Array.from({ length: 100 }, (_, i) => i);
const KINDS = new Map([
  ["prefixes", HUNDRED.map((i) => `/app${i}/`)],
  ["anchored regexes", HUNDRED.map((i) => `~ ^/app${i}/(.*)$`)],
  ["regexes anywhere in the path, none matches", HUNDRED.map((i) => `~ /none${i}/(.*)`)],
  ["both", HUNDRED.map((i) => (i % 2 === 0 ? `/app${i}/` : `~ /app${i}/(.*)`))],
]);
const paths = Array.from({ length: 1000 }, (_, i) => `/app${i % 100}/channel-number-${i}`);

summary(() => {
  for (const [name, matches] of KINDS) {
    bench(name, function* () {
      const find = compileLocations(matches.map((match) => ({ match })));
      let turn = 0;
      yield () => {
        turn = (turn + 1) % paths.length;
        do_not_optimize(find(paths[turn] ?? ""));
      };
    });
  }
});

await run({ throw: true });
