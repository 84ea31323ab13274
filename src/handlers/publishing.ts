/**
 * `context.publish` and `context.channel`: what a handler may do with channels. Its own publishes pass no
 * hook.
 */
import type { ChannelStatistics, PublishOptions, PublishResult } from "sluice";
import { Refusals } from "../http/errors.ts";
import { traceOf } from "../http/traceparent.ts";
import { ingestPatiently, marksFor, openTarget } from "../publish/ingest.ts";
import { channelCounts, countsByName } from "../store/channel/channel-statistics.ts";
import { nameRefusal } from "../wire/channels-path.ts";
import { atHandler } from "./failure.ts";
import type { HandlerHost } from "./host.ts";
import { RefusedError, tellOfRefused } from "./refused-error.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** What the store takes. */
const MAX_EVENT_NAME_BYTES = 65_534;

/** The bytes of a channel's name. Throws when nobody may have such a channel; a "/" would be two. */
export function channelBytes({ config }: HandlerHost, name: unknown): Uint8Array {
  if (typeof name !== "string") throw atHandler(new TypeError("the name of a channel is a text"));
  const bytes = encoder.encode(name);
  if (bytes.length === 0) throw atHandler(new RefusedError(Refusals.noChannel));
  if (name.includes("/")) throw atHandler(new RefusedError(Refusals.forbiddenChannel));
  const refusal = nameRefusal(bytes, config.limits.maxChannelIdLength);
  if (refusal !== null) throw atHandler(new RefusedError(refusal));
  return bytes;
}

/**
 * Rejects with a RefusedError when it is refused: nothing was published then. On one machine it is in the
 * store when this returns, unless that is busy; in a cluster it is when the engine has answered.
 */
export function publishFrom(
  host: HandlerHost,
  channel: string,
  data: string | Uint8Array,
  options?: PublishOptions,
): Promise<PublishResult> {
  const published = publishOne(host, channel, data, options);
  // Somebody's code may not wait for it.
  published.catch(tellOfUntaken);
  return published;
}

async function publishOne(
  host: HandlerHost,
  channel: string,
  data: string | Uint8Array,
  { stored = true, eventId, eventType, traceparent }: PublishOptions = {},
): Promise<PublishResult> {
  const { ingest } = host;
  const name = channelBytes(host, channel);
  const given = dataBytes(data);
  // It may be waited for, and the handler do something else with its bytes.
  const bytes = ingest.order && given === data ? new Uint8Array(given) : given;
  if (bytes.length === 0) throw atHandler(new RefusedError(Refusals.emptyMessage));
  const marks = marksFor(ingest, null, null, bytes, traceOf(traceparent));
  const draft = { data: bytes, eventId: eventName(eventId), eventType: eventName(eventType), stored, marks };
  const target = openTarget(ingest.store, name, Date.now());
  if ("status" in target) throw atHandler(new RefusedError(target));
  const outcome = ingestPatiently(ingest, [target], draft, Date.now(), draft);
  const refusal = outcome instanceof Promise ? await outcome : outcome;
  if (refusal !== null) throw atHandler(new RefusedError(refusal));
  const counts = channelCounts(ingest.store, target);
  // Deleted right after the message went in: only its number is known.
  const { published = target.lastId, stored: kept = 0, subscribers = 0 } = counts ?? {};
  return { channel, published, stored: kept, subscribers, id: target.lastId };
}

export const tellOfUntaken = (error: unknown): void =>
  tellOfRefused("what a handler published was not taken", error);

export function channelStatistics(host: HandlerHost, channel: string): ChannelStatistics | null {
  const counts = countsByName(host.ingest.store, encoder.encode(channel));
  if (counts === "busy") throw atHandler(new RefusedError(Refusals.busy));
  if (counts === null) return null;
  const { published, stored, subscribers } = counts;
  return { channel, published, stored, subscribers };
}

export function dataBytes(data: unknown): Uint8Array {
  if (typeof data === "string") return encoder.encode(data);
  if (data instanceof Uint8Array) return data;
  throw atHandler(new TypeError("the data of a message is text or bytes"));
}

/** undefined and null: none. Throws when the store could not take it. */
export function eventName(name: unknown): Uint8Array | null {
  if (name === undefined || name === null) return null;
  if (typeof name !== "string") throw atHandler(new TypeError("an event id or type is a text"));
  const bytes = encoder.encode(name);
  if (bytes.length > MAX_EVENT_NAME_BYTES) throw atHandler(new RefusedError(Refusals.eventNameTooLarge));
  return bytes;
}

/** Bytes as people read them: names of channels, event ids, data. */
export const textOf = (bytes: Uint8Array): string => decoder.decode(bytes);
