/**
 * Tells tsc that everything in client/ is text to us: page.ts embeds those files with `with { type: "text"
 * }`. The browser code itself is checked with the DOM library by client/tsconfig.json; it must not leak
 * `document` into the server's types.
 */
declare module "./client/*" {
  const text: string;
  export default text;
}

declare module "./examples/*" {
  const text: string;
  export default text;
}
