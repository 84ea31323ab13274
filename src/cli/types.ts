/**
 * `sluice types`: prints the types of handlers, for an editor to know them (`sluice types > sluice.d.ts`).
 */
import { declarations } from "../handlers/declarations.ts";
import { writeOut } from "./output.ts";

/** Returns the exit code, 0. */
export function typesCommand(): number {
  writeOut(declarations);
  return 0;
}
