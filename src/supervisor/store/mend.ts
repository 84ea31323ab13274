/**
 * The child that makes the store's lists anew (store-mender.ts): `sluice __mend <store> <pid of the dead
 * owner>`.
 */
import { causeOf, log } from "../../log.ts";
import { mendStore } from "../../store/opening.ts";

/** The exit status: 0 when the lock is no longer the dead process's. */
export function runMend(args: readonly string[]): number {
  const [storePath, pid] = args;
  if (storePath === undefined || !/^\d{1,10}$/.test(pid ?? "")) {
    log("error", "this command is internal: `sluice serve` starts it by itself");
    return 2;
  }
  try {
    mendStore(storePath, Number(pid));
    return 0;
  } catch (error) {
    log("error", `the store could not be mended: ${causeOf(error)}`);
    return 1;
  }
}
