/**
 * `sluice convert --keep-nginx`: an nginx.conf in two parts, the site that stays with nginx, and the
 * configuration of a sluice that answers its push locations behind it. Called by cli/convert-keep.ts, which
 * writes them.
 *
 * Every server has an address of sluice of its own, as nginx has chosen the server already; servers whose
 * push is the same share one. The location is found anew by sluice, among push locations only, by the path
 * that nginx passes on.
 */
import { dirname, resolve } from "node:path";
import { readDocument } from "../../document.ts";
import type { Fault } from "../../fault.ts";
import { diskReader, type FileReader } from "../file-reader.ts";
import { documentToToml } from "../print-toml.ts";
import { translateNginx } from "../translate.ts";
import { type Directive, parseNginxFile } from "../tree.ts";
import { parseMilliseconds } from "../units.ts";
import { type EditedFile, editedFiles, type Passing, UPSTREAM } from "./edited-files.ts";
import { prunedTree } from "./pruned-tree.ts";
import { type PushLocation, type PushServer, pushServers } from "./push-locations.ts";

export interface SplitOptions {
  readonly file: string;
  /** Where sluice listens: "127.0.0.1:9090", and the next ports for further servers; or "unix:/path". */
  readonly address: string;
}

export interface Split {
  readonly toml: string;
  readonly files: readonly EditedFile[];
  readonly faults: readonly Fault[];
  readonly notes: readonly string[];
  readonly addresses: readonly string[];
  /** "file:line location", of each push location. */
  readonly moved: readonly string[];
}

const NOTHING: Omit<Split, "faults"> = { toml: "", files: [], notes: [], addresses: [], moved: [] };

export function splitNginx({ file, address }: SplitOptions, reader: FileReader = diskReader): Split {
  const parsed = parseNginxFile(file, reader);
  if (!parsed.ok)
    return {
      ...NOTHING,
      faults: parsed.faults.map((fault) => faultAt(fault.file, fault.line, fault.sentence)),
    };
  const { directives } = parsed;
  const servers = pushServers(directives);
  if (servers.length === 0)
    return { ...NOTHING, faults: [faultAt(file, 0, "no location of it has a push_stream_ role.")] };
  const homes = homesOf(servers, address);
  const { directives: pruned, foreign } = prunedTree(directives, (server) => homes.get(server) ?? null);
  const own = translated(pruned, file, reader);
  const merged = mergeServers(own.document, servers, homes);
  const faults = [...own.faults, ...servers.flatMap(tellingApart)];
  const pings = collectPings(directives, undefined, new Map());
  const isHeld = heldLocations(servers);
  const passings = new Map<Directive, Passing>();
  const names = new Map(
    [...new Set(merged.homes.values())].map((home, i) => [home, i === 0 ? "sluice" : `sluice_${i + 1}`]),
  );
  const nameOf = (server: Directive): string => names.get(merged.homes.get(server) ?? "") ?? "sluice";
  const byVariable = isShared(servers, merged.homes);
  for (const { server, locations } of servers)
    for (const { location } of locations)
      passings.set(location, {
        upstream: byVariable ? `$${UPSTREAM}` : nameOf(server),
        readTimeout: isHeld.has(location) ? readTimeout(pings.get(location)) : `${LEAST_READ_SEC}s`,
      });
  const choices = new Map(byVariable ? servers.map(({ server }) => [server, nameOf(server)]) : []);
  const upstreams = new Map([...names].map(([home, name]) => [name, home]));
  return {
    toml: faults.length > 0 ? "" : documentToToml(merged.document),
    files: editedFiles({ directives, servers, passings, upstreams, choices, foreign }, file, reader),
    faults,
    notes: [...own.notes, ...passedOn(foreign), ...relativeFiles(directives)],
    addresses: [...upstreams.values()],
    moved: servers.flatMap(({ locations }) => locations.map(described)),
  };
}

const faultAt = (file: string, line: number, sentence: string): Fault => ({
  place: line > 0 ? `${file}:${line}` : file,
  path: "",
  value: "",
  sentence,
});

const described = ({ location }: PushLocation): string =>
  `${location.file}:${location.line} location ${location.args.map(({ text }) => text).join(" ")}`;

/** One port after the other; sockets beside each other. */
function homesOf(servers: readonly PushServer[], address: string): ReadonlyMap<Directive, string> {
  return new Map(servers.map(({ server }, i) => [server, i === 0 ? address : nextAddress(address, i)]));
}

const nextAddress = (address: string, i: number): string =>
  address.startsWith("unix:")
    ? address.replace(/(\.sock)?$/, (end) => `-${i + 1}${end}`)
    : address.replace(/\d+$/, (port) => String(Number(port) + i));

/** The sluice side, as a document. */
function translated(pruned: readonly Directive[], file: string, reader: FileReader) {
  const translation = translateNginx(pruned, {
    folder: dirname(resolve(file)),
    readFile: (path) => {
      const content = reader.read(path);
      return typeof content === "string" ? new TextEncoder().encode(content) : content;
    },
  });
  const document = behindNginx(translation.document);
  const checked = readDocument(document, (path) => {
    const place = translation.lineOf(path);
    return place === null ? file : `${place.file}:${place.line}`;
  });
  return {
    document,
    faults: [...translation.faults, ...checked.faults],
    notes: translation.notices,
  };
}

type Table = Readonly<Record<string, unknown>>;

/** What is nginx's to say is left out, and nginx is believed when it says who the client is. */
function behindNginx(document: Table): Table {
  const { shutdown_timeout, drain_rate, built_in_paths, store, server, ...rest } = document;
  const { keep, ...kept } = (store ?? {}) as Table;
  const servers = (server ?? []) as readonly Table[];
  const isUnix = servers.some(({ listen }) => String(listen).startsWith("unix:"));
  return {
    ...rest,
    ...(isUnix ? { workers: 1 } : {}),
    trusted_proxies: [isUnix ? "unix:" : "127.0.0.1"],
    real_ip_header: "X-Real-IP",
    real_ip_recursive: false,
    store: kept,
    server: servers.map(({ server_name, ...own }) => own),
  };
}

/**
 * Servers that say the same share an address: those for http and for https, and those that include one
 * snippet.
 */
function mergeServers(
  document: Table,
  servers: readonly PushServer[],
  homes: ReadonlyMap<Directive, string>,
): { readonly document: Table; readonly homes: ReadonlyMap<Directive, string> } {
  const tables = (document["server"] ?? []) as readonly Table[];
  const byMeaning = new Map<string, string>();
  const kept: Table[] = [];
  const merged = new Map<Directive, string>();
  tables.forEach((table, i) => {
    const { listen, ...meaning } = table;
    const text = JSON.stringify(meaning);
    const home = byMeaning.get(text) ?? String([listen].flat()[0]);
    if (!byMeaning.has(text)) kept.push(table);
    byMeaning.set(text, home);
    const server = servers[i]?.server;
    if (server !== undefined) merged.set(server, home);
  });
  return { document: { ...document, server: kept }, homes: new Map([...homes, ...merged]) };
}

/**
 * A snippet has one text: where servers that include one mean different sluices, each says in a variable
 * which.
 */
function isShared(servers: readonly PushServer[], homes: ReadonlyMap<Directive, string>): boolean {
  const seen = new Map<string, string>();
  return servers.some(({ server, locations }) =>
    locations.some(({ location, role }) => {
      const { file, line } = role ?? location;
      const key = `${file}:${line}`;
      const home = homes.get(server) ?? "";
      const before = seen.get(key) ?? home;
      seen.set(key, home);
      return before !== home;
    }),
  );
}

/** sluice finds the location by the path that nginx passes on: one that no path leads to cannot be found. */
function tellingApart({ locations }: PushServer): readonly Fault[] {
  return locations.flatMap(({ location }) => {
    const [first = ""] = location.args.map(({ text }) => text);
    if (first.startsWith("@"))
      return [
        faultAt(
          location.file,
          location.line,
          `location ${first} has no path by which sluice could find it: give it one.`,
        ),
      ];
    const rewrite = (location.block ?? []).find(
      ({ name, args }) => name === "rewrite" && args[2]?.text === "break",
    );
    return rewrite === undefined
      ? []
      : [
          faultAt(
            rewrite.file,
            rewrite.line,
            '"rewrite … break" in a push location changes the path by which sluice finds it: rewrite to ' +
              "a location of its own.",
          ),
        ];
  });
}

const LEAST_READ_SEC = 60;
/** Nothing may come for as long: without pings a channel can be quiet. */
const FOR_EVER = "365d";

/** Three pings: one may be late. */
const readTimeout = (pingMs: number | undefined): string =>
  pingMs === undefined ? FOR_EVER : `${Math.max(LEAST_READ_SEC, Math.ceil((3 * pingMs) / 1000))}s`;

/** Those of subscribers; what is inside one inherits its role. */
function heldLocations(servers: readonly PushServer[]): ReadonlySet<Directive> {
  const held = new Set<Directive>();
  for (const { locations } of servers)
    for (const { location, role } of locations)
      if (role === null || role.name === "push_stream_subscriber") held.add(location);
  return held;
}

/** The interval that is in effect in each location, in milliseconds. */
function collectPings(
  directives: readonly Directive[],
  outer: number | undefined,
  pings: Map<Directive, number>,
): ReadonlyMap<Directive, number> {
  const pingIn = (block: readonly Directive[], around: number | undefined): number | undefined => {
    const own = block.find(({ name }) => name === "push_stream_ping_message_interval");
    return own === undefined ? around : (parseMilliseconds(own.args[0]?.text ?? "") ?? around);
  };
  const around = pingIn(directives, outer);
  for (const directive of directives) {
    const ping = pingIn(directive.block ?? [], around);
    if (directive.name === "location" && ping !== undefined) pings.set(directive, ping);
    collectPings(directive.block ?? [], around, pings);
  }
  return pings;
}

const passedOn = (foreign: ReadonlySet<string>): readonly string[] =>
  foreign.size === 0
    ? []
    : [`nginx tells sluice what it alone knows: ${[...foreign].map((name) => `$${name}`).join(", ")}`];

/** Files that nginx looks for beside its configuration. */
const BESIDE: ReadonlySet<string> = new Set([
  ...[
    "ssl_certificate",
    "ssl_certificate_key",
    "ssl_client_certificate",
    "ssl_trusted_certificate",
    "ssl_dhparam",
  ],
  ...["auth_basic_user_file", "ssl_password_file"],
]);

function relativeFiles(directives: readonly Directive[]): readonly string[] {
  const names = new Set<string>();
  const look = (list: readonly Directive[]): void => {
    for (const { name, args, block } of list) {
      const path = args[0]?.text ?? "";
      if (BESIDE.has(name) && !/^(?:\/|\$|data:|engine:)/.test(path) && path !== "") names.add(path);
      look(block ?? []);
    }
  };
  look(directives);
  return names.size === 0
    ? []
    : [`named without a folder, so nginx -t finds them only where the tree goes: ${[...names].join(", ")}`];
}
