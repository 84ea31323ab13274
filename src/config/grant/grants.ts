/** From checked values to what the model says of grants and issuers. Part of build.ts. */
import { resolve } from "node:path";
import { envName, isUrl, readPlace } from "../checks/access-checks.ts";
import type { GrantsConfig, IssuerConfig, TokenPlace } from "../model/access.ts";
import type { IssuerValues, LocationValues } from "../options.ts";

/**
 * null: nobody grants anything here, and nobody has to. Paths are relative to the folder of the
 * configuration.
 */
export function grantsOf(location: LocationValues, folder: string): GrantsConfig | null {
  const { token_issuers: issuers, publisher_keys_file: keysFile, auth_request: question } = location;
  if (location.require === "none" || !hasSource(location)) return null;
  return {
    places: location.token.map(readPlace).filter((place): place is TokenPlace => place !== null),
    issuers,
    keysFile: keysFile === null ? null : resolve(folder, keysFile),
    question:
      question === null
        ? null
        : {
            to: question,
            headers: location.auth_headers.map((name) => name.toLowerCase()),
            cacheMs: location.auth_cache,
            timeoutMs: location.auth_timeout,
          },
    isOptional: location.require === "optional",
    public: location.public,
  };
}

export const hasSource = (
  location: Pick<LocationValues, "token_issuers" | "publisher_keys_file" | "auth_request">,
): boolean =>
  location.token_issuers.length > 0 ||
  location.publisher_keys_file !== null ||
  location.auth_request !== null;

export const buildIssuer = (values: IssuerValues, folder: string): IssuerConfig => ({
  name: values.name,
  issuer: values.issuer,
  audience: values.audience,
  algorithms: values.algorithms,
  jwks: values.jwks === null || isUrl(values.jwks) ? values.jwks : resolve(folder, values.jwks),
  keyFile: values.key_file === null ? null : resolve(folder, values.key_file),
  keyVariable: values.key === null ? null : envName(values.key),
  subscribe: values.subscribe,
  publish: values.publish,
  skewSec: values.clock_skew,
});
