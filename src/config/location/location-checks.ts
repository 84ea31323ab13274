/**
 * What a location must fulfil as a whole, beyond what the option table says of each key: one role, a channels
 * path, variables that exist, a match that nothing else has. Called by document.ts.
 *
 * The sentences are those of the push-stream spec 1.6, rows 1 and 5, without the prefix of the directives.
 */

import { CHANNEL_ROLES } from "../checks/grant-checks.ts";
import type { StepEntry } from "../document.ts";
import type { Issue } from "../fault.ts";
import { ALL_OPTIONS, LOCATION_PREFIX, STEP_PREFIX } from "../options.ts";
import { presenceIssues } from "../presence.ts";
import { LIST_FAULTS } from "./location-lists.ts";
import { groupsWithSteps } from "./location-values.ts";
import { matchIdentity, parseMatch } from "./match-syntax.ts";
import { conditionFault, returnFault, settingFault } from "./rewrite.ts";
import { rewriteFault } from "./rewriting.ts";
import { valueFault } from "./variables.ts";

type Table = Readonly<Record<string, unknown>>;

const ROLE_KEYS = [
  "publisher",
  "subscriber",
  "statistics",
  "stub_status",
  "console",
  "page",
  "pushstream_client",
  "sluice_client",
  "examples",
  "root",
  "alias",
  "handler",
  "revoke",
  "proxy",
  "presence_list",
  "empty",
] as const;

/** Which roles may have code at their side. */
const CODE_ROLES: readonly (readonly [key: string, roles: readonly string[]])[] = [
  ["authorize", ["publisher", "subscriber", "presence_list", "root", "alias", "handler", "proxy"]],
  ["hooks", ["publisher", "subscriber"]],
  ["body", ["handler"]],
  ["answer_linger", ["handler"]],
  ["answer_max_size", ["handler"]],
];

const COMPLEX_KEYS: readonly string[] = ALL_OPTIONS.filter(
  ([path, option]) => path.startsWith(LOCATION_PREFIX) && option.kind === "complex",
).map(([path]) => path.slice(LOCATION_PREFIX.length));

/** Names of files may be made of captures and arguments; they lie in the folder before the first variable. */
const FILE_KEYS = ["root", "alias", "proxy"] as const;
/** Lists of texts with variables. */
const COMPLEX_LISTS = ["try_files", "error_page", "proxy_set_header", "proxy_redirect"] as const;

/** What only a proxy knows is no fault: the name of its backend, and groups of a regex of its own. */
const besidesProxy = (text: string): string =>
  (text.startsWith("~") ? text.replace(/^\S*/, "").replace(/\$\d/g, "") : text).replace(
    /\$(?:proxy_host\b|\{proxy_host\})/gi,
    "",
  );

/**
 * `written` is the table as it stands in the file, `values` what was read of it, by path; undefined = was
 * faulty.
 */
export function locationIssues(
  written: Table,
  values: Table,
  steps: readonly StepEntry[],
  names: ReadonlySet<string>,
): readonly Issue[] {
  const valueAt = (key: string): unknown => values[LOCATION_PREFIX + key];
  const roles = ROLE_KEYS.filter((key) => written[key] !== undefined && written[key] !== false);
  const match = valueAt("match");
  // A step may make one of it that has channels.
  const byStep = steps.some(({ overrides }) => overrides.subscriber != null || overrides.publisher != null)
    ? ["subscriber"]
    : [];
  return [
    ...roleIssues(roles),
    ...codeIssues(roles, written),
    ...presenceIssues(written, roles.includes("subscriber") || byStep.length > 0),
    ...missingIssues([...roles, ...byStep], match, valueAt("channels_path")),
    ...templateIssues(valueAt("subscriber"), valueAt("message_template")),
    ...listIssues(valueAt),
    ...(typeof match === "string" ? matchAndVariableIssues(match, valueAt, steps, names) : []),
  ];
}

/** What a step must fulfil as a whole. */
export function stepIssues(values: Table, names: ReadonlySet<string>): readonly Issue[] {
  const issues: Issue[] = [];
  const note = (key: string, value: unknown, sentence: string | null): void => {
    if (sentence !== null) issues.push({ suffix: `.${key}`, value, sentence });
  };
  const condition = values[`${STEP_PREFIX}if`];
  if (typeof condition === "string") note("if", condition, conditionFault(condition, names));
  const settings = values[`${STEP_PREFIX}set`];
  if (Array.isArray(settings))
    settings.forEach((text: string, i) => {
      note(`set[${i}]`, text, settingFault(text, names));
    });
  const rewrites = values[`${STEP_PREFIX}rewrite`];
  if (Array.isArray(rewrites))
    rewrites.forEach((text: string, i) => {
      note(`rewrite[${i}]`, text, rewriteFault(text, names));
    });
  const returned = values[`${STEP_PREFIX}return`];
  if (typeof returned === "string") note("return", returned, returnFault(returned, names));
  return issues;
}

/** Texts that have a form of their own (location-lists.ts). */
function listIssues(valueAt: (key: string) => unknown): readonly Issue[] {
  const issues: Issue[] = [];
  for (const [key, fault] of LIST_FAULTS) {
    const texts = valueAt(key);
    if (!Array.isArray(texts)) continue;
    texts.forEach((text: string, i) => {
      const sentence = fault(text);
      if (sentence !== null) issues.push({ suffix: `.${key}[${i}]`, value: text, sentence });
    });
  }
  if (typeof valueAt("auth_basic") === "string" && valueAt("auth_basic_user_file") === null)
    issues.push({
      suffix: ".auth_basic",
      value: valueAt("auth_basic"),
      sentence: "auth_basic needs auth_basic_user_file.",
    });
  return issues;
}

function roleIssues(roles: readonly string[]): readonly Issue[] {
  if (roles.length === 1) return [];
  const sentence =
    roles.length === 0
      ? `location has no role, set one of ${ROLE_KEYS.join(", ")}.`
      : `location has ${roles.length === 2 ? "two" : roles.length} roles (${roles.join(", ")}), it can ` +
        "have one.";
  return [{ suffix: "", value: undefined, sentence }];
}

function codeIssues(roles: readonly string[], written: Table): readonly Issue[] {
  const issues: Issue[] = [];
  for (const [key, fitting] of CODE_ROLES) {
    if (written[key] === undefined || roles.length === 0 || roles.some((role) => fitting.includes(role)))
      continue;
    issues.push({
      suffix: `.${key}`,
      value: written[key],
      sentence: `${key} is for a location with ${fitting.join(", ")}.`,
    });
  }
  return issues;
}

function missingIssues(roles: readonly string[], match: unknown, channelsPath: unknown): readonly Issue[] {
  const issues: Issue[] = [];
  const missing = (key: string): void => {
    issues.push({ suffix: `.${key}`, value: undefined, sentence: `${key} must be set.` });
  };
  if (match === null) missing("match");
  const needsChannels = roles.some((role) => CHANNEL_ROLES.includes(role));
  if (needsChannels && channelsPath === null) missing("channels_path");
  // Statistics of no channel are those of all.
  if (needsChannels && channelsPath === "" && !roles.includes("statistics"))
    issues.push({ suffix: ".channels_path", value: "", sentence: "channels_path cannot be blank." });
  return issues;
}

/**
 * An eventsource location replaces a blank template by ~text~ before the check (push-stream spec 1.6 row 5).
 */
const templateIssues = (mode: unknown, template: unknown): readonly Issue[] =>
  template === "" && mode !== "eventsource"
    ? [{ suffix: ".message_template", value: template, sentence: "message_template cannot be blank." }]
    : [];

/** When the match is bad, nobody knows its groups, and `$1` is given the benefit of the doubt. */
function matchAndVariableIssues(
  match: string,
  valueAt: (key: string) => unknown,
  steps: readonly StepEntry[],
  names: ReadonlySet<string>,
): readonly Issue[] {
  const outcome = parseMatch(match);
  if (!outcome.ok) return [{ suffix: ".match", value: match, sentence: outcome.sentence }];
  const groups = groupsWithSteps(
    outcome.groups,
    steps.map(({ values }) => ({ condition: values.if ?? null, rewrite: values.rewrite ?? [] })),
  );
  const issues: Issue[] = [];
  const look = (suffix: string, value: unknown): void => {
    const sentence = typeof value === "string" ? valueFault(value, groups, names) : null;
    if (sentence !== null) issues.push({ suffix, value, sentence });
  };
  for (const key of [...COMPLEX_KEYS, ...FILE_KEYS]) look(`.${key}`, valueAt(key));
  for (const key of COMPLEX_LISTS) {
    const texts = valueAt(key);
    if (Array.isArray(texts))
      texts.forEach((text, i) => {
        const known = typeof text === "string" && key.startsWith("proxy_") ? besidesProxy(text) : text;
        look(`.${key}[${i}]`, known);
      });
  }
  steps.forEach(({ overrides }, i) => {
    for (const [key, value] of Object.entries(overrides)) {
      if (COMPLEX_KEYS.includes(key)) look(`.step[${i}].${key}`, value);
    }
  });
  return issues;
}

/** For each location the issue of having the match of an earlier one. null = its match is faulty anyway. */
export function duplicateMatchIssues(
  matches: readonly (string | null | undefined)[],
): readonly (readonly Issue[])[] {
  const seen = new Map<string, number>();
  return matches.map((text, index) => {
    const outcome = typeof text === "string" ? parseMatch(text) : null;
    if (outcome?.ok !== true) return [];
    const identity = matchIdentity(outcome.match);
    const first = seen.get(identity);
    if (first === undefined) seen.set(identity, index);
    return first === undefined
      ? []
      : [{ suffix: ".match", value: text, sentence: `duplicate location, the same as location[${first}].` }];
  });
}
