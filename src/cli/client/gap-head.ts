/** What the head of an answer tells to be missing (wire/gap-field.ts): of polls, and of streams that have no words for it. */
import { parseGapField } from "../../wire/gap-field.ts";
import type { Sink } from "./transport.ts";

export function tellGaps(response: Response, sink: Sink): void {
  for (const { channel, missed } of parseGapField(response.headers.get("Sluice-Gap")))
    sink.missed(channel, missed);
}
