/** Serves a program over stdio, to the one client that started it. */
import type { Server } from "@modelcontextprotocol/server";
import { serveStdio } from "@modelcontextprotocol/server/stdio";
import { describeError, type Logger, writeStderr } from "./log.ts";
import type { Pipeline } from "./pipeline.ts";
import { refuseLine, refuseMalformedRequest } from "./server.ts";
import { StdioTransport } from "./stdio.ts";

/** What is served. */
export interface StdioServing {
  /** The program's name, for whoever starts it in a terminal. */
  readonly program: string;
  readonly makeServer: (client: string) => Server;
  readonly pipeline: Pipeline;
  readonly log: Logger;
  readonly stopSignals: readonly Deno.Signal[];
}

/** Milliseconds that calls in flight get after the end of input. */
const graceMs = 3_000;
/** The client's name in the audit log and the rate limit. */
const client = "stdio";

/** Serves until the end of input, or until a signal says stop. */
export async function serveOverStdio(serving: StdioServing): Promise<void> {
  const { program, makeServer, pipeline, log, stopSignals } = serving;
  const output = Deno.stdout.writable.getWriter();
  const transport = new StdioTransport({
    input: Deno.stdin.readable,
    write: (bytes) => output.write(bytes),
    log,
    graceMs,
    refuse: (message) => refuseMalformedRequest(message, pipeline, client),
    refuseLine: (reason) => refuseLine(reason, pipeline, client),
  });
  const stop = () => void transport.close();
  for (const signal of stopSignals) Deno.addSignalListener(signal, stop);
  serveStdio(() => makeServer(client), {
    transport,
    onerror: (error) => log.info("the protocol layer reports an error", { error: describeError(error) }),
  });
  if (Deno.stdin.isTerminal()) {
    writeStderr(
      `${program} serves MCP on standard input, for a client to start. ` +
        "--check tries the connection, --print-config prints what a client needs, Ctrl+C ends it.",
    );
  }
  log.info("serving over stdio", { program });
  await transport.closed;
}
