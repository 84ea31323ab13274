/**
 * What a publisher location tells of channels (push-stream spec 2.6): the answer to a publish, and to GET.
 * Part of an endpoint.
 *
 * A publish is answered with them, so they are turned into text only where that is written, and have no bytes
 * of their own.
 */
import { hostname } from "node:os";
import type { LocatedRequest } from "../config/location/located-request.ts";
import { headerOnly } from "../http/answer.ts";
import { type Answer, type Rendered, RenderedAnswer, type SharedInit } from "../http/direct-answer.ts";
import { Refusals } from "../http/errors.ts";
import {
  type ChannelCounts,
  channelCounts,
  countsByName,
  zoneCounts,
} from "../store/channel/channel-statistics.ts";
import type { Store } from "../store/store.ts";
import { ByteWriter } from "../wire/byte-writer.ts";
import type { StatisticsFormat } from "../wire/statistics.ts";
import { negotiate } from "../wire/statistics-format.ts";
import type { HeaderSet } from "./answer-headers.ts";
import type { AskedChannels } from "./asked-channels.ts";
import type { Ingest, Target } from "./ingest.ts";
import type { Replies } from "./replies.ts";

export class ChannelInfo {
  readonly #ingest: Ingest;
  readonly #asked: AskedChannels;
  readonly #replies: Replies;

  constructor(ingest: Ingest, asked: AskedChannels, replies: Replies) {
    this.#ingest = ingest;
    this.#asked = asked;
    this.#replies = replies;
  }

  /** GET. */
  tell(located: LocatedRequest, headers: HeaderSet): Answer {
    const names = this.#asked.names(this.#asked.path(located));
    if ("status" in names) return this.#replies.refuse(names, headers);
    const { store } = this.#ingest;
    const found: ChannelCounts[] = [];
    for (const name of names) {
      const refusal = this.#asked.refusalOf(name);
      if (refusal !== null) return this.#replies.refuse(refusal, headers);
      const counts = countsByName(store, name);
      if (counts === "busy") return this.#replies.refuse(Refusals.busy, headers);
      if (counts !== null) found.push(counts);
    }
    return found.length === 0 ? headerOnly(404, headers.fields) : this.#answer(located, headers, found);
  }

  /** Of channels that were published to. */
  of(located: LocatedRequest, headers: HeaderSet, targets: readonly Target[]): Answer {
    const counts: ChannelCounts[] = [];
    for (let i = 0; i < targets.length; i++) {
      const target = targets[i];
      if (target !== undefined) counts.push(this.#countsOf(target));
    }
    return this.#answer(located, headers, counts);
  }

  #countsOf(target: Target): ChannelCounts {
    return channelCounts(this.#ingest.store, target) ?? countsOfLost(target);
  }

  #answer(located: LocatedRequest, headers: HeaderSet, channels: readonly ChannelCounts[]): Answer {
    const format = negotiate(located.header("accept"));
    const init = headers.ofType(format.contentType);
    const answer = new InfoAnswer(init, format, this.#ingest.store, channels);
    return located.isDirect ? answer : answer.toResponse();
  }
}

/** Every answer is rendered here, one after the other. */
const writer = new ByteWriter();

class InfoAnswer extends RenderedAnswer {
  readonly #format: StatisticsFormat;
  readonly #store: Store;
  readonly #channels: readonly ChannelCounts[];

  constructor(init: SharedInit, format: StatisticsFormat, store: Store, channels: readonly ChannelCounts[]) {
    super(init);
    this.#format = format;
    this.#store = store;
    this.#channels = channels;
  }

  override render(): Rendered {
    const channels = this.#channels;
    const [only] = channels;
    writer.reset();
    if (only !== undefined && channels.length === 1) this.#format.single(writer, only);
    else this.#format.group(writer, zoneCounts(this.#store, hostname(), Date.now()), channels);
    return writer;
  }
}

/** Deleted right after the message went in: of what it was, only that message's number is known. */
const countsOfLost = ({ name, lastId }: Target): ChannelCounts => ({
  name,
  published: lastId,
  stored: 0,
  subscribers: 0,
});
