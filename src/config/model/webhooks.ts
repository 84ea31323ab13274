/** Part of the checked configuration (../model.ts): whom events are told by HTTP. */
import type { HookEvent } from "../checks/webhook-checks.ts";

/** Where the secret of a webhook is to be had. */
export interface WebhookSecret {
  readonly kind: "variable" | "file" | "text";
  /** The variable, the path, or the secret itself. */
  readonly text: string;
}

export interface WebhookConfig {
  readonly name: string;
  readonly url: string;
  readonly events: readonly HookEvent[];
  /** Patterns (patterns.ts). */
  readonly channels: readonly string[];
  readonly secret: WebhookSecret;
  readonly batchMs: number;
  readonly batchEvents: number;
  readonly batchBytes: number;
  readonly timeoutMs: number;
}

export interface WebhooksConfig {
  readonly hooks: readonly WebhookConfig[];
  /** Of the store, what their events may take. */
  readonly backlogBytes: number;
  readonly vacatedAfterMs: number;
}
