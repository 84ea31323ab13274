/**
 * Which signal means what, for main and for a worker, and the other thing the outside may do to a process: stop listening.
 *
 * QUIT is TERM for now; the slower nginx QUIT of push-stream spec 8.2 comes with the push stream issue.
 */
export interface MainSignals {
  /** TERM, INT, QUIT: the first one drains, a second one does not wait. */
  stop(signal: string): void;
  /** HUP: read the config again. */
  reload(): void;
}

/** Routes the signals of main; the answer takes the routes away again. */
export function listenForSignals(actions: MainSignals): () => void {
  const stop = (signal: NodeJS.Signals): void => actions.stop(signal);
  const reload = (): void => actions.reload();
  process.on("SIGTERM", stop).on("SIGINT", stop).on("SIGQUIT", stop).on("SIGHUP", reload);
  return () => {
    process.off("SIGTERM", stop).off("SIGINT", stop).off("SIGQUIT", stop).off("SIGHUP", reload);
  };
}

/**
 * When nobody reads the log any more (`sluice serve 2>&1 | head`), writing it fails with EPIPE. That is no reason to stop
 * serving, nor to die and come back for ever: the lines are lost, everything else goes on.
 */
export function outliveLogReader(): void {
  process.stderr.on("error", () => undefined);
}

/**
 * A terminal sends Ctrl-C, Ctrl-\ and its hang-up to the whole process group. Main answers for all, so a worker stays deaf to
 * those; TERM straight to a worker drains that worker alone.
 */
export function listenForWorkerSignals(drain: () => void): void {
  const deaf = (): void => undefined;
  process.on("SIGINT", deaf).on("SIGQUIT", deaf).on("SIGHUP", deaf).on("SIGTERM", drain);
}
