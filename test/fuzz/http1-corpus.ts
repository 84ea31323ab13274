/**
 * Connections full of requests, made by a grammar that is mostly right and now and then not, then spoilt a
 * little. Odd parts are rare in each place, so that most requests are read and the odd one is met in every
 * surrounding.
 */
import type { Random } from "../random.ts";
import {
  CODING_NAMES,
  CODINGS,
  DATA_ENDS,
  ENDS,
  FIELDS,
  HOSTS,
  LENGTH_ENDS,
  LENGTH_NAMES,
  METHODS,
  NOISE,
  ODD_CODING_NAMES,
  ODD_CODINGS,
  ODD_DATA_ENDS,
  ODD_ENDS,
  ODD_FIELDS,
  ODD_HOSTS,
  ODD_LENGTH_ENDS,
  ODD_LENGTH_NAMES,
  ODD_METHODS,
  ODD_SIZE_ENDS,
  ODD_SIZE_STARTS,
  ODD_SPACES,
  ODD_TARGETS,
  ODD_TRAILERS,
  ODD_VERSIONS,
  SIZE_ENDS,
  SIZE_STARTS,
  SPACES,
  TARGETS,
  TRAILERS,
  VERSIONS,
  type Words,
} from "./http1-corpus-words.ts";

/** One in `ODDS` parts is an odd one. */
const ODDS = 40;

const part = (random: Random, usual: Words, odd: Words): string =>
  random.below(ODDS) === 0 ? random.pick(odd) : random.pick(usual);

/** The last fields of a head, its empty line, and a body that they announce. */
function body(random: Random, takesChunks: boolean): string {
  const kind = random.below(10);
  if (kind < 5) return end(random);
  if (kind >= 7 && takesChunks) return chunkedBody(random);
  const data = random.text(["a", "0", "\r\n", "GET / HTTP/1.1\r\n\r\n", "\0", "\xff"], 6);
  const length = `${data.length}${part(random, LENGTH_ENDS, ODD_LENGTH_ENDS)}`;
  return part(random, LENGTH_NAMES, ODD_LENGTH_NAMES) + length + end(random) + end(random) + data;
}

function chunkedBody(random: Random): string {
  let text = part(random, CODING_NAMES, ODD_CODING_NAMES) + part(random, CODINGS, ODD_CODINGS);
  text += end(random) + end(random);
  for (let left = random.below(3); left > 0; left--) {
    const data = random.text(["a", "0\r\n\r\n", "xyz"], 5);
    // A size of 0 would be the end.
    if (data !== "") text += sizeLine(random, data.length) + data + part(random, DATA_ENDS, ODD_DATA_ENDS);
  }
  text += sizeLine(random, 0) + part(random, TRAILERS, ODD_TRAILERS);
  return text + part(random, DATA_ENDS, ODD_DATA_ENDS);
}

const sizeLine = (random: Random, size: number): string =>
  part(random, SIZE_STARTS, ODD_SIZE_STARTS) + size.toString(16) + part(random, SIZE_ENDS, ODD_SIZE_ENDS);

const end = (random: Random): string => part(random, ENDS, random.below(3) === 0 ? ODD_ENDS : ENDS);

function request(random: Random): string {
  let text = part(random, METHODS, ODD_METHODS) + part(random, SPACES, ODD_SPACES);
  text += part(random, TARGETS, ODD_TARGETS) + part(random, SPACES, ODD_SPACES);
  const version = part(random, VERSIONS, ODD_VERSIONS);
  text += version + end(random);
  if (random.below(ODDS) > 0) text += `Host: ${part(random, HOSTS, ODD_HOSTS)}${end(random)}`;
  for (let left = random.below(4); left > 0; left--) text += part(random, FIELDS, ODD_FIELDS) + end(random);
  return text + body(random, version !== "HTTP/1.0" || random.below(ODDS) === 0);
}

/** Bytes taken out, put in, changed, or said twice. */
function spoil(random: Random, text: string): string {
  const at = random.below(text.length);
  const length = random.below(3);
  switch (random.below(4)) {
    case 0:
      return text.slice(0, at) + text.slice(at + 1 + length);
    case 1:
      return text.slice(0, at) + random.pick(NOISE) + text.slice(at);
    case 2:
      return text.slice(0, at) + random.pick(NOISE) + text.slice(at + 1);
    default:
      return text.slice(0, at + length * 8) + text.slice(at);
  }
}

/** The last of what is sent: who has lost count finds it elsewhere, or not at all. */
export const LAST = "GET /end HTTP/1.1\r\nHost: end\r\nConnection: close\r\n\r\n";

export function connectionText(random: Random): string {
  let text = "";
  if (random.below(50) === 0) return Buffer.from(random.bytes(60)).toString("latin1") + LAST;
  for (let left = 1 + random.below(4); left > 0; left--) text += request(random);
  if (random.below(4) === 0) text = spoil(random, text);
  return text + LAST;
}

/** Cut into pieces anywhere. */
export function pieces(random: Random, bytes: Uint8Array): Uint8Array[] {
  const cuts = Array.from({ length: 1 + random.below(6) }, () => random.below(bytes.length)).sort(
    (a, b) => a - b,
  );
  return [...cuts, bytes.length].map((cut, at) => bytes.subarray(at === 0 ? 0 : cuts[at - 1], cut));
}
