/**
 * A table of the document while it is being translated: its values with the places they come from, and the
 * tables in it. Places are remembered by key, because the final path of a location is known only when all are
 * there. Used by translate*.ts.
 */
import type { Place } from "./translate-report.ts";

export type DraftValue = string | number | boolean | readonly string[];

export class Draft {
  /** Where the block stands that it comes from. */
  readonly place: Place;
  readonly #values = new Map<string, { readonly value: DraftValue; readonly place: Place }>();
  readonly #lists = new Map<string, Draft[]>();
  readonly #tables = new Map<string, Draft>();

  constructor(place: Place) {
    this.place = place;
  }

  set(key: string, value: DraftValue, place: Place = this.place): void {
    this.#values.set(key, { value, place });
  }

  get(key: string): DraftValue | undefined {
    return this.#values.get(key)?.value;
  }

  has(key: string): boolean {
    return this.#values.has(key);
  }

  /** Adds to the `[[name]]` tables in this one. */
  push(name: string, draft: Draft): void {
    const list = this.#lists.get(name);
    if (list === undefined) this.#lists.set(name, [draft]);
    else list.push(draft);
  }

  list(name: string): readonly Draft[] {
    return this.#lists.get(name) ?? [];
  }

  /** The `[name]` table in this one. */
  table(name: string): Draft {
    const table = this.#tables.get(name) ?? new Draft(this.place);
    this.#tables.set(name, table);
    return table;
  }

  /** "store.size" goes into the table "store". */
  setAt(path: string, value: DraftValue, place: Place): void {
    const dot = path.indexOf(".");
    if (dot === -1) this.set(path, value, place);
    else this.table(path.slice(0, dot)).set(path.slice(dot + 1), value, place);
  }

  toDocument(): Record<string, unknown> {
    const document: Record<string, unknown> = {};
    for (const [key, { value }] of this.#values) document[key] = value;
    for (const [key, table] of this.#tables) document[key] = table.toDocument();
    for (const [key, list] of this.#lists) document[key] = list.map((draft) => draft.toDocument());
    return document;
  }

  /** Fills `places` with the place of every path in here, "server[0].location[2].match". */
  collectPlaces(path: string, places: Map<string, Place>): void {
    const prefix = path === "" ? "" : `${path}.`;
    if (path !== "") places.set(path, this.place);
    for (const [key, { place }] of this.#values) places.set(prefix + key, place);
    for (const [key, table] of this.#tables) table.collectPlaces(prefix + key, places);
    for (const [key, list] of this.#lists)
      list.forEach((draft, index) => {
        draft.collectPlaces(`${prefix}${key}[${index}]`, places);
      });
  }
}
