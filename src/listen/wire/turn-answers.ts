/**
 * Answers that leave together, when the requests that came in one turn of the event loop are read: 32
 * publishers are read and stored one after the other, and then answered one after the other. The kernel's
 * code for sending and ours for reading then do not push each other out of the processor's caches with each
 * request (6 % of a POST over 32 connections). Added to by receiving.ts and wire-socket.ts.
 *
 * An answer waits for nothing but other requests' reading, which is short. Whoever is about to do what may
 * take a slice of the turn lets the answers leave first (`sendAnswers`): fan-out, replays, the application.
 *
 * Many of them leave by one system call where the kernel has a ring (volleys.ts), which is a ninth of a POST
 * over 32 connections; few are cheaper by one each.
 */
import { volley } from "../../http/volley.ts";

/** Something that keeps what it is given until it is uncorked. */
interface Corked {
  uncork(): void;
}

/** More than these do not gain more, and the first has waited for some 0.1 ms. */
const MOST = 32;
/** Where others take their time, as a crowd that is seated. */
const MOST_MS = 0.2;
/** With 8 the ring costs as much as the calls; with 4 it costs 5 % of a POST more, with 32 it saves 11. */
const FEWEST_A_VOLLEY = 8;
let corked: Corked[] = [];
let sinceMs = 0;
let isScheduled = false;

/** At the end of this turn, or before. */
export function answerWithTurn(one: Corked): void {
  if (corked.push(one) >= MOST) {
    sendAnswers();
    return;
  }
  if (corked.length === 1) sinceMs = performance.now();
  if (isScheduled) return;
  isScheduled = true;
  setImmediate(endTurn);
}

function endTurn(): void {
  isScheduled = false;
  sendAnswers();
}

/** If the first of them has waited for long. */
export function sendLateAnswers(nowMs: number): void {
  if (corked.length > 0 && nowMs - sinceMs > MOST_MS) sendAnswers();
}

/** Now. */
export function sendAnswers(): void {
  if (corked.length === 0) return;
  const all = corked;
  corked = [];
  // One that is open already is its opener's to fire.
  const isVolley = all.length >= FEWEST_A_VOLLEY && !volley.isOpen;
  if (isVolley) volley.open();
  for (const one of all) one.uncork();
  if (isVolley) volley.fire();
}
