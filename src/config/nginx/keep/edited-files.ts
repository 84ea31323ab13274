/**
 * The files of an nginx.conf without the push stream module: push locations pass to sluice, everything else
 * stays to the letter, comments and blank lines too. Made of the places at which directives stand, never
 * printed anew. Called by split.ts.
 */

import type { FileReader } from "../file-reader.ts";
import { readSource } from "../include.ts";
import { type Directive, type Span, spanOf } from "../tree.ts";
import { fieldOf } from "./foreign-variables.ts";
import { flat } from "./pruned-tree.ts";
import { isModule, isPush, type PushServer } from "./push-locations.ts";

export interface EditedFile {
  /** As the configuration names it. */
  readonly file: string;
  readonly bytes: Uint8Array;
  readonly isChanged: boolean;
}

interface Edit {
  readonly start: number;
  readonly stop: number;
  readonly text: string;
  /** The whole line goes where nothing else is on it. */
  readonly takesLine: boolean;
}

export interface Passing {
  /** Name of the upstream block. */
  readonly upstream: string;
  /** How long nginx waits for the next byte. */
  readonly readTimeout: string;
}

export interface EditOptions {
  readonly directives: readonly Directive[];
  readonly servers: readonly PushServer[];
  /** By location. */
  readonly passings: ReadonlyMap<Directive, Passing>;
  /** Upstream blocks, by name: the address of sluice. */
  readonly upstreams: ReadonlyMap<string, string>;
  /** Which of them a server means, where that stands in a variable. */
  readonly choices: ReadonlyMap<Directive, string>;
  readonly foreign: ReadonlySet<string>;
}

export const UPSTREAM = "sluice_upstream";
/** Connection of a handshake, and of nothing else: without it nginx keeps its connections to sluice. */
const CONNECTION = "sluice_connection";

export function editedFiles(
  options: EditOptions,
  mainFile: string,
  reader: FileReader,
): readonly EditedFile[] {
  const edits = new Map<string, Map<number, Edit>>();
  const add = (directive: Directive, edit: (span: Span) => Edit): void => {
    const made = edit(spanOf(directive));
    const ofFile = edits.get(directive.file) ?? new Map<number, Edit>();
    // A snippet that is included several times is changed once.
    ofFile.set(made.start, made);
    edits.set(directive.file, ofFile);
  };
  const all = flat(options.directives);
  for (const directive of all) if (isPush(directive) || isModule(directive)) add(directive, removal);
  for (const block of all) if (isLeftEmpty(block)) add(block, removal);
  for (const { locations } of options.servers) {
    for (const { location, role } of locations) {
      const passing = options.passings.get(location);
      if (passing === undefined) continue;
      const lines = passLines(passing, options.foreign);
      if (role === null) add(location, ({ body }) => insertion(body, lines));
      else add(role, ({ start, stop }) => ({ start, stop, text: lines.join("\n"), takesLine: false }));
    }
  }
  for (const [server, name] of options.choices)
    add(server, ({ body }) => insertion(body, [`    set $${UPSTREAM} ${name};`]));
  const http = options.directives.find(({ name }) => name === "http");
  if (http !== undefined && options.upstreams.size > 0)
    add(http, ({ body }) => insertion(body, httpLines(options.upstreams)));
  const files = new Set([mainFile, ...all.map(({ file }) => file)]);
  return [...files].map((file) => edited(file, [...(edits.get(file)?.values() ?? [])], reader));
}

const removal = ({ start, stop }: Span): Edit => ({ start, stop, text: "", takesLine: true });

const insertion = (at: number, lines: readonly string[]): Edit => ({
  start: at,
  stop: at,
  text: `\n${lines.join("\n")}`,
  takesLine: false,
});

/** An `if` in which nothing but push directives stood. */
const isLeftEmpty = ({ name, block }: Directive): boolean =>
  name === "if" && block !== null && block.length > 0 && block.every(isPush);

function passLines({ upstream, readTimeout }: Passing, foreign: ReadonlySet<string>): readonly string[] {
  return [
    "# sluice answers here",
    `proxy_pass http://${upstream};`,
    "proxy_http_version 1.1;",
    "proxy_buffering off;",
    "proxy_cache off;",
    "proxy_intercept_errors off;",
    `proxy_read_timeout ${readTimeout};`,
    "proxy_set_header Host $host;",
    "proxy_set_header X-Real-IP $remote_addr;",
    "proxy_set_header Upgrade $http_upgrade;",
    `proxy_set_header Connection $${CONNECTION};`,
    ...[...foreign].map((name) => `proxy_set_header ${fieldOf(name)} $${name};`),
  ];
}

function httpLines(upstreams: ReadonlyMap<string, string>): readonly string[] {
  return [
    "    # sluice, which answers the push locations",
    ...[...upstreams].map(([name, address]) => `    upstream ${name} { server ${address}; keepalive 64; }`),
    `    map $http_upgrade $${CONNECTION} { default upgrade; "" ""; }`,
  ];
}

function edited(file: string, edits: readonly Edit[], reader: FileReader): EditedFile {
  const read = readSource(file, reader);
  if (!read.ok) throw new Error(read.sentence);
  const { text, bytes } = read.source;
  const changed = apply(text, edits);
  return { file, bytes: Buffer.from(changed, bytes ? "latin1" : "utf8"), isChanged: edits.length > 0 };
}

function apply(text: string, edits: readonly Edit[]): string {
  let done = "";
  let at = 0;
  for (const edit of edits.toSorted((left, right) => left.start - right.start || left.stop - right.stop)) {
    // What is inside something that goes as a whole.
    if (edit.start < at) continue;
    const { start: from, stop } = edit.takesLine ? wholeLine(text, edit) : edit;
    // The blanks before it may have gone with what stood there.
    const start = Math.max(from, at);
    done += text.slice(at, start) + indented(edit.text, text, edit.start);
    at = stop;
  }
  return done + text.slice(at);
}

/** With the line it stands on, where there is nothing else. */
function wholeLine(text: string, { start, stop }: Edit): { readonly start: number; readonly stop: number } {
  const lineStart = text.lastIndexOf("\n", start - 1) + 1;
  const feed = text.indexOf("\n", stop);
  const lineStop = feed < 0 ? text.length : feed + 1;
  const isAlone = text.slice(lineStart, start).trim() === "" && text.slice(stop, lineStop).trim() === "";
  if (isAlone) return { start: lineStart, stop: lineStop };
  const before = text.slice(lineStart, start);
  if (before.trim() === "") {
    // A comment behind it takes its place.
    const after = text.slice(stop, lineStop);
    return { start, stop: stop + (after.length - after.trimStart().length) };
  }
  // Behind another directive: with the blanks before it.
  return { start: start - (before.length - before.trimEnd().length), stop };
}

/** The lines after the first begin as the one does that they stand on. */
function indented(lines: string, text: string, at: number): string {
  const lineStart = text.lastIndexOf("\n", at - 1) + 1;
  const blanks = /^[ \t]*/.exec(text.slice(lineStart, at))?.[0] ?? "";
  return lines.replaceAll("\n", `\n${blanks}`);
}
