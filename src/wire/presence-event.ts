/**
 * Who comes and goes, as bytes: `kind: "presence"` of the sluice subprotocols, `event: presence` of an event
 * stream. Encoded once per format, like messages. The body is the JSON object that the store has of an event
 * (store/members/presence-body.ts); what comes before it in the frame says where it happened:
 *
 *   {"kind":"presence","channel":"chat","number":17,"position":"…","event":"join","sub":"ann",
 *    "count":3,"time":1760000000}
 *
 * "number" is that of the event in its channel; a list of members has the number of the last event that is in
 * it.
 */
import type { ByteWriter } from "./byte-writer.ts";
import { pushJsonString } from "./json-string.ts";
import { packMap } from "./msgpack-message.ts";
import { formatPosition, type Position, pushPosition } from "./position.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

export interface PresenceEvent {
  readonly channel: Uint8Array;
  readonly number: number;
  /** A JSON object that is not empty. */
  readonly body: Uint8Array;
}

/** So many events are gone: whoever goes by them reads the list again. */
export const lostBody = (missed: number): Uint8Array => encoder.encode(`{"event":"lost","missed":${missed}}`);

export function pushPresenceFrame(writer: ByteWriter, event: PresenceEvent, at: Position): void {
  writer.pushLatin1('{"kind":"presence","channel":');
  pushWhere(writer, event);
  writer.pushLatin1(',"position":"');
  pushPosition(writer, at);
  writer.pushLatin1('"');
  pushRest(writer, event);
}

export function packPresenceFrame({ channel, number, body }: PresenceEvent, at: Position): Uint8Array {
  const said = JSON.parse(decoder.decode(body)) as Readonly<Record<string, unknown>>;
  return packMap({
    kind: "presence",
    channel: decoder.decode(channel),
    number: BigInt(number),
    position: formatPosition(at),
    ...said,
  });
}

/** JSON of a body has no line ends, so it is one line of data. */
export function pushPresenceEvent(writer: ByteWriter, event: PresenceEvent, at: Position): void {
  writer.pushLatin1("id: ");
  pushPosition(writer, at);
  writer.pushLatin1('\nevent: presence\ndata: {"channel":');
  pushWhere(writer, event);
  pushRest(writer, event);
  writer.pushLatin1("\n\n");
}

function pushWhere(writer: ByteWriter, { channel, number }: PresenceEvent): void {
  pushJsonString(writer, channel, 0, channel.length);
  writer.pushLatin1(',"number":');
  writer.pushInteger(number);
}

/** The members of the body, without its first brace. */
function pushRest(writer: ByteWriter, { body }: PresenceEvent): void {
  writer.pushLatin1(",");
  writer.pushRange(body, 1, body.length - 1);
}
