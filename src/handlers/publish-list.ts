/**
 * `context.publish([...])`: many messages in one call, each for one or more channels, with what became of
 * each. All are looked at before any is published: one that is wrong rejects the call, and nothing was done.
 * As a batch over HTTP (publish/batch.ts), without its limits.
 */
import type { ListedMessage, ListedResult } from "sluice";
import { Refusals } from "../http/errors.ts";
import type { Refusal } from "../http/refusal.ts";
import { traceOf } from "../http/traceparent.ts";
import { isKey, keyWith } from "../publish/idempotency.ts";
import { marksFor } from "../publish/ingest.ts";
import { Results } from "../publish/own-form.ts";
import { type Place, placesOf, putAll, refusalOf } from "../publish/put.ts";
import { atHandler } from "./failure.ts";
import type { HandlerHost } from "./host.ts";
import { channelBytes, dataBytes, eventName, tellOfUntaken } from "./publishing.ts";
import { RefusedError } from "./refused-error.ts";

const encoder = new TextEncoder();

export function publishList(
  host: HandlerHost,
  messages: readonly ListedMessage[],
): Promise<readonly ListedResult[]> {
  const published = publishAll(host, messages);
  // Somebody's code may not wait for it.
  published.catch(tellOfUntaken);
  return published;
}

async function publishAll(
  host: HandlerHost,
  messages: readonly ListedMessage[],
): Promise<readonly ListedResult[]> {
  const { ingest } = host;
  const all = messages.map((message) => placesFor(host, message));
  await putAll(ingest, all.flat(), all);
  const results = new Results(ingest.store);
  return all.map((places) => {
    const refusal = refusalOf(places);
    return {
      positions: results.positions(places),
      duplicate: places.every(({ isDuplicate }) => isDuplicate),
      refused: refusal === null ? null : reasonOf(refusal),
    };
  });
}

const reasonOf = ({ status, code, explain }: Refusal): ListedResult["refused"] => ({ status, code, explain });

function placesFor(host: HandlerHost, message: ListedMessage): readonly Place[] {
  const { channel, data, eventId, eventType, stored = true, key, traceparent } = message;
  const channels = typeof channel === "string" ? [channel] : channel;
  if (!Array.isArray(channels) || channels.length === 0)
    throw atHandler(new RefusedError(Refusals.noChannel));
  // Its own: it may be waited for, and the handler do something else with its bytes.
  const bytes = new Uint8Array(dataBytes(data));
  if (bytes.length === 0) throw atHandler(new RefusedError(Refusals.emptyMessage));
  const [id, type] = [eventName(eventId), eventName(eventType)];
  const names = channels.map((name: unknown) => channelBytes(host, name));
  return placesOf(names, {
    data: bytes,
    eventId: id,
    eventType: type,
    stored,
    marks: marksFor(host.ingest, null, null, bytes, traceOf(traceparent)),
    key: keyOf(key, bytes, id, type),
  });
}

function keyOf(key: unknown, data: Uint8Array, id: Uint8Array | null, type: Uint8Array | null) {
  if (key === undefined || key === null) return null;
  const bytes = typeof key === "string" ? encoder.encode(key) : null;
  if (bytes === null || !isKey(bytes)) throw atHandler(new RefusedError(Refusals.faultyKey));
  return keyWith(bytes, data, id, type);
}
