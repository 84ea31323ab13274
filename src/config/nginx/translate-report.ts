/**
 * What a translation has to say besides the document: faults, ignored directives, notices. One for each
 * translation, handed to every part of it (translate*.ts).
 */
import type { Fault } from "../fault.ts";
import { OPTIONS } from "../options.ts";
import type { Directive } from "./tree.ts";

export interface Place {
  readonly file: string;
  readonly line: number;
  /** The directive that stands there. */
  readonly name?: string;
}

export interface Ignored extends Place {
  readonly name: string;
}

export const MODULE_PREFIX = "push stream module: ";
export const DEFAULT_ZONE = OPTIONS["store.zone"].default;

export class Report {
  readonly notices: string[] = [];
  readonly startLines: string[] = [];
  /** Variables (without `$`, in lower case) that directives would make which are not supported. */
  readonly unmade = new Set<string>();
  readonly #faults: { readonly place: Place; readonly sentence: string }[] = [];
  readonly #ignored = new Map<string, Ignored>();
  /** A directive at http level is judged once for each location that inherits it, but told once. */
  readonly #told = new Set<string>();

  fault({ file, line }: Place, sentence: string): void {
    const key = `${file}:${line} ${sentence}`;
    if (this.#told.has(key)) return;
    this.#told.add(key);
    this.#faults.push({ place: { file, line }, sentence });
  }

  /** `"x" directive …`, as nginx begins its complaints about values. */
  faultOf(directive: Directive, sentence: string): void {
    this.fault(directive, `"${directive.name}" directive ${sentence}`);
  }

  /** `push stream module: …`. */
  moduleFault(place: Place, sentence: string): void {
    this.fault(place, MODULE_PREFIX + sentence);
  }

  /** Listed once, where it stands first. */
  ignore({ file, line }: Place, name: string): void {
    if (!this.#ignored.has(name)) this.#ignored.set(name, { name, file, line });
  }

  notice(sentence: string): void {
    if (!this.notices.includes(sentence)) this.notices.push(sentence);
  }

  /** In the order of the files; faults of one line stay in the order they were found in. */
  faults(): readonly Fault[] {
    const files = [...new Set(this.#faults.map(({ place }) => place.file))];
    return this.#faults
      .toSorted(
        (left, right) =>
          files.indexOf(left.place.file) - files.indexOf(right.place.file) ||
          left.place.line - right.place.line,
      )
      .map(({ place: { file, line }, sentence }) => ({
        place: `${file}:${line}`,
        path: "",
        value: "",
        sentence,
      }));
  }

  ignored(): readonly Ignored[] {
    return [...this.#ignored.values()];
  }
}
