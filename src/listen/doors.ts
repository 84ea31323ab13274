/**
 * What a worker asks before it closes its listening sockets. A closed socket resets every connection that
 * waits in its queue, so somebody who can look there (supervisor/worker/worker-doors.ts) has to say when
 * nobody does. Without doors, in tests and embedded, they close at once. They are left alone while it has no
 * descriptors to accept anybody with (descriptor-watch.ts).
 */
export interface Closing {
  /** Others listen on the same addresses. */
  readonly isReload: boolean;
  /** Nothing is waited for longer. */
  readonly withinMs: number;
}

export interface Doors {
  /** Called once, when all of them listen. */
  opened(): void;
  /** Nobody is to be accepted for now; or whoever waits may come in again. */
  park(isParked: boolean): void;
  /** Resolves when the listening sockets may be closed; that is to be done in the same turn. */
  mayClose(closing: Closing): Promise<void>;
  /** They are. */
  closed(): void;
}
