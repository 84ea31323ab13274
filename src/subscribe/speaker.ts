/**
 * What a WebSocket client is to those who act on what it says (client-messages.ts, client-offers.ts):
 * somebody in channels who can be answered, and the terms on which its location publishes. The socket itself
 * is socket-peer.ts.
 */
import type { Judge, Lease } from "../front/location-hooks.ts";
import type { PeerSocket } from "../http/peer-socket.ts";
import type { NamedChannel } from "../store/channel/channel-ref.ts";
import type { Adding, Holder } from "./channel-frames.ts";

export type Protocol = "template" | "json" | "msgpack";

/** The socket, as far as it is spoken to here. */
export interface Speaker {
  readonly protocol: Protocol;
  /** Itself, if channels can come and go. */
  readonly holder: Holder | null;
  readonly socket: Pick<PeerSocket, "direct">;
  /** Channels of the connection, at the moment, one after the other; undefined: there are no more. */
  channelAt(place: number): NamedChannel | undefined;
  say(payload: string | Uint8Array): void;
  /** Leaves the channels and closes. */
  end(code: number, reason?: string): void;
}

/** How a location publishes what clients say. */
export interface Publishing {
  /** null: messages are published as they are. */
  readonly judge: Judge | null;
  /**
   * The channel that `websocket_publish_channel` names, alone or none at all; null: there is no such option.
   */
  readonly only: readonly Uint8Array[] | null;
  /** What the client may do by its grant; null: nobody asked for one. */
  readonly lease: Lease | null;
  /** How channels are added; null: not at all. */
  readonly adding: Adding | null;
}

/** As most locations have it: to all channels, and no hook judges them. */
export const AS_IT_IS: Publishing = { judge: null, only: null, lease: null, adding: null };

/** Whether the location's option names a channel of the connection, if it names any. */
export const isAmong = (
  only: Publishing["only"],
  standing: readonly { readonly name: Uint8Array }[],
): boolean => only === null || only.every((name) => standing.some((each) => isSame(each.name, name)));

/** Names are short: a loop is quicker than a call of something native. */
export function isSame(left: Uint8Array, right: Uint8Array): boolean {
  if (left.length !== right.length) return false;
  for (let at = 0; at < left.length; at++) if (left[at] !== right[at]) return false;
  return true;
}

/** The channel of that name; null: the connection has none. */
export function channelNamed(speaker: Speaker, name: Uint8Array): NamedChannel | null {
  for (let place = 0; ; place++) {
    const channel = speaker.channelAt(place);
    if (channel === undefined) return null;
    if (isSame(channel.name, name)) return channel;
  }
}

/** null: it has several, or none any more. */
export function onlyChannel(speaker: Speaker): NamedChannel | null {
  return speaker.channelAt(1) === undefined ? (speaker.channelAt(0) ?? null) : null;
}

export function namesOf(speaker: Speaker): Uint8Array[] {
  const names: Uint8Array[] = [];
  for (let place = 0; ; place++) {
    const channel = speaker.channelAt(place);
    if (channel === undefined) return names;
    names.push(channel.name);
  }
}
