// The certificate of the rows with TLS, the same for all contenders: made anew for each run, P-256 as public
// ones mostly are.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Paths of PEM files. */
export interface Certificate {
  readonly folder: string;
  readonly chain: string;
  readonly key: string;
}

/** null where there is no openssl command. */
export function makeCertificate(): Certificate | null {
  if (Bun.which("openssl") === null) return null;
  const folder = mkdtempSync(join(tmpdir(), "sluice-bench-tls-"));
  const made = { folder, chain: join(folder, "chain.pem"), key: join(folder, "key.pem") };
  const kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const command = ["openssl", "req", ...kind, "-days", "2", "-subj", "/CN=localhost"];
  const result = Bun.spawnSync([...command, "-keyout", made.key, "-out", made.chain]);
  if (!result.success) throw new Error(`openssl: ${result.stderr.toString()}`);
  return made;
}

export function removeCertificate(certificate: Certificate): void {
  rmSync(certificate.folder, { recursive: true, force: true });
}
