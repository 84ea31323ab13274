/**
 * What `sluice uninstall` takes away on a given machine: decided here, without side effects. Called by
 * uninstall.ts.
 *
 * Without `purge` whatever holds somebody's data stays: a configuration that was edited, drop-ins, a store
 * with a path, logs. And the user with them, since files of a user that is gone would fall to whoever gets
 * its number next.
 */

import type { Place } from "./installation-place.ts";
import type { Step } from "./installation-steps.ts";
import {
  BINARY,
  CONFIG,
  CONFIG_FOLDER,
  DEFAULT_CONFIG,
  INSTANCES,
  LOG_FOLDER,
  manualFiles,
  STATE_FOLDER,
  SYSCTL,
  SYSTEM_FILES,
  UNIT,
  UNIT_FOLDER,
  USER,
} from "./installed-files.ts";

const INSTANCE = /^sluice@.*\.service$/;
const DROP_INS = /^sluice(?:@.*)?\.service\.d$/;
const ENVIRONMENTS = /^sluice(?:-.*)?$/;

export function planUninstall(place: Place, purge: boolean): Step[] {
  const own = [...SYSTEM_FILES, ...manualFiles()].map(({ path }) => path).concat(SYSCTL, `${CONFIG}.new`);
  const data = dataOf(place);
  const isLeft = !purge && data.length > 0;
  return [
    ...(place.isMachine ? stopSteps : []),
    ...place.enabledLinks(/^sluice(?:@.*)?\.service$/).map((path) => removal(place, path)),
    ...own.filter((path) => place.exists(path)).map((path) => removal(place, path)),
    ...(place.isMachine ? forgetSteps : []),
    ...configSteps(place),
    ...data.map(
      (path): Step =>
        purge
          ? removal(place, path)
          : { kind: "keep", path: place.path(path), why: "data; --purge removes it" },
    ),
    ...[CONFIG_FOLDER, STATE_FOLDER, LOG_FOLDER].map(
      (path): Step => ({ kind: "remove-empty", path: place.path(path) }),
    ),
    ...(place.isMachine && !isLeft ? userSteps : []),
    ...(place.exists(BINARY) ? [removal(place, BINARY)] : []),
  ];
}

const removal = (place: Place, path: string): Step => ({ kind: "remove", path: place.path(path) });

const stopSteps: readonly Step[] = [
  { kind: "run", command: ["systemctl", "stop", UNIT, INSTANCES], mayFail: true },
];

const forgetSteps: readonly Step[] = [
  { kind: "run", command: ["systemctl", "daemon-reload"] },
  // Nothing to reset is a failure to it.
  { kind: "run", command: ["systemctl", "reset-failed", UNIT, INSTANCES], mayFail: true },
];

/** Not there any more after a second run. */
const userSteps: readonly Step[] = [{ kind: "run", command: ["userdel", USER], mayFail: true }];

/** As it came, it is no data. */
const configSteps = (place: Place): Step[] =>
  place.text(CONFIG) === DEFAULT_CONFIG ? [removal(place, CONFIG)] : [];

/** What an administrator or the service has put there. */
function dataOf(place: Place): string[] {
  const config = place.matching(CONFIG_FOLDER, /./).filter((path) => path !== `${CONFIG}.new`);
  return [
    ...config.filter((path) => path !== CONFIG || place.text(CONFIG) !== DEFAULT_CONFIG),
    ...place.matching("/etc/default", ENVIRONMENTS),
    ...place.matching(UNIT_FOLDER, DROP_INS),
    ...place.matching(UNIT_FOLDER, INSTANCE).filter((path) => !path.endsWith("/sluice@.service")),
    ...place.matching(STATE_FOLDER, /./),
    ...place.matching(LOG_FOLDER, /./),
  ];
}
