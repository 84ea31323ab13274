/**
 * From a document (what a TOML parser gives, or what nginx.conf was translated to) to checked values, or all
 * of its faults at once. Called by toml.ts and load.ts.
 *
 * Everything about single options comes from the table in options.ts; here is the walk over the document.
 * What a location, a step or the servers must fulfil as a whole is in location-checks.ts and
 * server-checks.ts.
 */

import { clusterIssues } from "./checks/engine-checks.ts";
import { grantIssues, issuerIssues } from "./checks/grant-checks.ts";
import { questionIssues } from "./checks/question-checks.ts";
import { serverIssues } from "./checks/server-checks.ts";
import { serverWarnings } from "./checks/server-warnings.ts";
import { storeIssues } from "./checks/store-checks.ts";
import { webhookIssues } from "./checks/webhook-checks.ts";
import type { Fault } from "./fault.ts";
import { duplicateMatchIssues, locationIssues, stepIssues } from "./location/location-checks.ts";
import { locationWarnings } from "./location/location-warnings.ts";
import { mapIssues } from "./location/maps.ts";
import { setVariables } from "./location/rewrite.ts";
import {
  ISSUER_PREFIX,
  type IssuerValues,
  LOCATION_PREFIX,
  type LocationValues,
  MAP_PREFIX,
  type MainValues,
  type MapValues,
  SERVER_PREFIX,
  type ServerValues,
  SHARED_PREFIX,
  type SharedValues,
  STEP_OVERRIDES,
  STEP_PREFIX,
  type StepValues,
  UPSTREAM_PREFIX,
  type UpstreamValues,
  WEBHOOK_PREFIX,
  type WebhookValues,
} from "./options.ts";
import { proxyIssues, upstreamIssues } from "./server/proxy-config.ts";
import { type SharedEntry, sharedNameIssues } from "./shared.ts";
import { isSection, isTable, present, type Table, TableReader, withoutPrefix } from "./table-reader.ts";

export interface StepEntry {
  readonly values: StepValues;
  /** What it sets anew in its location. */
  readonly overrides: Partial<LocationValues>;
}

export interface LocationEntry {
  readonly values: LocationValues;
  readonly steps: readonly StepEntry[];
  /** Those inside it. */
  readonly locations: readonly LocationEntry[];
}

export interface ServerEntry {
  readonly values: ServerValues;
  readonly steps: readonly StepEntry[];
  readonly locations: readonly LocationEntry[];
}

export interface CheckedValues {
  readonly main: MainValues;
  /** The unnamed server of the top of the file comes first, if there is one. */
  readonly servers: readonly ServerEntry[];
  readonly issuers: readonly IssuerValues[];
  readonly webhooks: readonly WebhookValues[];
  readonly maps: readonly MapValues[];
  readonly upstreams: readonly UpstreamValues[];
  readonly shared: readonly SharedEntry[];
  /** Names of all variables that some step sets, without `$`. */
  readonly setVariables: readonly string[];
}

export interface ReadDocument {
  /** Where there are faults, what is faulty is undefined. */
  readonly values: CheckedValues;
  readonly faults: readonly Fault[];
  /** What may be meant as it is. */
  readonly warnings: readonly Fault[];
}

/** `placeOf` tells where a path such as "server[0].location[2].match" stands: "file:line", or the file. */
export function readDocument(document: Table, placeOf: (path: string) => string): ReadDocument {
  const walk = new Walk(placeOf, setVariables(document));
  const values = walk.document(document);
  return { values, faults: walk.faults, warnings: walk.warnings };
}

const NO_LOCATIONS =
  "there is no location: every path is 404, but for /health/live, /health/ready and /metrics.";

class Walk extends TableReader {
  readonly #setVariables: ReadonlySet<string>;
  #issuerNames: ReadonlySet<string> = new Set();

  constructor(placeOf: (path: string) => string, names: ReadonlySet<string>) {
    super(placeOf);
    this.#setVariables = names;
  }

  document(document: Table): CheckedValues {
    const values = this.defaults("");
    const { location, server, issuer, webhook, map, upstream, shared, ...rest } = document;
    for (const [key, raw] of Object.entries(rest)) {
      if (isSection(key)) this.#section(key, raw, values);
      else this.option("", key, raw, key, values);
    }
    // What is faulty is undefined in there, and then the sum is not judged.
    this.issues("store.size", storeIssues(values as Partial<MainValues>));
    this.issues("cluster", clusterIssues(values as Partial<MainValues>));
    // Every path of the table was filled with its default, so the record has the shape the table promises.
    const main = values as MainValues;
    const issuers = present(this.tables(issuer, "issuer", (table, path) => this.#issuer(table, path)));
    issuerIssues(issuers).forEach((issues, i) => {
      this.issues(`issuer[${i}]`, issues);
    });
    this.#issuerNames = new Set(issuers.map(({ name }) => name));
    const webhooks = present(this.tables(webhook, "webhook", (table, path) => this.#webhook(table, path)));
    webhookIssues(webhooks).forEach((issues, i) => {
      this.issues(`webhook[${i}]`, issues);
    });
    const maps = present(this.tables(map, "map", (table, path) => this.#map(table, path)));
    const names = new Set<string>();
    const upstreams = present(
      this.tables(upstream, "upstream", (table, path) => this.#upstream(table, path, names)),
    );
    const dictionaries = this.#dictionaries(shared);
    const servers = present(this.tables(server, "server", (table, path) => this.#server(table, path)));
    const named = servers.length;
    // A file with servers of its own has one at the top only if it says something of it.
    if (server === undefined || location !== undefined || document["listen"] !== undefined) {
      const nameless = {
        ...withoutPrefix(this.defaults(SERVER_PREFIX), SERVER_PREFIX),
        listen: main.listen,
      };
      servers.unshift({
        values: nameless as ServerValues,
        steps: [],
        locations: this.#locations(location, ""),
      });
    }
    for (const { path, issue } of [...serverIssues(servers, named), ...questionIssues(servers, named)])
      this.issues(path, [issue]);
    for (const { path, issue } of serverWarnings(main, servers, named)) this.warn(path, issue);
    if (location === undefined && server === undefined)
      this.warn("", { suffix: "", value: undefined, sentence: NO_LOCATIONS });
    const setNames = [...this.#setVariables];
    const lists = { servers, issuers, webhooks, maps, upstreams, shared: dictionaries };
    return { main, ...lists, setVariables: setNames };
  }

  #issuer(raw: Table, path: string): IssuerValues {
    const values = this.defaults(ISSUER_PREFIX);
    for (const [key, value] of Object.entries(raw))
      this.option(ISSUER_PREFIX, key, value, `${path}.${key}`, values);
    for (const key of ["name", "algorithms"])
      if (raw[key] === undefined) this.fault(`${path}.${key}`, undefined, `${key} must be set.`);
    return withoutPrefix(values, ISSUER_PREFIX) as IssuerValues;
  }

  #webhook(raw: Table, path: string): WebhookValues {
    const values = this.defaults(WEBHOOK_PREFIX);
    for (const [key, value] of Object.entries(raw))
      this.option(WEBHOOK_PREFIX, key, value, `${path}.${key}`, values);
    for (const key of ["name", "url", "events", "secret"])
      if (raw[key] === undefined) this.fault(`${path}.${key}`, undefined, `${key} must be set.`);
    return withoutPrefix(values, WEBHOOK_PREFIX) as WebhookValues;
  }

  #section(name: string, raw: unknown, values: Record<string, unknown>): void {
    if (!isTable(raw)) this.fault(name, raw, `${name} is a table, write [${name}].`);
    for (const [key, value] of Object.entries(isTable(raw) ? raw : {}))
      this.option(`${name}.`, key, value, `${name}.${key}`, values);
  }

  #map(raw: Table, path: string): MapValues {
    const values = this.defaults(MAP_PREFIX);
    for (const [key, value] of Object.entries(raw))
      this.option(MAP_PREFIX, key, value, `${path}.${key}`, values);
    this.issues(path, mapIssues(values, this.#setVariables));
    return withoutPrefix(values, MAP_PREFIX) as MapValues;
  }

  #upstream(raw: Table, path: string, names: Set<string>): UpstreamValues {
    const values = this.defaults(UPSTREAM_PREFIX);
    for (const [key, value] of Object.entries(raw))
      this.option(UPSTREAM_PREFIX, key, value, `${path}.${key}`, values);
    this.issues(path, upstreamIssues(values, names));
    return withoutPrefix(values, UPSTREAM_PREFIX) as UpstreamValues;
  }

  /** Tables by name, in the table `shared`. */
  #dictionaries(raw: unknown): readonly SharedEntry[] {
    if (raw !== undefined && !isTable(raw))
      this.fault("shared", raw, "shared has a table for each dictionary, write [shared.NAME].");
    return Object.entries(isTable(raw) ? raw : {}).map(([name, table]) => {
      const path = `shared.${name}`;
      this.issues(path, sharedNameIssues(name));
      const values = this.defaults(SHARED_PREFIX);
      if (!isTable(table)) this.fault(path, table, `${name} is a dictionary, write [${path}].`);
      else if (table["size"] === undefined) this.fault(`${path}.size`, undefined, "size must be set.");
      for (const [key, value] of Object.entries(isTable(table) ? table : {}))
        this.option(SHARED_PREFIX, key, value, `${path}.${key}`, values);
      return { name, values: withoutPrefix(values, SHARED_PREFIX) as SharedValues };
    });
  }

  #server(raw: Table, path: string): ServerEntry {
    const { location, step, ...rest } = raw;
    const values = this.defaults(SERVER_PREFIX);
    for (const [key, value] of Object.entries(rest))
      this.option(SERVER_PREFIX, key, value, `${path}.${key}`, values);
    if (raw["listen"] === undefined) this.fault(`${path}.listen`, undefined, "listen must be set.");
    return {
      values: withoutPrefix(values, SERVER_PREFIX) as ServerValues,
      steps: this.#steps(step, `${path}.`, false),
      locations: this.#locations(location, `${path}.`),
    };
  }

  #locations(raw: unknown, prefix: string): readonly LocationEntry[] {
    const read = this.tables(raw, `${prefix}location`, (table, path) => this.#location(table, path));
    duplicateMatchIssues(read.map((entry) => entry?.values.match)).forEach((issues, index) => {
      this.issues(`${prefix}location[${index}]`, issues);
    });
    return present(read);
  }

  #location(raw: Table, path: string): LocationEntry {
    const values = this.defaults(LOCATION_PREFIX);
    const { step, location, ...rest } = raw;
    for (const [key, value] of Object.entries(rest))
      this.option(LOCATION_PREFIX, key, value, `${path}.${key}`, values);
    const steps = this.#steps(step, `${path}.`, true);
    this.issues(path, locationIssues(raw, values, steps, this.#setVariables));
    this.issues(
      path,
      proxyIssues(raw, (key) => values[LOCATION_PREFIX + key]),
    );
    this.issues(path, grantIssues(raw, values, this.#issuerNames));
    for (const issue of locationWarnings(raw, values)) this.warn(path, issue);
    const locations = this.#locations(location, `${path}.`);
    return { values: withoutPrefix(values, LOCATION_PREFIX) as LocationValues, steps, locations };
  }

  #steps(raw: unknown, prefix: string, inLocation: boolean): readonly StepEntry[] {
    const read = this.tables(raw, `${prefix}step`, (table, path) => {
      const values = this.defaults(STEP_PREFIX);
      const overrides: Record<string, unknown> = {};
      for (const [key, value] of Object.entries(table)) {
        const isOverride = inLocation && STEP_OVERRIDES.some((name) => name === key);
        if (isOverride) this.option(LOCATION_PREFIX, key, value, `${path}.${key}`, overrides);
        else this.option(STEP_PREFIX, key, value, `${path}.${key}`, values);
      }
      this.issues(path, stepIssues(values, this.#setVariables));
      if (inLocation)
        this.issues(
          path,
          proxyIssues(table, (key) => overrides[LOCATION_PREFIX + key]),
        );
      return {
        values: withoutPrefix(values, STEP_PREFIX) as StepValues,
        overrides: withoutPrefix(overrides, LOCATION_PREFIX) as Partial<LocationValues>,
      };
    });
    return present(read);
  }
}
