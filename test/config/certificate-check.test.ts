/**
 * Certificates that are not there, are none, or do not fit their key are found by `check`, with the line
 * (config/checks/certificate-check.ts).
 */
import { afterAll, expect, test } from "bun:test";
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { formatFault } from "../../src/config/fault.ts";
import { loadConfig } from "../../src/config/load.ts";

const folder = mkdtempSync(join(tmpdir(), "sluice-certificates-"));
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

const SSL = join(import.meta.dir, "nginx/corpus/ssl");
const CERTIFICATE = join(SSL, "push.example.org.pem");
const KEY = join(SSL, "push.example.org.key");
const other = join(folder, "other.key");
const text = join(folder, "text.pem");
const broken = join(folder, "broken.pem");
writeFileSync(
  other,
  generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ type: "pkcs8", format: "pem" }),
);
writeFileSync(text, "not PEM at all\n");
writeFileSync(broken, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");

const CASES: readonly (readonly [
  certificate: string,
  key: string,
  more: string,
  line: number,
  part: string,
])[] = [
  [join(folder, "none.pem"), KEY, "", 4, "there is no such file."],
  [CERTIFICATE, join(folder, "none.key"), "", 5, "there is no such file."],
  [text, KEY, "", 4, "it is no certificate in PEM form"],
  [broken, KEY, "", 4, "it is no certificate in PEM form"],
  [KEY, KEY, "", 4, "it is no certificate in PEM form"],
  [CERTIFICATE, CERTIFICATE, "", 5, "it is no private key in PEM form"],
  [CERTIFICATE, other, "", 5, "it is not the key of the certificate."],
  [CERTIFICATE, KEY, "ssl_ciphers nonsense;", 6, "no ciphers"],
  [CERTIFICATE, KEY, "ssl_protocols TLSv1.1;", 6, "without TLSv1.2 or TLSv1.3 is not supported"],
  [CERTIFICATE, KEY, "ssl_protocols TLSv1.4;", 6, 'invalid value "TLSv1.4"'],
];

const conf = (certificate: string, key: string, more: string): string =>
  `http {\nserver {\nlisten 127.0.0.1:1 ssl;\nssl_certificate ${certificate};\n` +
  `ssl_certificate_key ${key};\n${more}\nreturn 204;\n}\n}\n`;

function faultsOf(content: string): readonly string[] {
  const file = join(folder, "nginx.conf");
  writeFileSync(file, content);
  const loaded = loadConfig({ file });
  return loaded.ok ? [] : loaded.faults.map((fault) => formatFault(fault).replace(`${file}:`, ""));
}

test.each(CASES)("%s %s %s", (certificate, key, more, line, part) => {
  const faults = faultsOf(conf(certificate, key, more));
  expect(faults).toHaveLength(1);
  expect(faults[0]).toStartWith(`${line}: `);
  expect(faults[0]).toContain(part);
});

test("a good pair is good, with protocols and ciphers", () => {
  const more =
    "ssl_protocols TLSv1 TLSv1.2 TLSv1.3; ssl_ciphers HIGH:!aNULL:!MD5; ssl_prefer_server_ciphers on;";
  expect(faultsOf(conf(CERTIFICATE, KEY, more))).toEqual([]);
});
