/**
 * A handler cannot end its worker: `process.exit` and its kin throw inside one, which costs the request like
 * any other error. Called once by the worker's life before anything of a handler runs; main.ts took its own
 * `exit` before.
 *
 * This is no sandbox. A handler may do what the user may who runs sluice, `process.kill` included.
 */

import { atHandler } from "./failure.ts";

/**
 * The ways out that a program takes by itself. `exit` of the runtime ends in `reallyExit`, which has to stay.
 */
const WAYS_OUT = ["exit", "abort"] as const;

export function keepHandlersFromExiting(): void {
  for (const name of WAYS_OUT) Reflect.set(process, name, () => refuseExit(name));
}

function refuseExit(name: string): never {
  throw atHandler(new Error(`a handler cannot end its worker: process.${name}() does nothing here`));
}
