/**
 * Why somebody's code is told to end: what `signal.reason` is, and what sleepers are woken with. Used by all
 * that runs some.
 */
import { atHandler } from "./failure.ts";

export const Ending = {
  clientLeft: atHandler(new DOMException("The client has left.", "AbortError")),
  tooLate: atHandler(new DOMException("The time limit of the location is over.", "TimeoutError")),
  draining: atHandler(new DOMException("The server is about to stop.", "AbortError")),
  grantOver: atHandler(new DOMException("What was granted to the client is over.", "AbortError")),
  calledOff: atHandler(new DOMException("Nobody wants the answer any more.", "AbortError")),
  done: atHandler(new DOMException("The request is over.", "AbortError")),
} as const;

/** A sleeper that nobody waits for any more was woken: no fault. */
export const isEnding = (error: unknown): boolean => Object.values(Ending).some((each) => each === error);
