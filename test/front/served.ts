/**
 * Locations served by a bare Bun.serve with nothing around them but the front: what the tests of front/,
 * files/ and publish/ ask over raw sockets. The whole server with its configuration file is tested in
 * test/binary and test/publish.
 */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LocatedRequest } from "../../src/config/location/located-request.ts";
import { Locator } from "../../src/config/location/locator.ts";
import type { LocationConfig } from "../../src/config/model.ts";
import { Front } from "../../src/front/front.ts";
import { asResponse } from "../../src/http/direct-answer.ts";
import { locationWith } from "../location.ts";

/** A location in which nothing is set. */
export const PLAIN: LocationConfig = locationWith({ role: { kind: "none" }, channelsPath: "" });

export type Answering = (located: LocatedRequest) => Response | Promise<Response>;

export interface Served {
  readonly port: number;
  readonly front: Front;
  stop(): void;
}

/**
 * Serves the locations in their order; `answer` is their role. Without a location it is 404 without a body.
 */
export function serve(locations: readonly Partial<LocationConfig>[], answer: Answering): Served {
  const config = {
    locations: locations.map((location) => ({ ...PLAIN, ...location })),
    servers: [
      {
        setVariables: new Set<string>(),
        listen: ["test"],
        names: [],
        proxies: null,
        steps: [],
        locations: locations.map((_, index) => ({ index, inner: [] })),
      },
    ],
    listeners: [],
    maps: [],
    listen: [],
    allowedHosts: [],
  };
  const front = new Front(config);
  const locator = new Locator(config);
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    development: false,
    async fetch(request, addresses) {
      const located = locator.look(request, addresses);
      if (located === null || located.index < 0)
        return new Response(null, { status: located === null ? 400 : 404 });
      const role = async (): Promise<Response> => await answer(located);
      return asResponse(await front.finish(located, front.before(located, role) ?? role()));
    },
  });
  return { port: server.port ?? 0, front, stop: () => void server.stop(true) };
}

const folders: string[] = [];

/** In memory where that is possible. */
export function tempFolder(): string {
  // Who names a folder for temporary files clears it up, too.
  const isFree = process.env["TMPDIR"] === undefined && existsSync("/dev/shm");
  const root = isFree ? "/dev/shm" : tmpdir();
  const folder = mkdtempSync(join(root, "sluice-front-"));
  folders.push(folder);
  return folder;
}

export function removeTempFolders(): void {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
}
