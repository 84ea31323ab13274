/**
 * Makes the Debian package out of a built executable, dist/sluice_VERSION_ARCH.deb, and the npm package of
 * the client. Called by `bun run package`; an argument chooses another executable of dist/release
 * (`linux-arm64`). Needs dpkg-deb; debhelper would bring little to one binary and much to install.
 *
 * Nothing in it depends on when or where it is made: times are the commit's, owners root's, order dpkg-deb's
 * own. So one commit gives one file.
 */
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { description, version } from "../package.json";
import { completionScript, SHELLS, type Shell } from "../src/cli/completions.ts";
import { manualPages } from "../src/cli/manual.ts";
import { buildProgram } from "../src/cli/program.ts";
import { writeChecksum } from "./checksum.ts";
import { makeClientPackage } from "./client-package.ts";
import { commitSeconds, root } from "./compile.ts";

export const ARCHITECTURES: Readonly<Record<string, string>> = {
  x64: "amd64",
  arm64: "arm64",
  "linux-x64": "amd64",
  "linux-arm64": "arm64",
};
const COMPLETIONS: Readonly<Record<Shell, string>> = {
  bash: "/usr/share/bash-completion/completions/sluice",
  zsh: "/usr/share/zsh/vendor-completions/_sluice",
  fish: "/usr/share/fish/vendor_completions.d/sluice.fish",
};
const MAINTAINER = "The sluice authors <maintainers@sluice.invalid>";

export interface PackageRequest {
  readonly binary: string;
  /** Debian's name of it. */
  readonly architecture: string;
  readonly version: string;
  /** The folder the .deb goes to. */
  readonly folder: string;
  /** Packing takes seconds; tests do without. */
  readonly compress: boolean;
}

/** Writes the package and its checksum; returns its path. Throws with dpkg-deb's words when it fails. */
export function makePackage(request: PackageRequest): string {
  mkdirSync(request.folder, { recursive: true });
  const tree = mkdtempSync(join(request.folder, ".package-"));
  try {
    layDown(tree, request);
    settle(tree);
    const file = join(request.folder, `sluice_${request.version}_${request.architecture}.deb`);
    // xz is what every dpkg reads; its lowest level is five times faster than the usual one and costs a tenth
    // in size.
    const packing = request.compress ? ["-Zxz", "-z1"] : ["-Znone"];
    const run = Bun.spawnSync(["dpkg-deb", "--build", "--root-owner-group", ...packing, tree, file], {
      env: { ...process.env, SOURCE_DATE_EPOCH: String(commitSeconds()) },
      stdout: "ignore",
      stderr: "pipe",
    });
    if (!run.success) throw new Error(`dpkg-deb: ${run.stderr}`);
    writeChecksum(file);
    return file;
  } finally {
    rmSync(tree, { recursive: true, force: true });
  }
}

function layDown(tree: string, request: PackageRequest): void {
  const put = (path: string, text: string | Uint8Array, mode = 0o644): void => {
    mkdirSync(dirname(join(tree, path)), { recursive: true });
    writeFileSync(join(tree, path), text);
    chmodSync(join(tree, path), mode);
  };
  const copy = (path: string, from: string, mode = 0o644): void => {
    mkdirSync(dirname(join(tree, path)), { recursive: true });
    copyFileSync(join(root, from), join(tree, path));
    chmodSync(join(tree, path), mode);
  };
  mkdirSync(join(tree, "usr/bin"), { recursive: true });
  copyFileSync(request.binary, join(tree, "usr/bin/sluice"));
  chmodSync(join(tree, "usr/bin/sluice"), 0o755);
  copy("/usr/lib/systemd/system/sluice.service", "systemd/sluice.service");
  copy("/usr/lib/systemd/system/sluice@.service", "systemd/sluice@.service");
  copy("/usr/lib/sysusers.d/sluice.conf", "systemd/sluice.sysusers");
  copy("/usr/lib/tmpfiles.d/sluice.conf", "systemd/sluice.tmpfiles");
  copy("/etc/sluice/sluice.toml", "systemd/sluice.toml");
  copy("/usr/share/doc/sluice/examples/sluice.sysctl", "systemd/sluice.sysctl");
  copy("/usr/share/doc/sluice/copyright", "systemd/debian/copyright");
  copy("/usr/share/lintian/overrides/sluice", "systemd/debian/lintian-overrides");
  put("/usr/share/doc/sluice/changelog.gz", compressed(changelog(request.version)));
  const day = new Date(commitSeconds() * 1000).toISOString().slice(0, 10);
  for (const [name, text] of Object.entries(manualPages(day)))
    put(`/usr/share/man/man${name.slice(-1)}/${name}.gz`, compressed(text));
  for (const shell of SHELLS)
    put(
      COMPLETIONS[shell],
      completionScript(
        buildProgram(() => undefined),
        shell,
      ),
    );
  for (const script of ["postinst", "prerm", "postrm"])
    copy(`/DEBIAN/${script}`, `systemd/debian/${script}`, 0o755);
  put("/DEBIAN/conffiles", "/etc/sluice/sluice.toml\n");
  put("/DEBIAN/md5sums", checksums(tree));
  put("/DEBIAN/control", control(request, installedKibibytes(tree)));
}

function control(request: PackageRequest, kibibytes: number): string {
  return `Package: sluice
Version: ${request.version}
Architecture: ${request.architecture}
Maintainer: ${MAINTAINER}
Installed-Size: ${kibibytes}
Depends: libc6 (>= 2.17), systemd (>= 248), init-system-helpers (>= 1.52)
Section: httpd
Priority: optional
Description: ${description.split(": ")[0]?.toLowerCase()}
 A push server in one executable: a backend publishes messages to channels over
 HTTP, and everyone subscribed receives them by WebSocket, Server-Sent Events,
 chunked stream, long polling or polling. Messages are kept for a while, so that
 whoever comes back gets what it missed. Reads configurations of the nginx push
 stream module as well.
`;
}

function changelog(packageVersion: string): string {
  const date = new Date(commitSeconds() * 1000).toUTCString().replace("GMT", "+0000");
  return `sluice (${packageVersion}) stable; urgency=medium

  * Built from the sources of sluice ${version}; what changed is told there.

 -- ${MAINTAINER}  ${date}
`;
}

/** As gzip --no-name, or its time would be in it. */
const compressed = (text: string): Uint8Array => Bun.gzipSync(Buffer.from(text), { level: 9 });

function filesBelow(tree: string): string[] {
  return readdirSync(tree, { recursive: true, encoding: "utf8" })
    .filter((path) => !path.startsWith("DEBIAN") && statSync(join(tree, path)).isFile())
    .sort();
}

/** dpkg compares installed files with these on request; conffiles have sums of their own. */
function checksums(tree: string): string {
  const sumOf = (path: string): string =>
    new Bun.CryptoHasher("md5").update(readFileSync(join(tree, path))).digest("hex");
  return filesBelow(tree)
    .filter((path) => !path.startsWith("etc/"))
    .map((path) => `${sumOf(path)}  ${path}\n`)
    .join("");
}

const installedKibibytes = (tree: string): number =>
  filesBelow(tree).reduce((total, path) => total + Math.ceil(statSync(join(tree, path)).size / 1024), 0);

/** Modes and times that do not depend on the umask and the hour. */
function settle(tree: string): void {
  const seconds = commitSeconds();
  for (const path of ["", ...readdirSync(tree, { recursive: true, encoding: "utf8" })]) {
    const full = join(tree, path);
    if (statSync(full).isDirectory()) chmodSync(full, 0o755);
    utimesSync(full, seconds, seconds);
  }
}

if (import.meta.main) {
  const asked = process.argv[2];
  const architecture = ARCHITECTURES[asked ?? process.arch];
  if (architecture === undefined || Bun.which("dpkg-deb") === null) {
    console.error(
      architecture === undefined
        ? `no Debian architecture for ${asked ?? process.arch}`
        : "dpkg-deb is missing: apt-get install dpkg",
    );
    process.exit(1);
  }
  const binary = join(root, "dist", asked === undefined ? "sluice" : `release/sluice-${asked}`);
  console.log(makePackage({ binary, architecture, version, folder: join(root, "dist"), compress: true }));
  console.log(makeClientPackage(join(root, "dist")));
}
