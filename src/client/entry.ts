/**
 * The entry of /sluice.js and of the package sluice-client; what is exported is declared in sluice.d.ts. No
 * server code is imported.
 */
export { Sluice } from "./client.ts";
export { SluiceError } from "./subscription.ts";
