/**
 * Everything that belongs to an installation, and where: the unit files and the configuration are embedded,
 * so that the executable alone can install itself. Used by install.ts, uninstall.ts and their plans; the
 * Debian package is made of the same texts.
 *
 * What a package manager owns lies in /usr; what an administrator installs by hand lies in /usr/local and
 * /etc. Hence the program's path in the units is replaced here.
 */
import instanceUnit from "../../systemd/sluice@.service" with { type: "text" };
import unit from "../../systemd/sluice.service" with { type: "text" };
import sysctl from "../../systemd/sluice.sysctl" with { type: "text" };
import sysusers from "../../systemd/sluice.sysusers" with { type: "text" };
import tmpfiles from "../../systemd/sluice.tmpfiles" with { type: "text" };
import config from "../../systemd/sluice.toml" with { type: "text" };
import { manualPages } from "./manual.ts";

export const BINARY = "/usr/local/bin/sluice";
export const UNIT = "sluice.service";
/** Every instance that is loaded. */
export const INSTANCES = "sluice@*.service";
export const UNIT_FOLDER = "/etc/systemd/system";
export const SYSUSERS = "/etc/sysusers.d/sluice.conf";
export const TMPFILES = "/etc/tmpfiles.d/sluice.conf";
export const SYSCTL = "/etc/sysctl.d/60-sluice.conf";
export const CONFIG_FOLDER = "/etc/sluice";
export const CONFIG = `${CONFIG_FOLDER}/sluice.toml`;
export const STATE_FOLDER = "/var/lib/sluice";
export const LOG_FOLDER = "/var/log/sluice";
export const USER = "sluice";
/** Where dpkg lists what a package called sluice has laid down. */
export const DPKG_LIST = "/var/lib/dpkg/info/sluice.list";

/** The path of the program in the unit files as they are in the repository and in the Debian package. */
const PACKAGED_BINARY = "/usr/bin/sluice";

export interface TextFile {
  readonly path: string;
  readonly text: string;
}

/**
 * Units and what makes the user and the folders; not the configuration, which belongs to the administrator.
 */
export const SYSTEM_FILES: readonly TextFile[] = [
  { path: SYSUSERS, text: sysusers },
  { path: TMPFILES, text: tmpfiles },
  { path: `${UNIT_FOLDER}/${UNIT}`, text: unit.replaceAll(PACKAGED_BINARY, BINARY) },
  { path: `${UNIT_FOLDER}/sluice@.service`, text: instanceUnit.replaceAll(PACKAGED_BINARY, BINARY) },
];

/** What the units name as their documentation; where man(1) looks for what was installed by hand. */
export const manualFiles = (): readonly TextFile[] =>
  Object.entries(manualPages()).map(([name, text]) => ({ path: manualPath(name), text }));

/** "sluice.toml.5" is in section 5. */
const manualPath = (name: string): string => `/usr/local/share/man/man${name.slice(-1)}/${name}`;

export const SYSCTL_FILE: TextFile = { path: SYSCTL, text: sysctl };
export const DEFAULT_CONFIG: string = config;
