/**
 * One of several processes that share a dictionary: `bun shared-process.ts PATH WORK COUNT`. Started by
 * shared-dictionary.test.ts.
 */
import { attached } from "./shared-fixture.ts";

const [path = "", work = "", count = "0"] = process.argv.slice(2);
const dictionary = attached(path);
let won = 0;
process.stdout.write("ready\n");
for await (const _line of console) break;
/** On a machine with more to do than CPUs the lock's owner may wait for one. */
function patiently<Result>(call: () => Result): Result {
  for (;;) {
    try {
      return call();
    } catch (error) {
      if ((error as Error).message !== "busy") throw error;
    }
  }
}

function mixed(at: number): void {
  patiently(() => dictionary.incr("sum"));
  patiently(() => dictionary.set(`key ${at % 300}`, "text".repeat(at % 90)));
  if (at % 7 === 0) patiently(() => dictionary.delete(`key ${(at * 5) % 300}`));
  const text = patiently(() => dictionary.get(`key ${at % 290}`));
  if (typeof text === "string" && text !== "text".repeat(text.length / 4)) throw new Error(`torn: ${text}`);
}

for (let at = 0; at < Number(count); at++) {
  if (work === "count") patiently(() => dictionary.incr("sum"));
  else if (work === "add" && patiently(() => dictionary.add(`key ${at}`, process.pid))) won++;
  else if (work === "mixed") mixed(at);
}
process.stdout.write(`${won}\n`);
