/**
 * `sluice convert --keep-nginx FILE --out DIR`: writes what config/nginx/keep makes of an nginx.conf, and
 * prints how to put it in place, how to try it and how to go back. Nothing outside DIR is touched.
 */
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { formatFault } from "../config/fault.ts";
import type { EditedFile } from "../config/nginx/keep/edited-files.ts";
import { type Split, splitNginx } from "../config/nginx/keep/split.ts";
import { commentText } from "../config/nginx/print-toml.ts";
import { ExitCode, usageFault } from "./failure.ts";
import { writeNote, writeOut } from "./output.ts";

export interface KeepOptions {
  readonly out: string;
  readonly address: string;
}

const ADDRESS = /^(?:127\.\d+\.\d+\.\d+:\d{1,5}|unix:\/\S+)$/;

/** Returns the exit code: 0, or 2 for faults, of which each has a line; then nothing is written. */
export function convertKeepCommand(file: string, { out, address }: KeepOptions): number {
  if (!ADDRESS.test(address))
    throw usageFault(`${address}: it is 127.0.0.1:PORT or unix:/path, where nobody but nginx comes in.`);
  if (existsSync(out) && readdirSync(out).length > 0) throw usageFault(`${out} is not empty.`);
  const split = splitNginx({ file, address });
  if (split.faults.length > 0) {
    for (const fault of split.faults) writeNote(`${formatFault(fault)}\n`);
    writeNote(`${file}: ${split.faults.length} fault${split.faults.length === 1 ? "" : "s"}\n`);
    return ExitCode.USAGE;
  }
  const folder = dirname(resolve(file));
  const written = split.files.flatMap((edited) => placed(edited, folder, out));
  for (const { path, bytes } of written) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, bytes);
  }
  const toml = join(out, "sluice.toml");
  writeFileSync(toml, `${commentText(`Push of ${resolve(file)}, behind nginx.`)}\n\n${split.toml}`);
  writeOut(report(split, file, out, written));
  return ExitCode.OK;
}

interface Written {
  /** In DIR. */
  readonly path: string;
  readonly bytes: Uint8Array;
  /** Where it goes. */
  readonly home: string;
  readonly isChanged: boolean;
  readonly isOutside: boolean;
}

/** Of files outside the folder of the configuration only what changes. */
function placed({ file, bytes, isChanged }: EditedFile, folder: string, out: string): readonly Written[] {
  const home = resolve(file);
  const inside = relative(folder, home);
  const isOutside = inside.startsWith("..") || inside.startsWith("/");
  if (isOutside && !isChanged) return [];
  const path = isOutside ? join(out, "elsewhere", home) : join(out, "nginx", inside);
  return [{ path, bytes, home, isChanged, isOutside }];
}

function report(split: Split, file: string, out: string, written: readonly Written[]): string {
  const folder = dirname(resolve(file));
  const nginx = join(out, "nginx");
  const elsewhere = written.filter(({ isOutside }) => isOutside);
  const count = split.moved.length;
  return `${[
    `${count} push location${count === 1 ? "" : "s"} moved to sluice, which listens on ` +
      `${split.addresses.join(" and ")}:`,
    ...split.moved.map((text) => `  ${text}`),
    "",
    "Written:",
    `  ${join(out, "sluice.toml")}`,
    ...written.map(({ path, isChanged }) => `  ${path}${isChanged ? "  (changed)" : ""}`),
    ...(split.notes.length === 0 ? [] : ["", "To know:", ...split.notes.map((note) => `  ${note}`)]),
    "",
    "Install sluice (its configuration is checked first):",
    `  sluice check ${join(out, "sluice.toml")}`,
    `  sudo sluice install --config ${join(out, "sluice.toml")}`,
    "",
    "Put nginx's part in place. It needs no push stream module any more, so any nginx will do:",
    `  sudo cp -a ${folder} ${folder}.before-sluice`,
    `  sudo cp -r ${nginx}/. ${folder}/`,
    ...elsewhere.flatMap(({ path, home }) => [
      `  sudo cp -a ${home} ${home}.before-sluice`,
      `  sudo cp ${path} ${home}`,
    ]),
    "  sudo nginx -t && sudo systemctl restart nginx",
    "",
    "Try it, with paths of yours:",
    "  curl -si 'http://localhost/SUBSCRIBER?…' -m 5         # a subscriber waits",
    "  curl -si 'http://localhost/PUBLISHER?id=…' -d hello   # and gets this",
    "  curl -s  'http://localhost/STATISTICS'",
    "",
    "Go back:",
    `  sudo rm -r ${folder} && sudo mv ${folder}.before-sluice ${folder}`,
    ...elsewhere.map(({ home }) => `  sudo mv ${home}.before-sluice ${home}`),
    "  sudo nginx -t && sudo systemctl restart nginx",
    "  sudo sluice uninstall",
  ].join("\n")}\n`;
}
