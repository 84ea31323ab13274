/**
 * What whoever reads the faults of an nginx.conf can do now: what the file would need beside push, and which
 * of the other two ways takes it as it is. Asked when a file was refused (load.ts, cli/convert.ts), so it may
 * read everything once more.
 */
import type { Fault } from "../fault.ts";
import { splitNginx } from "./keep/split.ts";
import { checkNginx } from "./load.ts";

const NOT_SUPPORTED = /^"(\w+)" directive is not supported/;
const EXAMPLE_ADDRESS = "127.0.0.1:9090";
const EXAMPLE_STATUS = 404;

/** Lines that follow the faults; none where the syntax is at fault, which no way gets around. */
export function waysFor(text: string, file: string, faults: readonly Fault[]): readonly string[] {
  const needed = neededBy(faults);
  const keeps = splitNginx({ file, address: EXAMPLE_ADDRESS }).faults.length === 0;
  const serves = checkNginx(text, file, { foreign: EXAMPLE_STATUS }).faults.length === 0;
  const ways = [
    ...(keeps
      ? [
          `sluice convert --keep-nginx ${file} --out DIR   nginx goes on serving the site, sluice ` +
            "answers its push locations",
        ]
      : []),
    ...(serves
      ? [
          `--foreign ${EXAMPLE_STATUS}   sluice serves this file, and answers ${EXAMPLE_STATUS} in ` +
            "locations that have nothing to do with push",
        ]
      : []),
  ];
  return [
    ...(needed === "" ? [] : [`what it needs and sluice has not: ${needed}`]),
    ...(ways.length === 0 ? [] : [`as it is, the file works with:`, ...ways.map((way) => `  ${way}`)]),
  ];
}

/** "proxy_pass 3 times, fastcgi_pass". */
function neededBy(faults: readonly Fault[]): string {
  const counts = new Map<string, number>();
  for (const { sentence } of faults) {
    const name = NOT_SUPPORTED.exec(sentence)?.[1];
    if (name !== undefined) counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return [...counts]
    .toSorted(([, left], [, right]) => right - left)
    .map(([name, count]) => (count === 1 ? name : `${name} ${count} times`))
    .join(", ");
}
