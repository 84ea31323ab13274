/**
 * How an HTTP connection ends: what is unsent goes out, then our end is closed, and what may still come is
 * read and dropped for a while. The last part of connection.ts.
 */

import { sharedFieldLines } from "./answer-head.ts";
import { ENDED, HEAD, LAST, LINGERS, READING } from "./marks.ts";
import { CLOSING, IDLE, Receiving } from "./receiving.ts";
import { FAULT } from "./wire-server.ts";

export abstract class ClosingConnection extends Receiving {
  /** Nothing of what has come is of use any more, and nobody waits for it. */
  protected forget(): void {
    this.forgetInput();
    this.stream = null;
    if (this.way !== null) this.way.aborts = null;
  }

  protected beginClosing(lingers: boolean): void {
    this.state = CLOSING;
    this.mark(LINGERS, lingers);
    this.forget();
    this.shutWhenSent();
  }

  override uncork(): void {
    super.uncork();
    if (this.state === CLOSING) this.shutWhenSent();
  }

  protected shutWhenSent(): void {
    if (!this.isCorked && !this.isStalled && !this.isClosed) this.shut();
  }

  /**
   * Our end. Unread bytes in the kernel's buffer would make it reset the connection, and what is on its way
   * to the client would be lost with it (RFC 9112 9.6): so where more may come, it is read and dropped for a
   * while.
   */
  protected shut(): void {
    if (this.is(ENDED) || !this.is(LINGERS)) this.depart();
    else if (this.list !== this.server.lingering) {
      this.server.lingering.take(this);
      this.socket.shutdown();
      this.resume();
    }
  }

  /** In peace: everything was sent, or is now. */
  protected depart(): void {
    if (this.isClosed) return;
    if (this.isCorked) this.beginClosing(false);
    // Its answer waited for the end of the turn.
    if (this.isCorked) this.uncork();
    else {
      this.hangUp();
      this.closed();
    }
  }

  retire(): void {
    if (this.state === IDLE && !this.hasInput) this.beginClosing(false);
    else this.mark(LAST);
    // It was about to ask: it may finish, but nobody waits for that as long as usual.
    if (this.list === this.server.heads) this.server.leaving.take(this);
  }

  cutOff(): void {
    if (this.isClosed) return;
    this.socket.terminate();
    this.closed();
  }

  protected override refuse(status: number): void {
    if (this.isClosed || this.state === CLOSING) return;
    this.mark(LAST);
    this.mark(HEAD, false);
    this.cork();
    this.writeHead(status, sharedFieldLines(FAULT), 0);
    this.beginClosing(true);
    // In the middle of reading, whoever reads uncorks.
    if (!this.is(READING)) this.uncork();
  }
}
