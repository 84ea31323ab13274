// sluice.json.v1: one message frame encoded into a reused buffer, by size.

import { bench, run } from "mitata";
import { ByteWriter } from "../../src/wire/byte-writer.ts";
import { pushJsonMessage } from "../../src/wire/json-message.ts";
import { message, SIZES, text } from "./samples.ts";

const AT = { life: "9ix", positions: [7] };
const writer = new ByteWriter();

for (const size of SIZES) {
  const sample = message(text(size));
  bench(`${size} bytes`, () => {
    writer.length = 0;
    pushJsonMessage(writer, sample, AT);
    if (writer.length < size) throw new Error("nothing was encoded");
  });
}

await run();
