// One line a second, four in all: what the Lua location of an OpenResty push server does.
import type { Context } from "sluice";

export default async function* ({ sleep }: Context) {
  for (let line = 1; line <= 4; line++) {
    yield `line ${line} of 4\n`;
    await sleep(1000);
  }
}
