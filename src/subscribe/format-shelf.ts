/**
 * Formats, each once: locations, and the variants that steps make of a location, mostly have the same few
 * templates, and subscribers of one format share the encoded bytes. Endpoints ask here at start; kept per
 * store, which is per worker.
 */
import type { Format } from "../fanout/format.ts";
import type { Store } from "../store/store.ts";
import { Padding } from "../wire/padding.ts";
import {
  EventStreamFormat,
  type PaddableFormat,
  PaddedFormat,
  PositionedEventStreamFormat,
  TemplateFormat,
} from "./formats.ts";
import { EventFramesFormat, JsonFormat, MsgpackFormat } from "./own-formats.ts";

/**
 * Events as the module sends them, or with all their lines. Those whose ids are positions differ by whether
 * the id names one channel or several.
 */
export type TemplateKind =
  | "text"
  | "events"
  | "whole events"
  | "positioned events"
  | "several positioned events"
  | "positioned events with presence"
  | "several positioned events with presence";

/** Of the sluice subprotocols, and of their frames over HTTP. */
interface Frames {
  readonly json: Format;
  readonly msgpack: Format;
  readonly eventFrames: Format;
  readonly severalJson: Format;
  readonly severalMsgpack: Format;
}

function framesOf(tellsPresence: boolean): Frames {
  const mark = tellsPresence ? "+" : "";
  const json = new JsonFormat(`json${mark}`, false, tellsPresence);
  return {
    json,
    msgpack: new MsgpackFormat(`msgpack${mark}`, false, tellsPresence),
    eventFrames: new EventFramesFormat(json, `frames${mark}`),
    severalJson: new JsonFormat(`jsons${mark}`, true, tellsPresence),
    severalMsgpack: new MsgpackFormat(`msgpacks${mark}`, true, tellsPresence),
  };
}

const shelves = new WeakMap<Store, Shelf>();

/** The formats of a store's worker. */
export function shelfOf(store: Store): Shelf {
  const known = shelves.get(store);
  if (known !== undefined) return known;
  const made = new Shelf();
  shelves.set(store, made);
  return made;
}

export class Shelf {
  readonly #bare = new Map<string, PaddableFormat>();
  readonly #padded = new Map<string, PaddedFormat>();
  readonly #paddings = new Map<string, Padding>();
  readonly #silent = framesOf(false);
  readonly #telling = framesOf(true);

  /** The subprotocols' formats; with presence: they tell who comes and goes. */
  frames(tellsPresence: boolean): Frames {
    return tellsPresence ? this.#telling : this.#silent;
  }

  template(kind: TemplateKind, template: string): PaddableFormat {
    const look = JSON.stringify([kind, template]);
    const known = this.#bare.get(look);
    if (known !== undefined) return known;
    const made = this.#make(kind, template, `t${this.#bare.size}`);
    this.#bare.set(look, made);
    return made;
  }

  padding(isEventStream: boolean, maxLength: number): Padding {
    const look = `${isEventStream} ${maxLength}`;
    const padding = this.#paddings.get(look) ?? new Padding(maxLength, isEventStream);
    this.#paddings.set(look, padding);
    return padding;
  }

  /** The padding must be of the kind's bytes. */
  padded(kind: TemplateKind, template: string, padding: Padding, minLength: number): Format {
    const bare = this.template(kind, template);
    if (minLength === 0) return bare;
    const look = JSON.stringify([bare.key, padding.maxLength, minLength]);
    const known = this.#padded.get(look);
    if (known !== undefined) return known;
    const made = new PaddedFormat(`p${this.#padded.size}`, bare, padding, minLength);
    this.#padded.set(look, made);
    return made;
  }

  #make(kind: TemplateKind, template: string, key: string): PaddableFormat {
    switch (kind) {
      case "text":
        return new TemplateFormat(key, template);
      case "events":
        return new EventStreamFormat(key, template, "module");
      case "whole events":
        return new EventStreamFormat(key, template, "whole");
      default:
        return new PositionedEventStreamFormat(
          key,
          template,
          kind.startsWith("several"),
          kind.endsWith("presence"),
        );
    }
  }
}
