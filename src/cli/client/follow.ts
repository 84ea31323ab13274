/**
 * `sluice sub` as a user of the client (src/client): subscribes to the channels and tells a listener what
 * comes, until it is told to stop or going on is pointless. A first connection that fails is final: a wrong
 * address or channel should not look like a long wait.
 */
import { Sluice } from "../../client/entry.ts";
import type {
  Deleted,
  Gap,
  Message,
  Options,
  StateChange,
  Subscription,
  TransportName,
} from "../../client/sluice.d.ts";
import { CommandFailure, ExitCode } from "../failure.ts";
import { printable } from "../style.ts";
import { bearer } from "./credential.ts";
import { type ChannelRequest, channelsPath } from "./endpoint.ts";
import { explainOf, networkReason, refusedSentence, request, unreachableSentence } from "./http.ts";

/** As the user names them; a plain stream carries the frames that an event stream does. */
export const TRANSPORTS = ["ws", "sse", "stream", "long-poll"] as const;
export type TransportChoice = (typeof TRANSPORTS)[number];

const CARRIERS: Readonly<Record<TransportChoice, TransportName>> = {
  ws: "websocket",
  sse: "sse",
  stream: "sse",
  "long-poll": "poll",
};
/** Of the embedded default configuration. */
const PATHS: Readonly<Record<TransportChoice, string>> = {
  ws: "ws/",
  sse: "ev/",
  stream: "sub/",
  "long-poll": "lp/",
};
const LONGEST_DELAY_MS = 15_000;
const PROBE_MS = 10_000;

/** No method may throw. */
export interface Follower {
  connected(again: boolean): void;
  lost(reason: string, delayMs: number): void;
  delivered(message: Message): void;
  missed(gap: Gap): void;
  deleted(deleted: Deleted): void;
}

export interface Wanted {
  readonly base: string;
  readonly channels: readonly ChannelRequest[];
  readonly transport: TransportChoice;
  /** Empty: none. */
  readonly token: string;
}

/** Resolves when the signal aborts; rejects with a CommandFailure. */
export async function follow(wanted: Wanted, follower: Follower, signal: AbortSignal): Promise<void> {
  const { base, channels, transport, token } = wanted;
  const carrier = CARRIERS[transport];
  const paths: Options["paths"] = { [carrier]: PATHS[transport] };
  const client = new Sluice(base, { transports: [carrier], paths, maxDelay: LONGEST_DELAY_MS, token });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const stop = (): void => resolve();
  signal.addEventListener("abort", stop);
  if (signal.aborted) stop();
  let isFirst = true;
  const failed = (): void => void whyNot(wanted).then(reject);
  client.on("state", ({ state, reason, retryMs }: StateChange) => {
    if (state === "open") {
      follower.connected(!isFirst);
      isFirst = false;
    } else if (state === "waiting" && isFirst) failed();
    else if (state === "waiting") follower.lost(reason, retryMs);
  });
  for (const { name, last } of channels) {
    const subscription: Subscription = client.subscribe(name, { last }, (message) =>
      follower.delivered(message),
    );
    subscription
      .on("gap", (gap) => follower.missed(gap))
      .on("deleted", (deleted) => follower.deleted(deleted))
      .on("error", ({ status, message }) =>
        reject(new CommandFailure(ExitCode.FAILURE, refusedSentence(base, status, printable(message)))),
      );
  }
  try {
    await promise;
  } finally {
    client.close();
    signal.removeEventListener("abort", stop);
  }
}

/** Asked once more by HTTP, which has words for it where a WebSocket has none. */
async function whyNot({ base, channels, transport, token }: Wanted): Promise<CommandFailure> {
  const path = transport === "ws" ? PATHS["long-poll"] : PATHS[transport];
  const url = `${base}/${path}${channelsPath(channels, false)}?sluice_positions=&sluice_hello`;
  const stop = new AbortController();
  try {
    const answer = await request({
      url,
      headers: bearer(token),
      signal: stop.signal,
      headTimeoutMs: PROBE_MS,
    });
    stop.abort();
    const sentence = answer.ok
      ? `${url} answered, but not as a sluice of this version does.`
      : refusedSentence(base, answer.status, explainOf(answer));
    return new CommandFailure(ExitCode.FAILURE, sentence);
  } catch (error) {
    return new CommandFailure(ExitCode.FAILURE, unreachableSentence(base, networkReason(error)));
  }
}
