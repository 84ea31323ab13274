/**
 * What `sluice install` does on a given machine: decided here, without side effects. Called by install.ts.
 *
 * Running it again finds everything in place and only starts what does not run; with a newer program it
 * replaces what changed and restarts.
 */
import { statSync } from "node:fs";
import type { Place } from "./installation-place.ts";
import type { Step } from "./installation-steps.ts";
import {
  BINARY,
  CONFIG,
  DEFAULT_CONFIG,
  INSTANCES,
  manualFiles,
  SYSCTL,
  SYSCTL_FILE,
  SYSTEM_FILES,
  SYSUSERS,
  TMPFILES,
  UNIT,
} from "./installed-files.ts";

export interface InstallRequest {
  /** The executable to install. */
  readonly binary: string;
  /** The configuration for a machine that has none; without it the default. Already checked. */
  readonly config?: string | undefined;
  readonly start: boolean;
  /** Whether to raise the kernel's limits as well. */
  readonly sysctl: boolean;
}

/** Not in any folder of commands. */
const SYSCTL_PROGRAM = "/usr/lib/systemd/systemd-sysctl";
const JOURNAL = ["journalctl", "--unit", UNIT, "--lines", "20", "--no-pager", "--output", "cat"];

export function planInstall(place: Place, request: InstallRequest): Step[] {
  const files = [
    fileStep(place, BINARY, 0o755, { from: request.binary }),
    ...[...SYSTEM_FILES, ...manualFiles()].map(({ path, text }) => fileStep(place, path, 0o644, { text })),
  ];
  const isChange = files.some((step) => step.kind === "write" && step.isChange);
  return [
    ...files,
    ...(place.isMachine ? userSteps : []),
    configStep(place, request.config ?? DEFAULT_CONFIG),
    ...(request.sysctl ? sysctlSteps(place) : []),
    ...(place.isMachine ? serviceSteps(place, isChange, request.start) : imageSteps(place)),
  ];
}

function fileStep(
  place: Place,
  path: string,
  mode: number,
  source: { text: string } | { from: string },
): Step {
  const bytes = "text" in source ? Buffer.byteLength(source.text) : statSync(source.from).size;
  const isChange = !place.holds(path, mode, source);
  return { kind: "write", path: place.path(path), mode, bytes, source, isChange };
}

const userSteps: readonly Step[] = [
  { kind: "run", command: ["systemd-sysusers", SYSUSERS] },
  { kind: "run", command: ["systemd-tmpfiles", "--create", TMPFILES] },
];

/**
 * A configuration that is there is never touched. What would have been written lies beside it, for the
 * administrator to compare.
 */
function configStep(place: Place, text: string): Step {
  const found = place.text(CONFIG);
  if (found === text) return { kind: "keep", path: place.path(CONFIG), why: "it is there already" };
  // Its folder is closed to others.
  return fileStep(place, found === null ? CONFIG : `${CONFIG}.new`, 0o644, { text });
}

function sysctlSteps(place: Place): Step[] {
  const file = fileStep(place, SYSCTL_FILE.path, 0o644, { text: SYSCTL_FILE.text });
  // Not every kernel has every key, and a container may not set them.
  return place.isMachine ? [file, { kind: "run", command: [SYSCTL_PROGRAM, SYSCTL], mayFail: true }] : [file];
}

function serviceSteps(place: Place, isChange: boolean, start: boolean): Step[] {
  const steps: Step[] = [
    { kind: "run", command: ["systemctl", "daemon-reload"] },
    { kind: "run", command: ["systemctl", "enable", UNIT] },
  ];
  if (!start) return steps;
  // `start` blocks until the service says that it is ready; on a running one it does nothing.
  const verb = isChange && place.isActive() ? "restart" : "start";
  steps.push({ kind: "run", command: ["systemctl", verb, UNIT], onFailure: JOURNAL });
  if (isChange)
    steps.push({ kind: "run", command: ["systemctl", "try-restart", INSTANCES], onFailure: JOURNAL });
  return steps;
}

/** The user and the folders are made when the tree is booted. */
function imageSteps(place: Place): Step[] {
  return [{ kind: "run", command: ["systemctl", `--root=${place.prefix}`, "enable", UNIT] }];
}
