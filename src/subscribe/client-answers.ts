/**
 * What is said back to a WebSocket client about what it said (client-messages.ts, client-offers.ts). The
 * dialect has no words for any of it: there a refusal is the reason of the close frame, and success is
 * silent.
 */
import type { HookRefusal } from "../front/location-hooks.ts";
import { ByteWriter } from "../wire/byte-writer.ts";
import { jsonAnswer, msgpackAnswer, type Ref } from "../wire/client-frame.ts";
import { closeCode, closeReason } from "../wire/close-reason.ts";
import { publishedText, pushPublishedFrame } from "../wire/published-frame.ts";
import type { Hub, Published, RunMessage } from "./hub.ts";
import type { Speaker } from "./speaker.ts";

export function answer(speaker: Speaker, map: Readonly<Record<string, unknown>>): void {
  if (speaker.protocol === "json") speaker.say(jsonAnswer(map));
  else if (speaker.protocol === "msgpack") speaker.say(msgpackAnswer(map));
}

export const tellPublished = (speaker: Speaker, where: Published["where"], ref: Ref): void =>
  answer(speaker, { kind: "published", ref, ...where });

/** Of a run, in one write. */
const row = new ByteWriter();

/** Tells of those from `from` on that are in; gives where it stopped. */
export function tellRun(speaker: Speaker, run: readonly RunMessage[], from: number, to: number): number {
  const { direct } = speaker.socket;
  const inFrames = direct !== undefined && speaker.protocol === "json" ? direct : null;
  row.reset();
  let at = from;
  for (; at < to; at++) {
    const message = run[at];
    if (message === undefined || !message.isIn) break;
    const { ref, life, position } = message;
    if (ref === null) continue;
    if (inFrames !== null) pushPublishedFrame(row, ref, life, position);
    else if (speaker.protocol === "json") speaker.say(publishedText(ref, life, position));
    else answer(speaker, { kind: "published", ref, position: positionOf(message) });
  }
  // 0: the socket is closed, and its close handler was called.
  inFrames?.sendFrames(row.bytes, row.length, null);
  return at;
}

export const positionOf = ({ life, position }: RunMessage): string => `${life}-${position}`;

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
