/** What clients have of something that there is little of, and who of those that wait for it is next. */

/** One that waits. */
export interface Waiting {
  /** As {@linkcode askingClient} says. */
  readonly client: string;
}

/**
 * Counts places by client. First come, first served among the calls of one client; among clients, the one goes first that
 * has the fewest, or one alone could keep all others waiting.
 */
export class Shares {
  readonly #held = new Map<string, number>();

  /** The client has got a place. */
  add(client: string): void {
    this.#held.set(client, this.of(client) + 1);
  }

  /** The client has left one. */
  remove(client: string): void {
    const left = this.of(client) - 1;
    if (left > 0) this.#held.set(client, left);
    else this.#held.delete(client);
  }

  /** Takes the next one out of those that wait and whose client is `admitted`, in the order in which they came. */
  next<One extends Waiting>(
    waiting: One[],
    admitted: (client: string) => boolean = () => true,
  ): One | undefined {
    const least = Math.min(...waiting.map(({ client }) => this.of(client)));
    const at = waiting.findIndex(({ client }) => this.of(client) === least && admitted(client));
    return at === -1 ? undefined : waiting.splice(at, 1)[0];
  }

  /** Places that the client has. */
  of(client: string): number {
    return this.#held.get(client) ?? 0;
  }
}
