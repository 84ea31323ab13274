/**
 * What a presence event says, as the JSON that every form of it is made of (subscribe/formats.ts). Made once,
 * where it happens:
 *
 *   {"event":"join","sub":"ann","info":{…},"count":3,"time":1760000000}     info with a join, where any is
 *   {"event":"leave","sub":"ann","count":2,"time":…}
 *   {"event":"occupancy","count":1200,"time":…}                             no names: too many, or not wanted
 *   {"event":"reset","count":900,"time":…}                                  names again: read the list
 */
import {
  MB_CHANNEL,
  MB_FLAGS,
  MB_INFO_LENGTH,
  MB_NAME_LENGTH,
  MC_COUNT,
  MEMBER_ANONYMOUS,
} from "../memory/layout-members.ts";
import { memberChannelWord, memberWord } from "./member-lists.ts";
import type { Members } from "./members-file.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

export const joinedBody = (members: Members, record: number, nowSec: number): Uint8Array =>
  named(members, record, "join", nowSec);

/** Before the record is free; its channel counts it no longer. */
export const leftBody = (members: Members, record: number, nowSec: number): Uint8Array =>
  named(members, record, "leave", nowSec);

export const countBody = (event: "occupancy" | "reset", count: number, nowSec: number): Uint8Array =>
  encoder.encode(`{"event":"${event}","count":${count},"time":${nowSec}}`);

/** What webhooks are told: the same without its braces and the kind, which they say themselves. */
export function memberNote(members: Members, record: number, nowSec: number): Uint8Array {
  const body = named(members, record, "join", nowSec);
  return body.subarray(KIND_LENGTH, body.length - 1);
}

const KIND_LENGTH = '{"event":"join",'.length;

function named(members: Members, record: number, event: "join" | "leave", nowSec: number): Uint8Array {
  const { u32, u8, layout } = members;
  const at = memberWord(members, record);
  const text = (at + layout.textWord) * 4;
  const nameEnd = text + u32[at + MB_NAME_LENGTH]!;
  const name = JSON.stringify(decoder.decode(u8.subarray(text, nameEnd)));
  const anonymous = (u32[at + MB_FLAGS]! & MEMBER_ANONYMOUS) !== 0 ? ',"anonymous":true' : "";
  const infoLength = event === "join" ? u32[at + MB_INFO_LENGTH]! : 0;
  const info =
    infoLength === 0 ? "" : `,"info":${decoder.decode(u8.subarray(nameEnd, nameEnd + infoLength))}`;
  const count = u32[memberChannelWord(members, u32[at + MB_CHANNEL]! - 1) + MC_COUNT]!;
  return encoder.encode(
    `{"event":"${event}","sub":${name}${anonymous}${info},"count":${count},"time":${nowSec}}`,
  );
}
