/**
 * Whose call it is, for what is shared out among clients far below the tools, such as a backend's connections: a tool
 * need not know, nor pass it on.
 */
import { AsyncLocalStorage } from "node:async_hooks";

const clients = new AsyncLocalStorage<string>();

/** Does the work of a call of that client. */
export function asClient<Result>(client: string, work: () => Result): Result {
  return clients.run(client, work);
}

/** The client whose call this is; none has the name that stands for what no client asked for. */
export function askingClient(): string {
  return clients.getStore() ?? "";
}
