/** One connection for all tabs of a browser. Guide: docs/clients.md. */
import { type Options, Sluice, SluiceError } from "./sluice.js";

export { SluiceError };

/**
 * As `new Sluice(url, options)`, but tabs of one browser that share an address have one connection among
 * them, that of one tab; another tab takes over when it closes. Where there are no Web Locks (Node, pages
 * without https) each has its own.
 */
export declare function share(url: string | URL, options?: Options): Sluice;
