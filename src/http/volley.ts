/**
 * Fan-out writes the same to many, one after the other; a turn's answers leave one after the other. Between
 * `open` and `fire` a door may keep what it is given until all are named, and give it to the kernel in one go
 * (listen/wire/volleys.ts). Whoever opened it does nothing else meanwhile; whoever writes to one of them all
 * the same finds that it was fired before. A leaf: fan-out and doors know it.
 */
class Volley {
  isOpen = false;
  #fire: (() => number) | null = null;

  /** By the door that keeps what it is given. */
  serve(fire: () => number): void {
    this.#fire = fire;
  }

  open(): void {
    this.isOpen = this.#fire !== null;
  }

  /** All that was kept is with the kernel, or unsent. How many have not taken all, and were told so. */
  fire(): number {
    if (!this.isOpen) return 0;
    this.isOpen = false;
    return this.#fire?.() ?? 0;
  }
}

export const volley = new Volley();
