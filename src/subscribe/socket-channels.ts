/**
 * Channels of a WebSocket as it enters them: where it starts in each, and the frames that tell. For
 * socket-peer.ts when it opens, and for channel-frames.ts when channels are added later.
 */
import type { Life } from "../fanout/life.ts";
import { type LastingSubscription, placeOf } from "../fanout/local-channel.ts";
import { type TopicPeer, TopicSubscription } from "../fanout/topics.ts";
import { ByteWriter } from "../wire/byte-writer.ts";
import type { Ref } from "../wire/client-frame.ts";
import { pushJsonHello } from "../wire/json-message.ts";
import { packHello, packMap } from "../wire/msgpack-message.ts";
import { formatPosition } from "../wire/position.ts";
import type { Seat } from "./admit.ts";
import type { Asked } from "./asked.ts";
import type { Protocol } from "./speaker.ts";
import type { WebSocketEndpoint } from "./websocket.ts";

const text = new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * From here to its place in the topics has to be one turn. `lost`: what cannot be counted is missing before
 * them.
 */
export function standIn(
  { hub, location }: WebSocketEndpoint,
  peer: TopicPeer,
  seats: readonly Seat[],
  asked: Asked,
): { wanted: TopicSubscription[]; lost: TopicSubscription[] } {
  const { tellsGaps } = peer.format;
  const isOwedAll = tellsGaps || location.gaps === "told";
  const wanted: TopicSubscription[] = [];
  const lost: TopicSubscription[] = [];
  seats.forEach((seat, place) => {
    const channel = hub.fanout.channel(seat);
    const start = hub.backlog.start(seat, place, asked, tellsGaps);
    const historyUntil = isOwedAll ? start.historyUntil : start.newest;
    const subscription = new TopicSubscription(channel, peer, start.afterId, historyUntil);
    hub.backlog.followPresence(subscription, seat, place, asked, peer.format);
    wanted.push(subscription);
    if (start.unknown && isOwedAll) lost.push(subscription);
  });
  return { wanted, lost };
}

/** The first frame of a connection whose positions are of all its channels. */
export function helloFrame(
  protocol: Protocol,
  places: readonly LastingSubscription[],
  life: Life,
): string | Uint8Array {
  const names = places.map(({ channel }) => channel.name);
  const position = placeOf(life, places);
  if (protocol === "msgpack") return packHello(names, position);
  const writer = new ByteWriter(256);
  pushJsonHello(writer, names, position);
  return text.decode(writer.view());
}

/** That something is missing before its place; null: its format has no words for it. */
export function lostFrame(
  peer: TopicPeer,
  { channel, sentId }: TopicSubscription,
): string | Uint8Array | null {
  const { format } = peer;
  const writer = new ByteWriter(256);
  const at = format.perConnection ? peer.place() : null;
  if (!format.gap(writer, channel, null, sentId, at)) return null;
  return format.binary ? writer.copy() : text.decode(writer.view());
}

/** Where it stands in these channels, each by itself; rare, and small. */
export function seatedFrame(
  protocol: Protocol,
  kind: "hello" | "subscribed",
  places: readonly LastingSubscription[],
  ref?: Ref,
): string | Uint8Array {
  const frame = {
    kind,
    ...(ref === undefined ? {} : { ref }),
    channels: places.map(({ channel }) => text.decode(channel.name)),
    positions: places.map((place) => formatPosition(placeOf(place.channel.life, [place]))),
  };
  return protocol === "msgpack" ? packMap(frame) : JSON.stringify(frame);
}
