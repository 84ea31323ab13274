/**
 * Keeps the runtime's own variables away from the service: whoever starts it could otherwise load code into
 * it (BUN_OPTIONS), attach a debugger (BUN_INSPECT), switch the compiler off (JSC_useJIT) or certificates on,
 * and nothing of that would be in the configuration. Used by cli/serve.ts and for the workers.
 *
 * BUN_BE_BUN is obeyed before any of our code runs, and so is a --preload in BUN_OPTIONS: the units unset
 * those two.
 */
import { log } from "../../log.ts";

/** Of Bun, of Node as Bun reads it, of the engine, of its allocator and of its threads. */
const OF_THE_RUNTIME = /^(?:(?:BUN|NODE|JSC|MIMALLOC|UV)_|GOMAXPROCS$)/;

export function withoutRuntimeVariables(environment: NodeJS.ProcessEnv): Record<string, string> {
  const clean: Record<string, string> = {};
  for (const [name, value] of Object.entries(environment)) {
    if (value !== undefined && !OF_THE_RUNTIME.test(name)) clean[name] = value;
  }
  return clean;
}

/**
 * Begins again as the same process (execve(2): id, descriptors and parent stay) without those variables, if
 * there are any. From source the runtime is a developer's own, with whatever he gave it.
 */
export function restartClean(): void {
  const isCompiled = Bun.main.startsWith("/$bunfs");
  if (!isCompiled || !Object.keys(process.env).some((name) => OF_THE_RUNTIME.test(name))) return;
  try {
    process.execve?.(
      process.execPath,
      [process.argv0, ...process.argv.slice(2)],
      withoutRuntimeVariables(process.env),
    );
  } catch (error) {
    log("warn", "cannot start again without the runtime's variables; serving goes on with them", {
      error: String(error),
    });
  }
}
