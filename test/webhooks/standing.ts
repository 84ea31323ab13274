/** Somebody who stands in a channel until he is told to go. */
export class Standing {
  readonly #controller = new AbortController();
  /** Kept: a response that nobody has is collected, and its connection with it. */
  #response: Response | null = null;

  static async in(url: string, channel: string): Promise<Standing> {
    const standing = new Standing();
    standing.#response = await fetch(`${url}/ev/${channel}`, {
      signal: standing.#controller.signal,
      headers: { "Cache-Control": "no-cache" },
    });
    return standing;
  }

  get isThere(): boolean {
    return this.#response?.ok === true;
  }

  leave(): void {
    this.#controller.abort();
  }
}
