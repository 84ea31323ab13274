/** Checks of the options that say which proxies are believed. Called through the option table. */
import type { Issue } from "../fault.ts";
import { isNetwork } from "../location/location-lists.ts";

export function trustedProxiesIssues(texts: readonly string[]): readonly Issue[] {
  return texts.flatMap((text, index) => {
    if (text === "unix:" || isNetwork(text)) return [];
    return [{ suffix: `[${index}]`, value: text, sentence: trustedSentence(text) }];
  });
}

function trustedSentence(text: string): string {
  if (text === "all") return 'whoever connects would be believed; "0.0.0.0/0" and "::/0" are these networks.';
  if (text.startsWith("unix:")) return 'all unix sockets are "unix:", without a path.';
  return 'a trusted proxy is an address, a network such as "10.0.0.0/8", or "unix:".';
}

/** RFC 9110 5.1: a field name is a token. */
const FIELD_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

export function realIpHeaderIssues(name: string): readonly Issue[] {
  const issue = (sentence: string): Issue[] => [{ suffix: "", value: name, sentence }];
  if (/^proxy_protocol$/i.test(name))
    return issue("the PROXY protocol cannot be read here: let the proxy send X-Forwarded-For or Forwarded.");
  return FIELD_NAME.test(name) ? [] : issue("a header has a name, such as X-Forwarded-For.");
}
