/** Addresses to listen on, as a person can use them. For serve.ts and install.ts. */

/** A wildcard address cannot be typed into a browser. */
export function browsable(listen: string): string {
  if (listen.startsWith("unix:")) return listen;
  return `http://${listen.replace(/^(0\.0\.0\.0|\[::\]):/, "localhost:")}/`;
}
