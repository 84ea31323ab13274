/**
 * Part of the checked configuration (../model.ts): what runs before a location answers, in the order of the
 * file, and what may stand for its answer.
 */

/**
 * One `[[location.step]]` or `[[server.step]]`: nginx's `if`, `set`, `rewrite`, `return` and `break`, in the
 * order of the file.
 */
export interface StepConfig {
  /**
   * What stands between the parentheses of nginx's `if`: `$arg_test`, `$arg_qs = "on"`, `$http_user_agent ~*
   * "msie"`; null: always.
   */
  readonly condition: string | null;
  /** `$name value`, each. The value is a complex value. */
  readonly set: readonly string[];
  /** `regex replacement [flag]`, each, tried after what is set. */
  readonly rewrite: readonly string[];
  /** `403`, `200 text`, `301 https://…`, or a URL alone (302); null: goes on. */
  readonly return: string | null;
  readonly isBreak: boolean;
  /** Index in Config.locations of the location as this step changes it; -1: it changes nothing. */
  readonly variant: number;
}

/** One `[[map]]`: a variable that follows from another text. */
export interface MapConfig {
  /** Complex value. */
  readonly from: string;
  /** Without `$`, in lower case. */
  readonly to: string;
  /** `pattern value`, each. */
  readonly cases: readonly string[];
  readonly default: string;
  readonly hostnames: boolean;
}

/** Where a location sends what it answers with one of these statuses. */
export interface ErrorPageConfig {
  readonly statuses: readonly number[];
  /** What the answer's status becomes; 0: what the page answers, null: stays as it was. */
  readonly status: number | null;
  /** A path of this server, "@name", or a URL; complex value. */
  readonly target: string;
}
