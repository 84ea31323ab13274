/** Part of the checked configuration (../model.ts): who may do what: addresses, passwords, grants, rates. */

/** `allow` and `deny`, in the order of the file; the first that matches decides. */
export interface AccessRule {
  readonly allow: boolean;
  /** `all`, `unix:`, an address or a network in CIDR form. */
  readonly network: string;
}

export interface AuthConfig {
  readonly realm: string;
  /** In htpasswd form. */
  readonly userFile: string;
}

/** Who may come with other methods than these. */
export interface LimitExcept {
  /** In capitals; GET allows HEAD. */
  readonly methods: readonly string[];
  readonly access: readonly AccessRule[];
  readonly auth: AuthConfig | null;
}

/** A place in a request where a token may be. */
export interface TokenPlace {
  readonly kind: "header" | "protocol" | "cookie" | "query";
  /** Of the cookie or argument. */
  readonly name: string;
}

/** Who decides about requests that bring neither token nor key: an address, or a path of this server. */
export interface QuestionConfig {
  readonly to: string;
  readonly headers: readonly string[];
  /** 0: each time. */
  readonly cacheMs: number;
  readonly timeoutMs: number;
}

/** Where the grants of a location come from; src/access has the rest. */
export interface GrantsConfig {
  readonly places: readonly TokenPlace[];
  /** Names in Config.issuers. */
  readonly issuers: readonly string[];
  readonly keysFile: string | null;
  readonly question: QuestionConfig | null;
  readonly isOptional: boolean;
  /** Patterns. */
  readonly public: readonly string[];
}

/** Whoever signs tokens. Of `jwks`, `keyFile` and `keyVariable` one is set. */
export interface IssuerConfig {
  readonly name: string;
  /** null: any. */
  readonly issuer: string | null;
  /** Empty: any. */
  readonly audience: readonly string[];
  readonly algorithms: readonly string[];
  /** URL or path. */
  readonly jwks: string | null;
  readonly keyFile: string | null;
  /** Of the environment. */
  readonly keyVariable: string | null;
  /** Patterns, beside those of its tokens. */
  readonly subscribe: readonly string[];
  readonly publish: readonly string[];
  readonly skewSec: number;
}

/** Requests that one may make. */
export interface RateConfig {
  readonly perSec: number;
  /** At once. */
  readonly most: number;
  readonly status: number;
}
