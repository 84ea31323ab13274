/**
 * Checks of `[cluster]`: single values through the option table, and what does not go together, by
 * document.ts.
 */
import { parseEngine } from "../engine-address.ts";
import type { Issue } from "../fault.ts";
import type { MainValues } from "../options.ts";

export function engineIssues(engines: readonly string[]): readonly Issue[] {
  return engines.flatMap((text, at) => {
    const engine = parseEngine(text);
    return typeof engine === "string" ? [{ suffix: `[${at}]`, value: text, sentence: engine }] : [];
  });
}

/** Part of keys and of fields that are separated by spaces; braces say which part of a key is hashed. */
const NAME = /^[A-Za-z0-9._-]{1,64}$/;

export const clusterNameIssues = (name: string): readonly Issue[] =>
  NAME.test(name)
    ? []
    : [
        {
          suffix: "",
          value: name,
          sentence: "a name has 1 to 64 letters, digits, dots, dashes and underscores.",
        },
      ];

export const secretIssues = (text: string): readonly Issue[] =>
  /^env:[A-Za-z_][A-Za-z0-9_]*$/.test(text) || /^file:\/.+/.test(text)
    ? []
    : [
        {
          suffix: "",
          // Not shown: it may be the password.
          value: undefined,
          sentence:
            'a secret is named by its place, "env:NAME" or "file:/path", and does not stand here itself.',
        },
      ];

export const ackIssues = (text: string): readonly Issue[] =>
  text === "primary" || text === "replica"
    ? []
    : [{ suffix: "", value: text, sentence: 'ack must be "primary" or "replica".' }];

/** What a node of a cluster cannot do. Values that were faulty themselves are missing. */
export function clusterIssues(values: Partial<MainValues>): readonly Issue[] {
  if ((values["cluster.engine"] ?? []).length === 0) return [];
  const issues: Issue[] = [];
  const tell = (value: unknown, sentence: string) => issues.push({ suffix: "", value, sentence });
  if (values["store.sync"] === "each")
    tell("each", 'store.sync = "each" is for one machine: in a cluster the engine keeps the messages.');
  if (Boolean(values["cluster.tls_certificate"]) !== Boolean(values["cluster.tls_certificate_key"]))
    tell(undefined, "tls_certificate and tls_certificate_key go together.");
  return issues;
}
