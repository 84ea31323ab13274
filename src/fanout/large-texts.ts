/**
 * Large texts that Bun was given to publish: strings, whose memory nothing but a collection gives back, and
 * which count as old if one happens while they are sent. So for each half megabyte of them the engine looks
 * at what is new, behind the turn in which they were sent: some 1 ms, where sending them to a hundred sockets
 * takes twenty times as long. Left to itself a worker that sent messages of 1 MB grew by 20 to 40 MB. Used by
 * topic-carrier.ts.
 */
import { edenGC } from "bun:jsc";

/** Smaller ones are garbage like any other. */
const LARGE_CHARS = 256 * 1024;
const MOST_CHARS = 2 ** 19;

let chars = 0;
let isDue = false;

/** It is sent, or at least handed over. */
export function countText(text: string | Uint8Array): void {
  if (text.length < LARGE_CHARS || typeof text !== "string") return;
  chars += text.length;
  if (isDue || chars < MOST_CHARS) return;
  isDue = true;
  setImmediate(collect);
}

function collect(): void {
  isDue = false;
  chars = 0;
  edenGC();
}
