/**
 * Notices a connection that died without a word (a laptop that slept, a NAT that forgot). Used by the session.
 *
 * The server's ping interval is learnt from pings with nothing between them; three intervals of silence then mean that nobody is
 * there. The longest one seen counts, so a stray early ping makes nobody impatient. A server that never pings is never given up.
 */
const SLACK_MS = 2_000;
const CHECK_MS = 500;

export class QuietWatch {
  #lastHeardMs = performance.now();
  #lastWasPing = false;
  #intervalMs = 0;

  heard(): void {
    this.#lastHeardMs = performance.now();
    this.#lastWasPing = false;
  }

  pinged(): void {
    const nowMs = performance.now();
    if (this.#lastWasPing) this.#intervalMs = Math.max(this.#intervalMs, nowMs - this.#lastHeardMs);
    this.#lastHeardMs = nowMs;
    this.#lastWasPing = true;
  }

  isDead(nowMs: number): boolean {
    return this.#intervalMs > 0 && nowMs - this.#lastHeardMs > 3 * this.#intervalMs + SLACK_MS;
  }

  /** Calls `onDead` once when the silence lasts too long; stop the timer with clearInterval. */
  start(onDead: () => void): NodeJS.Timeout {
    const timer = setInterval(() => {
      if (!this.isDead(performance.now())) return;
      clearInterval(timer);
      onDead();
    }, CHECK_MS);
    return timer;
  }
}
