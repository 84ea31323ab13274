/**
 * Tunes the listening sockets of a worker with setsockopt: what a listening socket is told, the connections
 * it accepts inherit (tcp(7), and tried on Linux 6). The runtime has no options for these, so libc is asked
 * directly.
 *
 * Where anything of this is not to be had (another system, a refusing kernel) serving goes on and the log
 * says what could not be set.
 */
import { dlopen, ptr } from "bun:ffi";
import type { Keepalive, ListenerConfig, SocketTuning } from "../../config/model/server.ts";
import { log } from "../../log.ts";
import { isFor, type OwnSocket, ownListeningSockets } from "./listening-sockets.ts";

const SOL_SOCKET = 1;
const SO_SNDBUF = 7;
const SO_KEEPALIVE = 9;
const IPPROTO_TCP = 6;
const TCP_KEEPIDLE = 4;
const TCP_KEEPINTVL = 5;
const TCP_KEEPCNT = 6;
const TCP_DEFER_ACCEPT = 9;
const TCP_USER_TIMEOUT = 18;
const TCP_FASTOPEN = 23;

/** After so many seconds a deferred connection that said nothing is accepted, or dropped, by the kernel. */
const DEFER_SEC = 30;

/** net.ipv4.tcp_keepalive_time, _intvl and _probes where nobody changed them. */
const SYSTEM_IDLE_SEC = 7200;
const SYSTEM_INTERVAL_SEC = 75;
const SYSTEM_COUNT = 9;
/** The least time that net.ipv4.tcp_retries2 = 15 makes of unacknowledged bytes (kernel, ip-sysctl). */
const RETRANSMITS_SEC = 924;

interface Setting {
  /** As in the configuration, for the log. */
  readonly name: string;
  readonly level: number;
  readonly option: number;
  readonly value: number;
}

/** What setsockopt has to be told; none where the configuration says nothing. */
export function settingsOf(tuning: SocketTuning): readonly Setting[] {
  const { keepalive } = tuning;
  const settings: Setting[] = [];
  const tcp = (name: string, option: number, value: number): void => {
    if (value > 0) settings.push({ name, level: IPPROTO_TCP, option, value });
  };
  if (keepalive !== null)
    settings.push({
      name: "keepalive",
      level: SOL_SOCKET,
      option: SO_KEEPALIVE,
      value: keepalive === false ? 0 : 1,
    });
  if (keepalive !== null && keepalive !== false) {
    tcp("keepalive idle", TCP_KEEPIDLE, keepalive.idleSec);
    tcp("keepalive interval", TCP_KEEPINTVL, keepalive.intervalSec);
    tcp("keepalive count", TCP_KEEPCNT, keepalive.count);
  }
  tcp("tcp_user_timeout", TCP_USER_TIMEOUT, tuning.userTimeoutMs ?? patienceMs(keepalive));
  if (tuning.sendBufferBytes > 0)
    settings.push({
      name: "send_buffer",
      level: SOL_SOCKET,
      option: SO_SNDBUF,
      value: tuning.sendBufferBytes,
    });
  tcp("deferred", TCP_DEFER_ACCEPT, tuning.deferred ? DEFER_SEC : 0);
  tcp("fastopen", TCP_FASTOPEN, tuning.fastopen);
  return settings;
}

/**
 * Keepalive probes only what is silent: while sent bytes are unacknowledged (a ping of ours is enough) the
 * kernel counts its retransmissions instead, up to a quarter of an hour. So that a client that vanished is
 * gone after idle + interval x count either way, that is the user timeout as well (tcp(7)). 0: the system's
 * own, which is sooner than what follows from the configuration.
 */
function patienceMs(keepalive: Keepalive | null): number {
  if (keepalive === null || keepalive === false) return 0;
  const { idleSec, intervalSec, count } = keepalive;
  const seconds =
    (idleSec || SYSTEM_IDLE_SEC) + (intervalSec || SYSTEM_INTERVAL_SEC) * (count || SYSTEM_COUNT);
  return seconds < RETRANSMITS_SEC ? seconds * 1000 : 0;
}

/** Applies the tuning of each listener to the sockets this process listens on. Call it when they listen. */
export function tuneSockets(listeners: readonly ListenerConfig[]): void {
  const tuned = listeners.filter(
    ({ address, tuning }) =>
      !address.startsWith("unix:") && (settingsOf(tuning).length > 0 || tuning.backlog > 0),
  );
  if (tuned.length === 0) return;
  try {
    const libc = openLibc();
    const sockets = ownListeningSockets();
    for (const listener of tuned) tune(libc, listener, sockets);
  } catch (error) {
    log("warn", "sockets cannot be tuned here; serving goes on", { error: String(error) });
  }
}

function tune(libc: Libc, { address, tuning }: ListenerConfig, sockets: readonly OwnSocket[]): void {
  const own = sockets.filter((socket) => isFor(address, socket));
  if (own.length === 0) log("warn", "no socket found to tune; serving goes on", { listen: address });
  const value = new Int32Array(1);
  for (const { descriptor } of own) {
    for (const setting of settingsOf(tuning)) {
      value[0] = setting.value;
      if (libc.setsockopt(descriptor, setting.level, setting.option, ptr(value), value.byteLength) !== 0)
        log("warn", "the kernel refused a socket option; serving goes on", {
          listen: address,
          option: setting.name,
          value: setting.value,
        });
    }
    // listen(2) on a socket that listens already changes the length of its queue.
    if (tuning.backlog > 0 && libc.listen(descriptor, tuning.backlog) !== 0)
      log("warn", "the kernel refused a backlog; serving goes on", {
        listen: address,
        backlog: tuning.backlog,
      });
  }
}

type Libc = ReturnType<typeof openLibc>;

/** glibc's name first, then musl's. */
function openLibc() {
  const symbols = {
    setsockopt: { args: ["i32", "i32", "i32", "ptr", "u32"], returns: "i32" },
    listen: { args: ["i32", "i32"], returns: "i32" },
  } as const;
  try {
    return dlopen("libc.so.6", symbols).symbols;
  } catch {
    return dlopen("libc.so", symbols).symbols;
  }
}
