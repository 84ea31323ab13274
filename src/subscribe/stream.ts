/**
 * Held HTTP responses: streaming and eventsource locations (push-stream spec 4.4). The response body is a
 * direct ReadableStream; when Bun first pulls it, the connection is seated, reads its old messages and
 * becomes live in one synchronous turn, so that nothing can come between the two.
 */

import type { LocatedRequest } from "../config/location/located-request.ts";
import type { PaddingGroup } from "../config/location/padding.ts";
import type { LocationConfig } from "../config/model.ts";
import type { LocationHooks } from "../front/location-hooks.ts";
import type { HeaderFields } from "../http/answer.ts";
import { type Answer, HeldAnswer } from "../http/direct-answer.ts";
import { Refusals } from "../http/errors.ts";
import { type Refusal, retryAfterSec } from "../http/refusal.ts";
import { gapField, type Missing } from "../wire/gap-field.ts";
import type { Seat } from "./admit.ts";
import type { Asked } from "./asked.ts";
import { retryLine, turnedAwayLine } from "./farewell.ts";
import { GzippedStream, HeldStream } from "./held-stream.ts";
import type { Hub } from "./hub.ts";
import { type IdleTimer, isNeverIdle, Line } from "./line.ts";
import { largestPadding, PaddingGroups } from "./padding-groups.ts";
import type { Presenter } from "./presentation.ts";
import { StreamForm } from "./stream-form.ts";

const NONE: readonly Missing[] = [];

/**
 * HTML 9.2.2 fetches with cache mode "no-store", of which Fetch 4.5 makes this field; polyfills and libraries
 * of other languages send it by themselves. Who parses an answer of fetch() does not.
 */
const isEventSource = (located: LocatedRequest): boolean =>
  /\bno-cache\b/i.test(located.header("cache-control") ?? "");

interface Forms {
  readonly plain: StreamForm;
  /** One for each padding group. */
  readonly padded: readonly StreamForm[];
}

const LAST = { Connection: "close" } as const;

export class StreamEndpoint {
  /** Its event ids are positions of ours. */
  readonly isPositioned: boolean;
  readonly #hub: Hub;
  readonly #presenter: Presenter;
  readonly #padding: PaddingGroups;
  /** For those in one channel, and for those in several. */
  readonly #one: Forms;
  readonly #several: Forms;
  readonly #neverIdle: boolean;
  readonly #turnsAway: boolean;
  readonly #hooks: LocationHooks | null;

  constructor(
    hub: Hub,
    location: LocationConfig,
    isEventSource: boolean,
    presenter: Presenter,
    hooks: LocationHooks | null,
  ) {
    this.#hooks = hooks;
    this.#hub = hub;
    this.isPositioned = isEventSource && location.eventIds === "auto";
    this.#turnsAway = isEventSource && location.turnAway === "retry";
    this.#presenter = presenter;
    this.#padding = new PaddingGroups(location);
    const maxPadding = largestPadding(hub.config.locations);
    const formOf = (isSeveral: boolean, group: PaddingGroup | null): StreamForm =>
      new StreamForm(hub, location, isEventSource, isSeveral, group, maxPadding);
    const formsOf = (isSeveral: boolean): Forms => ({
      plain: formOf(isSeveral, null),
      padded: this.#padding.groups.map((group) => formOf(isSeveral, group)),
    });
    this.#one = formsOf(false);
    this.#several = formsOf(true);
    const { pingMessageIntervalMs, subscriberConnectionTtlMs } = location;
    this.#neverIdle = isNeverIdle(hub.idleSec * 1000, pingMessageIntervalMs, subscriberConnectionTtlMs);
  }

  open(seats: readonly Seat[], asked: Asked, located: LocatedRequest, server: IdleTimer | null): Answer {
    const forms = seats.length > 1 ? this.#several : this.#one;
    const form = forms.padded[this.#padding.of(located)] ?? forms.plain;
    const { request } = located;
    const presentation = this.#presenter.held(located, null);
    const line =
      this.#neverIdle || server === null || located.isDirect
        ? null
        : new Line(server, request, this.#hub.idleSec);
    const Kind = presentation.isGzip ? GzippedStream : HeldStream;
    const arrival = this.#hooks?.arrival(located) ?? null;
    const wish = { seats, asked, isEventSource: isEventSource(located), arrival, line };
    const held = new Kind(form, wish);
    const gap = gapField(this.#missing(form, seats, asked));
    const init = gap === null ? presentation.heldInit : presentation.heldInitWith("Sluice-Gap", gap);
    if (located.isDirect) return new HeldAnswer(init, held);
    return new Response(new ReadableStream(held), init);
  }

  /**
   * What a position has lost, where the stream itself has no words for it. Nearly nobody brings a position to
   * such a stream.
   */
  #missing(form: StreamForm, seats: readonly Seat[], asked: Asked): readonly Missing[] {
    if (form.tellsLossInside || (asked.time === null && asked.eventId === null)) return NONE;
    const { backlog, fanout } = this.#hub;
    const missing: Missing[] = [];
    seats.forEach((seat, place) => {
      const { missed } = backlog.behindLoss(seat, backlog.start(seat, place, asked, false));
      if (missed !== 0) missing.push({ channel: seat.name, missed });
    });
    if (missing.length > 0) fanout.standing.gapTold(missing.length);
    return missing;
  }

  /** For those who come while the worker goes: what they would have got had they come a moment before. */
  sendAway(located: LocatedRequest): Response {
    const { explain } = Refusals.draining;
    const retry = this.isPositioned ? retryLine(this.#hub.farewell) : "";
    return this.#nothing(located, this.#turnsAway ? `: ${explain}\n${retry}` : retry, LAST);
  }

  /**
   * For a refusal that may pass; null where it is told by its status. A browser gives an event source that
   * was answered with an error up for good (HTML 9.2.3); one that ends it asks for again.
   */
  turnAway(located: LocatedRequest, refusal: Refusal): Response | null {
    const afterSec = retryAfterSec(refusal);
    if (!this.#turnsAway || afterSec === 0) return null;
    return this.#nothing(located, `: ${refusal.explain ?? refusal.code}\n${turnedAwayLine(afterSec)}`);
  }

  #nothing(located: LocatedRequest, lines: string, more: HeaderFields = {}): Response {
    const { fields } = this.#presenter.held(located, null);
    return new Response(this.#one.plain.nothing(lines), {
      headers: { ...fields, "X-Accel-Buffering": "no", ...more },
    });
  }
}
