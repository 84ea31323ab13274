/**
 * What is said back to a WebSocket client about what it said (client-messages.ts, client-offers.ts). The
 * dialect has no words for any of it: there a refusal is the reason of the close frame, and success is
 * silent.
 */
import type { HookRefusal } from "../front/location-hooks.ts";
import { jsonAnswer, msgpackAnswer, type Ref } from "../wire/client-frame.ts";
import { closeCode, closeReason } from "../wire/close-reason.ts";
import type { Hub, Published } from "./hub.ts";
import type { Speaker } from "./speaker.ts";

export function answer(speaker: Speaker, map: Readonly<Record<string, unknown>>): void {
  if (speaker.protocol === "json") speaker.say(jsonAnswer(map));
  else if (speaker.protocol === "msgpack") speaker.say(msgpackAnswer(map));
}

/** Most of what is said here: without making an object to make text of. */
export function tellPublished(speaker: Speaker, where: Published["where"], ref: Ref): void {
  const { position } = where;
  if (speaker.protocol === "json" && typeof ref === "number" && isAlone(where))
    speaker.say(`{"kind":"published","ref":${ref},"position":"${position}"}`);
  else answer(speaker, { kind: "published", ref, ...where });
}

/** Tells it, and whether the connection goes on. */
export function tellRefused(
  { store, slot }: Pick<Hub, "store" | "slot">,
  speaker: Speaker,
  refusal: HookRefusal,
  ref: Ref,
): boolean {
  const { code, status, explain } = refusal;
  store.counters.addRefusal(slot, status);
  answer(speaker, { kind: "refused", ref, status, code, explain });
  const isOver = refusal.close ?? speaker.protocol === "template";
  if (isOver) speaker.end(closeCode(refusal), closeReason(refusal));
  return !isOver;
}

/** One position, which needs no quoting, and nothing else. */
const isAlone = ({ position, duplicate }: Published["where"]): boolean =>
  typeof position === "string" && duplicate === undefined;
