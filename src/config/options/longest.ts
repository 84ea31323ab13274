/** The longest durations that options may name; who reads them is the table beside it. */

/** setTimeout of the runtime holds 2^31-1 ms, a little over 24 days; more would fire at once. */
export const LONGEST_TIMER = "24d";
/** Message times are 32-bit seconds; ten years from now still fits. */
export const LONGEST_LIFE = "3650d";
