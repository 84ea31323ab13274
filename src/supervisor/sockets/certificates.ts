/**
 * Certificates of TLS: main reads them, workers are handed what main read, and main looks whether the files
 * have changed. Used by supervisor.ts.
 *
 * The runtime cannot change the certificate of an open listener (its `reload` leaves TLS as it is), so a
 * change is a new generation of workers, as with HUP. That a worker has the text and not the path means that
 * one that is started again, after a crash, shows what its siblings show, whatever somebody has left on the
 * disk meanwhile.
 */
import { readFileSync, statSync } from "node:fs";
import { certificateIssues } from "../../config/checks/certificate-check.ts";
import type { TlsConfig } from "../../config/model/server.ts";
import type { Config } from "../../config/model.ts";
import { log } from "../../log.ts";

export const CERTIFICATE_LOOK_MS = 1000;
/** A chain of certificates has some 10 kB; what is larger is something else. */
const MAX_PEM_BYTES = 1 << 20;

/**
 * With the text of those that have none yet. What main cannot read a worker tries itself, and says what is
 * wrong with it.
 */
export const withCertificates = (config: Config): Config =>
  mapTls(config, (tls) => (tls.pem === null ? { ...tls, pem: read(tls) } : tls));

/**
 * The files are polled, not watched: `live/` of certbot has links to links, of which inotify would tell
 * nothing.
 */
export class CertificateWatch {
  /** What the files looked like at the last look, and when they were last judged. */
  #seen = "";
  #judged = "";

  /**
   * The configuration with the new certificates, once the files have been left alone between two looks; null:
   * there are none that can be served. What is wrong with a changed file is told once.
   */
  look(config: Config): Config | null {
    const all = config.listeners.flatMap(({ tls }) => tls);
    const now = [...new Set(all.flatMap(({ certificate, key }) => [certificate, key]))].map(shape).join("\n");
    if (now === this.#judged) return null;
    if (now !== this.#seen) {
      this.#seen = now;
      return null;
    }
    this.#judged = now;
    return renewed(config);
  }
}

/** A pair that is faulty stays as it was, and does not keep the others from being renewed. */
function renewed(config: Config): Config | null {
  const told = new Set<string>();
  let isNew = false;
  const next = mapTls(config, (tls) => {
    const pem = read(tls);
    if (pem !== null && pem.certificate === tls.pem?.certificate && pem.key === tls.pem.key) return tls;
    const why = pem === null ? "the files cannot be read." : certificateIssues(tls)[0]?.sentence;
    const isTold = told.has(tls.certificate);
    told.add(tls.certificate);
    if (why !== undefined) {
      if (!isTold)
        log("error", "changed certificate refused; the old one goes on", { file: tls.certificate, why });
      return tls;
    }
    isNew = true;
    if (!isTold) log("info", "certificate changed on disk", { file: tls.certificate });
    return { ...tls, pem };
  });
  return isNew ? next : null;
}

const mapTls = (config: Config, change: (tls: TlsConfig) => TlsConfig): Config => ({
  ...config,
  listeners: config.listeners.map((listener) => ({ ...listener, tls: listener.tls.map(change) })),
});

function read({ certificate, key }: TlsConfig): TlsConfig["pem"] {
  try {
    if ([certificate, key].some((path) => statSync(path).size > MAX_PEM_BYTES)) return null;
    return { certificate: readFileSync(certificate, "latin1"), key: readFileSync(key, "latin1") };
  } catch {
    return null; // gone, or not ours to read: the caller says so
  }
}

/** Of the file at the end of all links. */
function shape(path: string): string {
  try {
    const { ino, size, mtimeMs, ctimeMs } = statSync(path);
    return `${ino} ${size} ${mtimeMs} ${ctimeMs}`;
  } catch {
    return "none"; // between the old file and the new one
  }
}
