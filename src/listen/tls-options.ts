/**
 * What Bun's sockets are told of a server's TLS beside its certificate. Used by the listeners of both doors.
 */
import { constants } from "node:crypto";
import type { TlsConfig } from "../config/model/server.ts";

const WITHOUT: Readonly<Record<string, number>> = {
  "TLSv1.2": constants.SSL_OP_NO_TLSv1_2,
  "TLSv1.3": constants.SSL_OP_NO_TLSv1_3,
};

export const certificatePair = ({ pem, certificate, key }: TlsConfig): Bun.TLSOptions =>
  pem === null
    ? { cert: Bun.file(certificate), key: Bun.file(key) }
    : { cert: pem.certificate, key: pem.key };

export function tlsTuning({ protocols, ciphers, prefersOwnCiphers }: TlsConfig): Bun.TLSOptions {
  let secureOptions = prefersOwnCiphers ? constants.SSL_OP_CIPHER_SERVER_PREFERENCE : 0;
  for (const [name, flag] of Object.entries(WITHOUT)) if (!protocols.includes(name)) secureOptions |= flag;
  return {
    ...(secureOptions === 0 ? {} : { secureOptions }),
    ...(ciphers === null ? {} : { ciphers }),
  };
}
