/**
 * Which layout of the store file this program reads and writes: told by `sluice version`, whose folder may
 * not import the store.
 */
export { LAYOUT_VERSION as STORE_LAYOUT } from "../../store/memory/layout.ts";
