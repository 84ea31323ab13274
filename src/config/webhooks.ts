/** From checked values to what the model says of webhooks. Part of build.ts. */

import { HOOK_EVENTS, readHookSecret } from "./checks/webhook-checks.ts";
import type { WebhooksConfig } from "./model/webhooks.ts";
import type { MainValues, WebhookValues } from "./options.ts";

/** null: there are none. */
export function buildWebhooks(main: MainValues, values: readonly WebhookValues[]): WebhooksConfig | null {
  const hooks = values.flatMap((each) => {
    const secret = readHookSecret(each.secret);
    if (typeof secret === "string") return [];
    const { name, url, channels, batch, batch_events, batch_size, timeout } = each;
    return {
      name,
      url,
      events: HOOK_EVENTS.filter((event) => each.events.includes(event)),
      channels,
      secret,
      batchMs: batch,
      batchEvents: batch_events,
      batchBytes: batch_size,
      timeoutMs: timeout,
    };
  });
  if (hooks.length === 0) return null;
  // The rest of the store is its users'.
  const backlogBytes = Math.min(main["webhooks.backlog"], Math.floor(main["store.size"] / 4));
  return { hooks, backlogBytes, vacatedAfterMs: main["webhooks.vacated_after"] };
}
