/**
 * `/pushstream.js`: the browser client of pushstream-client.ts as one classic script, for locations with that
 * role. plugin.ts serves it. The bundle is made when this file is transpiled or compiled, never at run time.
 */
import { bundlePushStream } from "./pushstream/bundle.ts" with { type: "macro" };

const script = bundlePushStream();

/** JavaScript text, the same object each time. */
export const pushStreamScript = (): string => script;
