/**
 * What can be known of webhooks before anybody is served: that their secrets are there. Called by `sluice
 * check` and `sluice serve`.
 */
import type { Fault } from "../config/fault.ts";
import type { Config } from "../config/model.ts";
import { secretOf } from "./secret.ts";

export function checkWebhooks({ webhooks }: Pick<Config, "webhooks">, file = ""): readonly Fault[] {
  return (webhooks?.hooks ?? []).flatMap((hook, i) => {
    try {
      secretOf(hook);
      return [];
    } catch (error) {
      const sentence = `${(error instanceof Error ? error.message : String(error)).replace(/\.$/, "")}.`;
      return [{ place: file, path: `webhook[${i}].secret`, value: "", sentence }];
    }
  });
}
