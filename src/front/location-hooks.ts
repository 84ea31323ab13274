/**
 * What somebody's code may have to do with the messages and subscribers of a location (`hooks`), as publish/ and subscribe/ see it. handlers/
 * implements it; a location without hooks has null in its place.
 */
import type { LocatedRequest } from "../config/located-request.ts";
import type { Refusal } from "../errors.ts";

/** A message that is not published yet. */
export interface OfferedDraft {
  readonly data: Uint8Array;
  readonly eventId: Uint8Array | null;
  readonly eventType: Uint8Array | null;
}

/** What becomes of a WebSocket whose message is refused; HTTP knows nothing of it. */
export interface HookRefusal extends Refusal {
  /** Absent: as its protocol has it, which is closed where there are no words for a refusal. */
  readonly close?: boolean;
}

/** The message as it is to be published, or why it is not. Never throws, never rejects. */
export type Judge = (
  names: readonly Uint8Array[],
  draft: OfferedDraft,
) => OfferedDraft | HookRefusal | Promise<OfferedDraft | HookRefusal>;

/** Called when somebody stands in the channels; the answer is called when he has left. Neither throws. */
export type Arrival = (names: readonly Uint8Array[]) => () => void;

export interface LocationHooks {
  /** null: messages pass as they are. The request is read now; the judge may be called later, and often. */
  judge(located: LocatedRequest): Judge | null;
  /** null: nobody wants to know. */
  arrival(located: LocatedRequest): Arrival | null;
}

/** By index of Config.locations. */
export type HooksOf = (index: number) => LocationHooks | null;
