/** What comes of asking at a gate. Named by all who ask and answer there. */

import type { Grant } from "../config/grant/grant.ts";
import type { HeaderFields } from "../http/answer.ts";
import type { Refusal } from "../http/refusal.ts";

export interface Refused {
  readonly refusal: Refusal;
  /** Beside those that every refusal has. */
  readonly fields: HeaderFields;
}

/** Let in without a grant: nothing is known of who it is. */
export const LET_IN = null;

export type Verdict = Grant | Refused | typeof LET_IN;

export const isRefused = (verdict: Verdict): verdict is Refused => verdict !== LET_IN && "refusal" in verdict;
