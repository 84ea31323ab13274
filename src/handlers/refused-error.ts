/** What a handler's `publish`, `subscribe` and shared dictionaries throw where a client would be refused. */
import type { Refusal } from "../http/errors.ts";

/** `status` and `code` are those of the error table. */
export class RefusedError extends Error {
  readonly status: number;
  readonly code: string;

  constructor({ status, code, explain }: Refusal) {
    super(explain === null || explain === "" ? code : explain);
    this.name = "RefusedError";
    this.status = status;
    this.code = code;
  }
}
