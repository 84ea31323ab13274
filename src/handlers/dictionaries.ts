/**
 * The shared dictionaries of one worker, attached when they are first asked for
 * (store/dictionary/shared-file.ts; main has made the files). One a worker, in HandlerHost.
 */
import type { SharedConfig } from "../config/model/code.ts";
import { Refusals } from "../http/errors.ts";
import type { DictionaryArena } from "../store/dictionary/shared-change.ts";
import { SharedDictionary } from "../store/dictionary/shared-dictionary.ts";
import { attachDictionary, dictionaryPath } from "../store/dictionary/shared-file.ts";
import { type DictionaryCounts, dictionaryCounts } from "../store/dictionary/shared-keeping.ts";
import { HANDLERS_OWN } from "../store/dictionary/shared-own.ts";
import { atHandler } from "./failure.ts";
import { RefusedError } from "./refused-error.ts";

const complain = (fault: Error | "busy"): Error =>
  atHandler(fault === "busy" ? new RefusedError(Refusals.busy) : fault);

interface Attached {
  readonly arena: DictionaryArena;
  readonly dictionary: SharedDictionary;
}

export class Dictionaries {
  readonly #storePath: string;
  readonly #configs: readonly SharedConfig[];
  readonly #attached = new Map<string, Attached>();

  constructor(storePath: string, configs: readonly SharedConfig[]) {
    this.#storePath = storePath;
    this.#configs = configs;
  }

  /** Throws when the configuration has none of that name. */
  of(name: string): SharedDictionary {
    const config = this.#configs.find((each) => each.name === name);
    if (config === undefined)
      throw atHandler(new TypeError(`there is no [shared.${String(name)}] in the configuration`));
    return this.#get(config).dictionary;
  }

  /** Sluice's own. */
  get own(): SharedDictionary {
    return this.#get(HANDLERS_OWN).dictionary;
  }

  get ownCounts(): DictionaryCounts {
    return dictionaryCounts(this.#get(HANDLERS_OWN).arena);
  }

  /** Those of the configuration. */
  counts(): readonly (readonly [name: string, counts: DictionaryCounts])[] {
    return this.#configs.map((config) => [config.name, dictionaryCounts(this.#get(config).arena)]);
  }

  #get(config: SharedConfig): Attached {
    const known = this.#attached.get(config.name);
    if (known !== undefined) return known;
    const arena = attachDictionary(dictionaryPath(this.#storePath, config));
    const attached = { arena, dictionary: new SharedDictionary(arena, complain) };
    this.#attached.set(config.name, attached);
    return attached;
  }
}
