/**
 * What a call on the store answers, beside its own numbers, where it would have to wait: nothing was done,
 * try again (patience.ts).
 */
export const BUSY = -3;
