// sluice.msgpack.v1: one message frame packed, by size.

import { bench, do_not_optimize, run } from "mitata";
import { packMessage } from "../../src/wire/msgpack-message.ts";
import { type Arguments, message, SIZES, text } from "./samples.ts";

const AT = { life: "9ix", positions: [7] };

bench("$size bytes", function* (state: Arguments) {
  const sample = message(text(state.get("size")));
  yield () => do_not_optimize(packMessage(sample, AT));
}).args("size", SIZES);

await run({ throw: true });
