/** What the requests of one location of role `proxy` have in common. Made by endpoint.ts, used by pass.ts. */

import type { ProxyConfig } from "../config/model/proxy.ts";
import type { LocationConfig } from "../config/model.ts";
import { errorPage } from "../front/error-page.ts";
import type { Answer } from "../http/direct-answer.ts";
import { type AnswerFields, compileAnswerFields } from "./answer-fields.ts";
import type { Asking } from "./asking.ts";
import type { ResponseHead } from "./response-head.ts";
import { type GoneOver, goOver } from "./tunnel.ts";
import type { Watch } from "./watch.ts";

const LEAST_ERROR = 300;

export class Route {
  readonly proxy: ProxyConfig;
  readonly watch: Watch;
  /** 0: no limit. */
  readonly maxBodyBytes: number;
  readonly answerFields: AnswerFields;
  readonly #pages: ReadonlySet<number>;

  constructor(location: LocationConfig, proxy: ProxyConfig, watch: Watch) {
    this.proxy = proxy;
    this.watch = watch;
    this.maxBodyBytes = location.maxBodyBytes;
    this.answerFields = compileAnswerFields(location, proxy);
    this.#pages = new Set(location.errorPages.flatMap(({ statuses }) => statuses));
  }

  /** A page of the location that stands for the backend's answer; null: none does. */
  pageFor({ status, fields }: ResponseHead): Answer | null {
    if (!this.proxy.interceptsErrors || status < LEAST_ERROR || !this.#pages.has(status)) return null;
    // nginx: the challenge stays.
    const challenge = fields.filter(([, , name]) => status === 401 && name === "www-authenticate");
    return errorPage(status, Object.fromEntries(challenge.map(([name, value]) => [name, value])));
  }

  /** nginx would answer from another location: to pass the head on without that would be an empty page. */
  isRedirectInside({ fields }: ResponseHead): boolean {
    return fields.some(([, , name]) => name === "x-accel-redirect");
  }

  goOver(asking: Asking, head: ResponseHead, gone: GoneOver): Answer | null {
    return goOver(asking, head, gone);
  }
}
