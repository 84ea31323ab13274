// sluice.json.v1: one message frame encoded into a reused buffer, by size.

import { bench, do_not_optimize, run } from "mitata";
import { ByteWriter } from "../../src/wire/byte-writer.ts";
import { pushJsonMessage } from "../../src/wire/json-message.ts";
import { type Arguments, message, SIZES, text } from "./samples.ts";

const AT = { life: "9ix", positions: [7] };
const writer = new ByteWriter();

bench("$size bytes", function* (state: Arguments) {
  const sample = message(text(state.get("size")));
  yield () => {
    writer.length = 0;
    pushJsonMessage(writer, sample, AT);
    do_not_optimize(writer.length);
  };
}).args("size", SIZES);

await run({ throw: true });
