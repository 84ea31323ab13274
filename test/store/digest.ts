/**
 * All that the lists of a store say, as one text, read without the lock: what a change that was cut off must
 * leave as it was, or as it was to be.
 */

import { copyName } from "../../src/store/channel/names.ts";
import { type Arena, blockWord, channelWord, wide } from "../../src/store/memory/arena.ts";
import {
  CH_AFTER,
  CH_INCARNATION,
  CH_LAST_ID,
  CH_LAST_TAG,
  CH_LAST_TIME,
  CH_OLDEST,
  CH_STATE,
  CH_STORED_BLOCKS,
  CH_STORED_COUNT,
} from "../../src/store/memory/layout-channel.ts";
import {
  AGE_COUNT,
  AGE_NEWEST,
  AGE_OLDEST,
  HEAD_CREATED,
  HEAD_DELETED,
  HEAD_DELETIONS,
  HEAD_FREE_BLOCKS,
  HEAD_FREE_CHANNEL,
  HEAD_INTERNAL,
  HEAD_LIVING,
  HEAD_NAME_BLOCKS,
  HEAD_RING_HEAD,
  HEAD_STORED,
  HEAD_TRANSIENT,
  HEAD_TRASHED,
  HEAD_WILDCARDS,
  LIST_COUNT,
  LIST_FIRST,
} from "../../src/store/memory/layout-header.ts";
import { MSG_AGE_NEWER, MSG_NEWER } from "../../src/store/memory/layout-message.ts";
import { findKey } from "../../src/store/message/keys.ts";
import { Message } from "../../src/store/message/message-view.ts";
import { readMessage } from "../../src/store/message/read.ts";
import { markOf, NOW_SEC, text } from "./fixture.ts";

/** Of the cases that publish with some. */
const KEYS = ["a", "b", "c", "k"];

const COUNTS = [HEAD_FREE_BLOCKS, HEAD_FREE_CHANNEL, HEAD_NAME_BLOCKS, HEAD_WILDCARDS];
const WIDE_COUNTS = [HEAD_RING_HEAD, HEAD_CREATED, HEAD_DELETIONS];
const RECORD_WORDS = [CH_STATE, CH_INCARNATION, CH_LAST_TIME, CH_LAST_TAG, CH_STORED_COUNT, CH_STORED_BLOCKS];

export function digestOf(arena: Arena): string {
  const { u32 } = arena;
  const lines = [
    COUNTS.map((word) => u32[word]).join(" "),
    WIDE_COUNTS.map((word) => wide(u32, word)).join(" "),
    `keys ${KEYS.map((key) => findKey(arena, markOf(key, key), NOW_SEC, 300)).join(" ")}`,
  ];
  for (const list of [HEAD_STORED, HEAD_TRANSIENT, HEAD_INTERNAL]) {
    lines.push(`list ${u32[list + AGE_COUNT]} to ${u32[list + AGE_NEWEST]}`);
    walk(u32[list + AGE_OLDEST]!, arena.layout.blocks, (block) => {
      lines.push(messageLine(arena, block));
      return u32[blockWord(arena.layout, block) + MSG_AGE_NEWER]!;
    });
  }
  for (const list of [HEAD_LIVING, HEAD_DELETED, HEAD_TRASHED]) lines.push(...channelLines(arena, list));
  return lines.join("\n");
}

function channelLines(arena: Arena, list: number): string[] {
  const { u32, layout } = arena;
  const lines = [`channels ${u32[list + LIST_COUNT]}`];
  walk(u32[list + LIST_FIRST]!, layout.channels, (link) => {
    const record = channelWord(layout, link - 1);
    const words = RECORD_WORDS.map((word) => u32[record + word]).join(" ");
    const messages: number[] = [];
    walk(u32[record + CH_OLDEST]!, layout.blocks, (block) => {
      messages.push(block);
      return u32[blockWord(layout, block) + MSG_NEWER]!;
    });
    const name = text(copyName(arena, link - 1));
    lines.push(`${name}: ${words} ${wide(u32, record + CH_LAST_ID)} [${messages.join(" ")}]`);
    return u32[record + CH_AFTER]!;
  });
  return lines;
}

function messageLine(arena: Arena, block: number): string {
  const { u32, layout } = arena;
  const message = new Message();
  if (!readMessage(arena, block, u32[blockWord(layout, block)]!, message, true))
    return `block ${block}: nothing`;
  const { serial, id, flags, expires, dataOffset, dataLength, bytes } = message;
  return `${block}: ${serial} ${id} ${flags} ${expires} ${text(bytes.subarray(0, dataOffset + dataLength))}`;
}

function walk(first: number, most: number, visit: (link: number) => number): void {
  let left = most;
  for (let link = first; link !== 0 && left >= 0; left--) link = visit(link);
}
