/**
 * What `import { Sluice } from "./sluice.js"` means here: page.ts puts the bundle of src/client in front of
 * the other modules.
 */
export * from "../../client/sluice.d.ts";
