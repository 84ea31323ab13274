/**
 * What somebody's code may have to do with the messages and subscribers of a location (`hooks`), as publish/
 * and subscribe/ see it. handlers/ implements it; a location without hooks has null in its place.
 */
import type { LocatedRequest } from "../config/location/located-request.ts";
import type { Refusal } from "../http/refusal.ts";

/** A message that is not published yet. */
export interface OfferedDraft {
  readonly data: Uint8Array;
  readonly eventId: Uint8Array | null;
  readonly eventType: Uint8Array | null;
  /** Its `traceparent`, which no hook changes; null: it has none. */
  readonly trace: Uint8Array | null;
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

/** A held connection, as whoever let it in can end it. */
export interface Standing {
  /**
   * Its grant has ended, or was taken back: says so as far as the transport has words for it, and is over.
   */
  dismiss(why: "ended" | "revoked"): void;
}

/**
 * Called when he has left all of them, and before that with names when he leaves these and stays in others.
 */
export type Departure = (names?: readonly Uint8Array[]) => void;

/** Called when somebody stands in the channels. Neither throws. */
export type Arrival = (names: readonly Uint8Array[], standing: Standing) => Departure;

/** What a WebSocket stands and publishes by, where grants are asked for. */
export interface Lease {
  /** Who it is for; null: nobody said. */
  readonly sub: string | null;
  /** Why its client may not publish there, now; null: it may. */
  refusalOf(names: readonly Uint8Array[]): Refusal | null;
  /** Why it may not stand there, in channels that it adds. */
  standingRefusalOf(names: readonly Uint8Array[]): Refusal | null;
  /** Takes another grant in the place of the first: that of a token its client sends. */
  renew(token: string, names: readonly Uint8Array[]): Promise<Renewed | Refusal>;
}

export interface Renewed {
  /** Seconds since 1970; null: it has no end. */
  readonly expiresSec: number | null;
}

export interface LocationHooks {
  /** Whether there is ever a judge: without one nobody keeps what is offered. */
  readonly judges: boolean;
  /** null: messages pass as they are. The request is read now; the judge may be called later, and often. */
  judge(located: LocatedRequest): Judge | null;
  /** null: nobody wants to know. */
  arrival(located: LocatedRequest): Arrival | null;
  /**
   * As `arrival`, for channels that a WebSocket adds while it stands in others; `arrival` was called for the
   * first.
   */
  addition(located: LocatedRequest): Arrival | null;
  /** Somebody has polled these channels, and was answered at once; absent: nobody wants to know. */
  passed?(located: LocatedRequest, names: readonly Uint8Array[]): void;
  /** null: whoever stands may publish, as far as the location lets him. */
  lease(located: LocatedRequest): Lease | null;
}

/** By index of Config.locations. */
export type HooksOf = (index: number) => LocationHooks | null;
