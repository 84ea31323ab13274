/** What event-sources.test.ts uses of a library that has no types. */
declare module "event-source-polyfill" {
  export class EventSourcePolyfill {
    constructor(url: string, options?: { headers?: Record<string, string> });
    onmessage: ((event: { data: string }) => void) | null;
    close(): void;
  }
}
