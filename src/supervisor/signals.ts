/**
 * Which signal means what, for main and for a worker, and the other thing the outside may do to a process:
 * stop reading its log. The meanings are nginx's (push-stream spec 8.2).
 */
export interface MainSignals {
  /** TERM, INT: the first one drains, a second one does not wait. */
  stop(signal: string): void;
  /** QUIT: no new connections; those that are held stay until their timers are due. */
  quit(): void;
  /** HUP: read the config again. */
  reload(): void;
  /** USR1: open the log files again. */
  reopenLogs(): void;
}

/** Routes the signals of main; the answer takes the routes away again. */
export function listenForSignals(actions: MainSignals): () => void {
  const stop = (signal: NodeJS.Signals): void => actions.stop(signal);
  const quit = (): void => actions.quit();
  const reload = (): void => actions.reload();
  const reopen = (): void => actions.reopenLogs();
  process
    .on("SIGTERM", stop)
    .on("SIGINT", stop)
    .on("SIGQUIT", quit)
    .on("SIGHUP", reload)
    .on("SIGUSR1", reopen);
  return () => {
    process.off("SIGTERM", stop).off("SIGINT", stop).off("SIGQUIT", quit);
    process.off("SIGHUP", reload).off("SIGUSR1", reopen);
  };
}

/**
 * When nobody reads the log any more (`sluice serve 2>&1 | head`), writing it fails with EPIPE. That is no
 * reason to stop serving, nor to die and come back for ever: the lines are lost, everything else goes on.
 */
export function outliveLogReader(): void {
  process.stderr.on("error", () => undefined);
}

/**
 * A terminal sends Ctrl-C, Ctrl-\ and its hang-up to the whole process group. Main answers for all, so a
 * worker stays deaf to those; TERM straight to a worker drains that worker alone, and USR1 is for scripts
 * that tell every process.
 */
export function listenForWorkerSignals(drain: () => void, reopenLogs: () => void): void {
  const deaf = (): void => undefined;
  process.on("SIGINT", deaf).on("SIGQUIT", deaf).on("SIGHUP", deaf);
  process.on("SIGTERM", drain).on("SIGUSR1", reopenLogs);
}
