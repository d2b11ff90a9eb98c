/** PostgreSQL's cancel: a connection of its own that shows the session's key and says nothing else. */
import type { Session } from "./session.ts";
import { openSocket, type TlsSettings } from "./socket.ts";

/**
 * Asks the server to cancel what `session` runs; resolves when the server has taken note, or `timeoutMs` have passed.
 * Best effort: the statement may end by itself first. https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-CANCELING-REQUESTS
 */
export async function cancelStatement(
  session: Session,
  tls: TlsSettings,
  timeoutMs: number,
): Promise<void> {
  const signal = AbortSignal.timeout(timeoutMs);
  const key = session.cancelKey;
  if (key?.length !== 8) return;
  // The key is a secret: it goes as protected as the session does.
  const sslMode = session.encrypted ? tls.sslMode === "prefer" ? "require" : tls.sslMode : "disable";
  const socket = await openSocket(session.identity.address, { ...tls, sslMode }, { signal, timeoutMs });
  const { promise, resolve } = Promise.withResolvers<void>();
  socket.on("error", () => resolve());
  socket.on("close", () => resolve());
  socket.resume();
  // CancelRequest: a length of 16, the code 80877102, the process and its key.
  socket.write(Uint8Array.of(0, 0, 0, 16, 4, 210, 22, 46, ...key));
  const give = () => resolve();
  signal.addEventListener("abort", give);
  await promise;
  signal.removeEventListener("abort", give);
  socket.destroy();
}
