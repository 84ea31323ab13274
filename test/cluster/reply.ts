/** What an engine answers to XREAD, made of entries as other replies have them. */
import { Entries } from "../../src/cluster/entries.ts";
import type { RawEntry } from "../../src/cluster/entry-pieces.ts";

const word = (bytes: Buffer): Buffer =>
  Buffer.concat([Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from("\r\n")]);
const list = (parts: readonly Buffer[]): Buffer =>
  Buffer.concat([Buffer.from(`*${parts.length}\r\n`), ...parts]);

export const replyOf = (raw: readonly RawEntry[]): Buffer =>
  list([
    list([
      word(Buffer.from("log")),
      list(raw.map(([id, fields]) => list([word(id), list(fields.map(word))]))),
    ]),
  ]);

export const entriesOf = (raw: readonly RawEntry[]): Entries => new Entries(replyOf(raw), 0);
