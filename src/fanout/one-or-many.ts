/**
 * The subscriptions of a connection. Nearly all have one, and are ten thousand: so one is kept as it is, and
 * a list is made for those who stand in several channels or in none. A list of one would be 32 bytes more for
 * each. Whoever asks for the list of one who has no list is given a new one; `isSeveral` makes none.
 */
import { Subscription } from "./local-channel.ts";

export type OneOrMany<S extends Subscription> = S | readonly S[];

export const NONE: readonly never[] = [];

/** Asked once a delivery. */
export const isSeveral = <S extends Subscription>(kept: OneOrMany<S>): boolean =>
  Array.isArray(kept) && kept.length > 1;

export const listOf = <S extends Subscription>(kept: OneOrMany<S>): readonly S[] =>
  kept instanceof Subscription ? [kept] : kept;

/** As it is to be kept. */
export function kept<S extends Subscription>(list: readonly S[]): OneOrMany<S> {
  const [only] = list;
  if (only === undefined) return NONE;
  return list.length === 1 ? only : [...list];
}

export const without = <S extends Subscription>(list: readonly S[], one: S): readonly S[] =>
  list.filter((other) => other !== one);
