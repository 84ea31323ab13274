/**
 * The dictionary that sluice keeps for itself wherever there is somebody's code: who runs the timers, and
 * whose answers are being made (src/handlers). No `[shared.NAME]` can have its name. Main makes it, workers
 * attach it.
 */
export const HANDLERS_OWN = { name: "@handlers", size: 1024 ** 2, isPersistent: false } as const;
