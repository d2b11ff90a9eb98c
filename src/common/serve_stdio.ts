/** Serves a program over stdio, to the one client that started it. */
import type { Server } from "@modelcontextprotocol/server";
import { serveStdio } from "@modelcontextprotocol/server/stdio";
import { describeError, type Logger, writeStderr } from "./log.ts";
import type { Pipeline } from "./pipeline.ts";
import { refuseLine, refuseMalformedRequest } from "./server.ts";
import { StdioTransport } from "./stdio.ts";
import { writeAll } from "./write_all.ts";

/** What is served. */
export interface StdioServing {
  /** The program's name, for whoever starts it in a terminal. */
  readonly program: string;
  readonly makeServer: (client: string) => Server;
  readonly pipeline: Pipeline;
  readonly log: Logger;
  readonly stopSignals: readonly Deno.Signal[];
  /** Called once, when the first answer has been given. */
  readonly answered: () => void;
  /** Loads what every call takes. */
  readonly prepare?: (() => Promise<void>) | undefined;
}

/**
 * Milliseconds that calls in flight get after the end of input, once what calls take is loaded. The client waits for the
 * exit and sends SIGTERM when it has waited long enough, https://modelcontextprotocol.io/specification (shutdown).
 */
const graceMs = 3_000;
/** The client's name in the audit log and the rate limit. */
const client = "stdio";

/** Serves until the end of input, or until a signal says stop. */
export async function serveOverStdio(serving: StdioServing): Promise<void> {
  const { program, makeServer, pipeline, log, stopSignals, prepare = () => Promise.resolve() } = serving;
  let answered: (() => void) | undefined = serving.answered;
  const transport = new StdioTransport({
    input: chunksOf(Deno.stdin),
    async write(bytes) {
      await writeAll(Deno.stdout, bytes);
      answered?.();
      answered = undefined;
    },
    log,
    graceMs,
    ready: prepare,
    end: () => handle.close(),
    refuse: (message) => refuseMalformedRequest(message, pipeline, client),
    refuseLine: (reason) => refuseLine(reason, pipeline, client),
  });
  const handle = serveStdio(() => makeServer(client), {
    transport,
    onerror: (error) => log.info("the protocol layer reports an error", { error: describeError(error) }),
  });
  const stop = () => void handle.close();
  for (const signal of stopSignals) Deno.addSignalListener(signal, stop);
  if (Deno.stdin.isTerminal()) {
    writeStderr(
      `${program} serves MCP on standard input, for a client to start. ` +
        "--check tries the connection, --print-config prints what a client needs, Ctrl+C ends it.",
    );
  }
  log.info("serving over stdio", { program });
  await transport.closed;
}

const chunkBytes = 65_536;

/** What comes, to the end: without the stream objects of the web, whose loading a client would wait for. */
async function* chunksOf(
  input: { read(buffer: Uint8Array): Promise<number | null> },
): AsyncGenerator<Uint8Array> {
  const buffer = new Uint8Array(chunkBytes);
  for (let size = await input.read(buffer); size !== null; size = await input.read(buffer)) {
    yield buffer.slice(0, size);
  }
}
