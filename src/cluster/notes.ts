/**
 * Notes: small entries of the log whose meaning another part of the node knows alone (who is present, say),
 * ordered with the messages and deletions of their channel. Said by any worker with
 * `ClusterNode.note(channel, said)`; read by every node, its own notes as well, in the one worker that reads
 * the log, which calls the listener that app.ts gave to ClusterNode (`notes`). What a listener learns it puts
 * into the store, where the other workers find it: they hear nothing.
 *
 *   note("room", bytes)        ──► log ──► every node: heard({ node, life, channel, said, place })
 *                                  in one order everywhere
 *   a node speaks              ──► alive(node, life): what it said in another life is over (it was started
 *                                  anew)
 *   a node is silent for 10 s  ──► gone(node): at the same place of the log on every node; after it,
 *                                  nothing that it said holds
 *   somebody new reads, or     ──► asked(place): say everything once more that holds for this node; the
 *   lacks entries                  other's log may not reach back so far
 *   this node does so itself   ──► doubts(shard), asking(place): what others said so far may be over
 *   another has said it all    ──► saidAll(node, answers): what it did not say again since is over
 *
 * With several shards a note is ordered with its own channel; `alive` and `gone` come by way of the first.
 *
 * So a note is best a whole statement ("a@3 is in room since …") that may be heard twice. Nothing is kept
 * here. A note costs every node what a message costs: it is for changes of state, at human speed, not for
 * traffic.
 */
import type { LogPlace } from "../store/replica/replica-store.ts";

export interface Note {
  /** Who said it, and in which of its lives: a node that is started anew has another. */
  readonly node: string;
  readonly life: string;
  readonly channel: Uint8Array;
  readonly said: Uint8Array;
  readonly place: LogPlace;
}

export interface NoteListener {
  /** False: the store is busy, it is heard again in a moment. */
  heard(note: Note): boolean;
  alive(node: string, life: string): void;
  gone(node: string): void;
  /** In that entry somebody asks; null: this node is told to by itself. */
  asked(place: LogPlace | null): void;
  /** Of each shard the last ask after which everything was said, and stands in the log. */
  answered(shard: number): Answered | null;
  doubts(shard: number): void;
  /** The ask stands there. */
  asking(shard: number, place: Answered): void;
  saidAll(shard: number, node: string, answers: Answered): void;
}

/** Place of an ask in the log of its shard. */
export interface Answered {
  readonly term: number;
  readonly n: number;
}

/** Of one note; what is longer is refused. */
export const MOST_NOTE_BYTES = 4096;
