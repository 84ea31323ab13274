/**
 * Checks of `[[webhook]]`: single values through the option table, and what does not go together, by
 * document.ts.
 */

import type { Issue } from "../fault.ts";
import { SUB } from "../grant/patterns.ts";
import type { WebhookSecret } from "../model/webhooks.ts";
import type { WebhookValues } from "../options.ts";
import { isUrl, urlFault } from "./access-checks.ts";

/** What can be told. */
export const HOOK_EVENTS = ["occupied", "vacated", "joined", "left", "published", "deleted"] as const;
export type HookEvent = (typeof HOOK_EVENTS)[number];

/** The store keeps a place for each of them (store/webhook/webhook-table.ts). */
export const MOST_WEBHOOKS = 16;
/** Of the secret: fewer can be guessed. */
export const LEAST_SECRET_BYTES = 16;

const issue = (value: unknown, sentence: string, suffix = ""): Issue => ({ suffix, value, sentence });

export function hookUrlIssues(text: string): readonly Issue[] {
  const sentence = isUrl(text) ? urlFault(text) : "a webhook's url begins with https:// or http://.";
  // What it has of a password is not shown.
  return sentence === null ? [] : [issue(text.includes("@") ? "…" : text, sentence)];
}

export function hookEventIssues(texts: readonly string[]): readonly Issue[] {
  if (texts.length === 0) return [issue(texts, "a webhook is told of at least one kind of event.")];
  const known: readonly string[] = HOOK_EVENTS;
  return texts.flatMap((text, at) =>
    known.includes(text)
      ? []
      : [issue(text, `there is no such event; there are ${HOOK_EVENTS.join(", ")}.`, `[${at}]`)],
  );
}

/** Where a secret is to be had. */
export function readHookSecret(text: string): WebhookSecret | string {
  const [, name] = /^env:([A-Za-z_]\w*)$/.exec(text) ?? [];
  if (name !== undefined) return { kind: "variable", text: name };
  if (text.startsWith("env:")) return "env: is followed by the name of a variable.";
  if (!text.startsWith("file:"))
    return Buffer.byteLength(text) < LEAST_SECRET_BYTES
      ? `a secret has at least ${LEAST_SECRET_BYTES} bytes; env:NAME and file:/path say where it is.`
      : { kind: "text", text };
  const path = text.slice("file:".length);
  return path.startsWith("/") && !path.includes("\0")
    ? { kind: "file", text: path }
    : "file: is followed by a path from the root.";
}

/** The value is not shown: it may be the secret. */
export function hookSecretIssues(text: string): readonly Issue[] {
  const read = readHookSecret(text);
  return typeof read === "string" ? [issue("…", read)] : [];
}

const NAME = /^[\w.-]{1,64}$/;

/** Each with a name of its own. What is faulty in itself is undefined, and was told. */
export function webhookIssues(webhooks: readonly WebhookValues[]): readonly (readonly Issue[])[] {
  const names = new Map<string, number>();
  return webhooks.map(({ name, channels }, index) => {
    const issues: Issue[] = [];
    if (typeof name === "string" && !NAME.test(name))
      issues.push(issue(name, "a name has 1 to 64 letters, digits, dots, dashes and underscores.", ".name"));
    const first = names.get(name);
    if (first === undefined) names.set(name, index);
    else if (typeof name === "string")
      issues.push(issue(name, `duplicate webhook, the same as webhook[${first}].`, ".name"));
    const own = channels?.findIndex((text) => text.includes(SUB)) ?? -1;
    if (own >= 0)
      issues.push(issue(channels[own], `${SUB} is nobody here: it is for grants.`, `.channels[${own}]`));
    if (index === MOST_WEBHOOKS)
      issues.push(issue(undefined, `there are more than ${MOST_WEBHOOKS} webhooks.`));
    return issues;
  });
}
