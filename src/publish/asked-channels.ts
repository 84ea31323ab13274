/** Which channels a request of a publisher location is about. Asked by the parts of its endpoint. */
import type { LocatedRequest } from "../config/location/located-request.ts";
import { rememberedByUrl } from "../config/location/url-value.ts";
import type { CompiledValue } from "../config/location/variables.ts";
import type { Config, LocationConfig } from "../config/model.ts";
import { Refusals } from "../http/errors.ts";
import type { Refusal } from "../http/refusal.ts";
import { nameRefusal, parseChannelsPath } from "../wire/channels-path.ts";

export class AskedChannels {
  readonly #limits: Config["limits"];
  readonly #channelsPath: CompiledValue;

  constructor({ limits }: Config, location: LocationConfig) {
    this.#limits = limits;
    this.#channelsPath = rememberedByUrl(location, location.channelsPath);
  }

  /** What a guard granted, if there is one (handlers/guard.ts). */
  path(located: LocatedRequest): string {
    return located.granted ?? this.#channelsPath(located);
  }

  names(path: string): readonly Uint8Array[] | Refusal {
    const parsed = parseChannelsPath(path, this.#limits.maxChannelsPerRequest);
    if (parsed === "empty") return Refusals.noChannel;
    return parsed === "too many" ? Refusals.tooManyChannelsInRequest : parsed.names;
  }

  /** null: a channel may be called so. */
  refusalOf(name: Uint8Array): Refusal | null {
    return nameRefusal(name, this.#limits.maxChannelIdLength);
  }
}
