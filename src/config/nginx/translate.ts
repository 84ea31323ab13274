/**
 * The meaning of an nginx.conf: from its tree to the document that a file of our own with the same meaning
 * would give, with all faults at once. Called by load.ts here. From the document on both kinds of file go the
 * same way (config/document.ts).
 *
 * Two passes: translate-scope.ts checks each directive by itself, everything after it only looks at what is
 * in effect where.
 */
import { resolve } from "node:path";
import type { Fault } from "../fault.ts";
import { Draft } from "./draft.ts";
import { HANDLER } from "./translate-code.ts";
import { translateMain, translateZone, UNUSED_NOTICE } from "./translate-main.ts";
import { translateMaps } from "./translate-map.ts";
import { translateUpstreams } from "./translate-proxy.ts";
import { type Ignored, type Place, Report } from "./translate-report.ts";
import { innerScopes, oneInEffect, type Scope, ScopeReader } from "./translate-scope.ts";
import { translateServer } from "./translate-server.ts";
import { type FileSource, ValueReader } from "./translate-values.ts";
import type { Directive } from "./tree.ts";

export interface Translation {
  /** As `Bun.TOML.parse` would give it. When there are faults it holds what could be translated. */
  readonly document: Record<string, unknown>;
  readonly faults: readonly Fault[];
  /** Directives that were left out because that changes nothing; each name once. */
  readonly ignored: readonly Ignored[];
  /** Sentences that whoever runs this should read. */
  readonly notices: readonly string[];
  /** What the module tells at a start: the memory it uses, the paddings it found. */
  readonly startLines: readonly string[];
  /** Folders nginx makes when it starts. Nothing of ours lies there, but whoever looks expects them. */
  readonly folders: readonly string[];
  /** Variables that are not there for a fault that is among these. */
  readonly unmade: ReadonlySet<string>;
  /**
   * Where a path of the document comes from: "server[0].location[2].message_ttl", or the nearest around it
   * that is known.
   */
  lineOf(path: string): Place | null;
}

export function translateNginx(directives: readonly Directive[], files: FileSource): Translation {
  const report = new Report();
  const values = new ValueReader(report, files);
  const main = new ScopeReader(report, values).read(directives);
  const context = { report, values, folder: files.folder };
  const [http] = innerScopes(main, "http");
  const draft = new Draft(directives[0] ?? { file: "", line: 1 });
  translateMain(context, main, http ?? null, draft);
  if (http !== undefined) {
    const isUsed = hasRole(http);
    translateZone(context, http, isUsed, draft);
    translateMaps(context, http, draft);
    translateUpstreams(context, http, draft);
    for (const server of innerScopes(http, "server")) draft.push("server", translateServer(context, server));
    if (!isUsed) report.notice(UNUSED_NOTICE);
  }
  if (draft.list("server").length === 0)
    report.fault(http?.block ?? draft.place, "there is no server in this configuration");
  const places = new Map<string, Place>();
  draft.collectPlaces("", places);
  return {
    document: draft.toDocument(),
    faults: report.faults(),
    ignored: report.ignored(),
    notices: report.notices,
    folders: temporaryFolders(directives, files.folder),
    startLines: report.startLines,
    unmade: report.unmade,
    lineOf: (path) => nearestPlace(places, path),
  };
}

function temporaryFolders(directives: readonly Directive[], folder: string): string[] {
  return directives.flatMap(({ name, args, block }) => [
    ...(name === "client_body_temp_path" ? [resolve(folder, args[0]?.text ?? "")] : []),
    ...temporaryFolders(block ?? [], folder),
  ]);
}

const hasRole = (scope: Scope): boolean =>
  (scope.context === "location" && isOfModule(oneInEffect(scope, "role")?.name)) || scope.inner.some(hasRole);

/** A handler needs no shared memory to be named. */
const isOfModule = (role: string | undefined): boolean => role !== undefined && role !== HANDLER;

function nearestPlace(places: ReadonlyMap<string, Place>, path: string): Place | null {
  for (
    let end = path.length;
    end > 0;
    end = Math.max(path.lastIndexOf(".", end - 1), path.lastIndexOf("[", end - 1))
  ) {
    const place = places.get(path.slice(0, end));
    if (place !== undefined) return place;
  }
  return null;
}
