/**
 * What a run has started and must not leave behind when somebody ends it: processes, and the folders of
 * their stores. Used by own-server.ts and own-engine.ts; cli/verify.ts clears it up at a signal.
 */
interface Disposable {
  dispose(): Promise<void>;
}

/** What a run stands on could not be started: nothing was tried. */
export class StartFault extends Error {}

const running = new Set<Disposable>();
let isOver = false;

export function started(one: Disposable): void {
  running.add(one);
}

export function ended(one: Disposable): void {
  running.delete(one);
}

/** The run is being ended: nothing is started any more. */
export const isClearing = (): boolean => isOver;

export async function clearUp(): Promise<void> {
  isOver = true;
  await Promise.allSettled([...running].map((one) => one.dispose()));
}
