/**
 * Nchan's directives in the words of the push stream module and our own, for `sluice convert`: a tree in, a
 * tree out, which is then translated as any other. What behaves differently is said, once for each directive.
 * Called by load.ts.
 *
 * Nchan finds out from the request how somebody wants to listen; here that is a long poll, and conditions
 * make it something else. Not spoken: Nchan's message ids and positions in several channels at once; clients
 * resume by ours.
 */
import { nchanNote } from "./nchan-notes.ts";
import type { Arg, Directive } from "./tree.ts";
import { parseSeconds } from "./units.ts";

export interface FromNchan {
  readonly directives: readonly Directive[];
  readonly notes: readonly string[];
}

const FOR_EVER = "3650d";
const DEFAULT_BUFFER = 10;
const DEFAULT_TIMEOUT = "1h";
const DEFAULT_MEMORY = "128M";
/** Before any message: who names no position gets all that are stored. */
const BEGINNING = "Thu, 01 Jan 1970 00:00:01 GMT";

const isNchan = ({ name }: Directive): boolean => /^(?:nchan_|push_(?:publisher|subscriber)$)/.test(name);

/** null: there is none of Nchan in it. */
export function fromNchan(directives: readonly Directive[]): FromNchan | null {
  const all = flat(directives);
  if (!all.some(isNchan)) return null;
  const notes = new Map<string, string>();
  for (const { name, file, line } of all.filter(isNchan)) {
    const note = nchanNote(name);
    if (note !== null && !notes.has(name)) notes.set(name, `${file}:${line}: ${name}: ${note}`);
  }
  const settings = httpSettings(all);
  const changed = directives.map((directive) =>
    directive.name === "http" && directive.block !== null
      ? { ...directive, block: [...settings(directive), ...inBlock(directive.block, {})] }
      : directive,
  );
  return { directives: changed, notes: [...notes.values()] };
}

const flat = (directives: readonly Directive[]): readonly Directive[] =>
  directives.flatMap((directive) => [directive, ...flat(directive.block ?? [])]);

/** What is in effect of Nchan's, by name: inner ones replace outer ones. */
type InEffect = Readonly<Record<string, Directive>>;

function inBlock(block: readonly Directive[], outer: InEffect): readonly Directive[] {
  const effect = {
    ...outer,
    ...Object.fromEntries(block.filter(isNchan).map((one) => [one.name, one])),
  };
  const own = block.filter(isNchan);
  const kept = block.flatMap((directive) => {
    // It may change or refuse messages, so it is not left out.
    if (directive.name === GUARD) return [directive];
    if (isNchan(directive)) return [];
    const inner = directive.block;
    return inner === null || !["server", "location", "if"].includes(directive.name)
      ? [directive]
      : [{ ...directive, block: inBlock(inner, effect) }];
  });
  const role = own.find(({ name }) => ROLE.test(name));
  return role === undefined ? kept : [...endpoint(role, effect), ...kept];
}

const GUARD = "nchan_publisher_upstream_request";
const ROLE = /^(?:nchan_(?:publisher|subscriber|pubsub|stub_status)|push_(?:publisher|subscriber))$/;

function endpoint(role: Directive, effect: InEffect): readonly Directive[] {
  const kind = role.name.replace(/^(?:nchan|push)_/, "");
  const made = maker(role);
  if (kind === "stub_status")
    return [made("push_stream_channels_statistics"), made("push_stream_channels_path", "")];
  const path = channelsPath(effect, kind);
  // The regex of a condition takes the place of the location's: what that has captured is put aside before.
  const isCaptured = kind !== "publisher" && /\$\{?\d/.test(path);
  const common = [
    ...(isCaptured ? [made("set", "$nchan_path", path)] : []),
    made("push_stream_channels_path", isCaptured ? "$nchan_path" : path),
    ...renamed(effect, "nchan_access_control_allow_origin", "push_stream_allowed_origins"),
    ...renamed(effect, "nchan_authorize_request", "auth_request"),
  ];
  if (kind === "publisher")
    return [made("push_stream_publisher", "admin"), ...storing(effect, made), ...common];
  const modes = modesOf(role);
  const [mode = "long-polling", ...others] = modes;
  return [
    made("push_stream_subscriber", mode),
    ...common,
    ...listening(effect, made),
    ...others.map((other) => condition(role, WHEN[other] ?? [], [made("sluice_role", other)])),
    ...(kind === "pubsub" ? publishing(role, effect, made) : []),
  ];
}

type Make = (name: string, ...words: readonly string[]) => Directive;

const maker =
  ({ file, line }: Directive): Make =>
  (name, ...words) => ({ name, args: words.map(word), file, line, block: null });

const word = (text: string): Arg => ({ text, quoted: true });

const condition = (
  { file, line }: Directive,
  words: readonly string[],
  block: readonly Directive[],
): Directive => ({ name: "if", args: words.map((text) => ({ text, quoted: false })), file, line, block });

const renamed = (effect: InEffect, from: string, to: string): readonly Directive[] => {
  const directive = effect[from];
  return directive === undefined ? [] : [{ ...directive, name: to }];
};

// --- how somebody listens ----------------------------------------------------------------------------------

const MODES: Readonly<Record<string, string>> = {
  websocket: "websocket",
  eventsource: "eventsource",
  longpoll: "long-polling",
  "long-poll": "long-polling",
  intervalpoll: "polling",
  poll: "polling",
  "http-chunked": "streaming",
  "http-raw-stream": "streaming",
};
const ANY = ["long-polling", "eventsource", "websocket"];

/** What says in a request that it wants this and not the first of them. */
const WHEN: Readonly<Record<string, readonly string[]>> = {
  websocket: ["($http_upgrade", "~*", "websocket)"],
  eventsource: ["($http_accept", "~*", "text/event-stream)"],
  streaming: ["($http_te", "~*", "chunked)"],
};

/** The first is for whoever says nothing; those that a request can ask for follow. */
function modesOf({ args }: Directive): readonly string[] {
  const named = args.flatMap(({ text }) => (text === "any" ? ANY : (MODES[text] ?? [])));
  const modes = named.length === 0 ? ANY : named;
  const plain = modes.find((mode) => WHEN[mode] === undefined) ?? modes[0] ?? "long-polling";
  return [plain, ...new Set(modes.filter((mode) => mode !== plain && WHEN[mode] !== undefined))];
}

function listening(effect: InEffect, made: Make): readonly Directive[] {
  const [first = "oldest"] = textsOf(effect["nchan_subscriber_first_message"]);
  const timeout = textsOf(effect["nchan_subscriber_timeout"])[0] ?? "0";
  const ping = textsOf(effect["nchan_websocket_ping_interval"])[0] ?? "0";
  return [
    made("sluice_event_ids", "auto"),
    ...(first === "oldest" || /^[1-9]/.test(first) ? fromTheBeginning(made) : []),
    ...(parseSeconds(timeout) ? [made("push_stream_subscriber_connection_ttl", timeout)] : []),
    ...(parseSeconds(ping) ? [made("push_stream_ping_message_interval", ping)] : []),
  ];
}

/** The time a client names, and without one the beginning. */
const fromTheBeginning = (made: Make): readonly Directive[] => [
  made("set", "$nchan_since", BEGINNING),
  condition(
    made("if"),
    ["($http_if_modified_since)"],
    [made("set", "$nchan_since", "$http_if_modified_since")],
  ),
  // Who names a message goes on behind it.
  condition(made("if"), ["($http_last_event_id)"], [made("set", "$nchan_since", "")]),
  made("push_stream_last_received_message_time", "$nchan_since"),
];

// --- publishing --------------------------------------------------------------------------------------------

function storing(effect: InEffect, made: Make): readonly Directive[] {
  const [stored = "on"] = textsOf(effect["nchan_store_messages"]);
  const [length = ""] = textsOf(effect["nchan_message_buffer_length"]);
  return [made("push_stream_store_messages", stored === "off" || length === "0" ? "off" : "on")];
}

const publishing = (role: Directive, effect: InEffect, made: Make): readonly Directive[] => [
  ...storing(effect, made),
  made("push_stream_websocket_allow_publish", "on"),
  condition(role, ["($request_method", "~", "^(?:POST|PUT|DELETE)$)"], [made("sluice_role", "publisher")]),
];

/** Several ids are one path; a number of last messages goes with each. */
function channelsPath(effect: InEffect, kind: string): string {
  const own = kind === "publisher" ? "nchan_publisher_channel_id" : "nchan_subscriber_channel_id";
  const directive = effect[own] ?? effect["nchan_channel_id"] ?? effect["nchan_pubsub_channel_id"];
  const group = textsOf(effect["nchan_channel_group"])[0] ?? "";
  const [first = ""] = textsOf(effect["nchan_subscriber_first_message"]);
  const last = kind !== "publisher" && /^-[1-9]\d*$/.test(first) ? `.b${first.slice(1)}` : "";
  // Without one Nchan takes this variable.
  const ids = directive === undefined ? ["$push_channel_id"] : textsOf(directive);
  return ids.map((id) => `${group === "" ? "" : `${group}.`}${id}${last}`).join("/");
}

const textsOf = (directive: Directive | undefined): readonly string[] =>
  directive?.args.map(({ text }) => text) ?? [];

// --- the whole of it ---------------------------------------------------------------------------------------

/** What one publisher says in Nchan is for all channels here: the most of it. */
function httpSettings(all: readonly Directive[]): (http: Directive) => readonly Directive[] {
  const numbers = (name: string): readonly number[] =>
    all
      .flatMap((one) => (one.name === name ? [Number(one.args[0]?.text ?? "")] : []))
      .filter(Number.isSafeInteger);
  const times = all.flatMap((one) => (one.name === "nchan_message_timeout" ? [one.args[0]?.text ?? ""] : []));
  const longest = times.toSorted((left, right) => (parseSeconds(right) ?? 0) - (parseSeconds(left) ?? 0))[0];
  const never = times.some((text) => parseSeconds(text) === 0);
  const sizes = ["nchan_shared_memory_size", "nchan_max_reserved_memory", "push_max_reserved_memory"];
  const memory = all.find(({ name }) => sizes.includes(name))?.args[0]?.text ?? DEFAULT_MEMORY;
  const buffer = Math.max(0, ...numbers("nchan_message_buffer_length")) || DEFAULT_BUFFER;
  return (http) => {
    const made = maker(http);
    const one = (from: string, to: string): readonly Directive[] => {
      const directive = all.find(({ name }) => name === from);
      return directive === undefined || directive.args[0]?.text === "0" ? [] : [{ ...directive, name: to }];
    };
    return [
      made("push_stream_shared_memory_size", memory),
      made("push_stream_max_messages_stored_per_channel", String(buffer)),
      made("push_stream_message_ttl", never ? FOR_EVER : (longest ?? DEFAULT_TIMEOUT)),
      ...one("nchan_channel_timeout", "push_stream_channel_inactivity_time"),
      ...one("nchan_max_channel_id_length", "push_stream_max_channel_id_length"),
      ...one("nchan_max_channel_subscribers", "push_stream_max_subscribers_per_channel"),
      ...one("nchan_channel_events_channel_id", "push_stream_events_channel_id"),
    ];
  };
}
