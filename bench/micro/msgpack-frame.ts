// sluice.msgpack.v1: one message frame packed, by size.

import { bench, run } from "mitata";
import { packMessage } from "../../src/wire/msgpack-message.ts";
import { message, SIZES, text } from "./samples.ts";

const AT = { life: "9ix", positions: [7] };

for (const size of SIZES) {
  const sample = message(text(size));
  bench(`${size} bytes`, () => {
    if (packMessage(sample, AT).length < size) throw new Error("nothing was packed");
  });
}

await run();
