/** Part of the checked configuration (../model.ts): the TypeScript of users that a location runs. */

/** TypeScript files a location runs (handlers/): absolute paths, null where there is none. */
export interface CodeConfig {
  readonly handler: string | null;
  readonly authorize: string | null;
  readonly hooks: string | null;
  /** How long an answer may take to begin, and a guard or hook to speak. */
  readonly timeoutMs: number;
  /** How long an answer that nobody watches is still made. */
  readonly answerLingerMs: number;
  readonly answerMaxBytes: number;
  /** The handler reads the body of a request as it comes. */
  readonly isBodyStreamed: boolean;
}

/** A dictionary that the handlers of all workers share. */
export interface SharedConfig {
  readonly name: string;
  readonly size: number;
  /** It outlives a restart. */
  readonly isPersistent: boolean;
}
