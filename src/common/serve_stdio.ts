/** Serves a program over stdio, to the one client that started it. */
import { serveStdio } from "@modelcontextprotocol/server/stdio";
import { describeError, type Logger, writeStderr } from "./log.ts";
import type { Pipeline } from "./pipeline.ts";
import { type MakeServer, refuseLine, refuseMalformedRequest } from "./server.ts";
import { StdioTransport } from "./stdio.ts";
import { Unheard } from "./unheard.ts";
import { writeAll } from "./write_all.ts";

/** What is served. */
export interface StdioServing {
  /** The program's name, for whoever starts it in a terminal. */
  readonly program: string;
  readonly makeServer: MakeServer;
  readonly pipeline: Pipeline;
  readonly log: Logger;
  readonly stopSignals: readonly Deno.Signal[];
  /** Called once, when the client has got its first answers and asks nothing for a moment. */
  readonly idle: () => void;
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
  const rest = new FirstRest(serving.idle);
  const unheard = new Unheard(pipeline, client);
  const transport = new StdioTransport({
    input: chunksOf(Deno.stdin),
    async write(bytes) {
      await writeAll(Deno.stdout, bytes);
      rest.begin();
    },
    log,
    graceMs,
    ready: prepare,
    end: () => handle.close(),
    refuse(message) {
      const refusal = refuseMalformedRequest(message, pipeline, client);
      if (refusal === undefined) unheard.add(message);
      return refusal;
    },
    answering: (answer) => unheard.answering(answer),
    refuseLine: (reason) => refuseLine(reason, pipeline, client),
  });
  const handle = serveStdio(() => makeServer(client, (id) => unheard.heard(id)), {
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

/** Milliseconds without an answer to give: a client asks for the lists of tools and resources one after the other. */
const restMs = 250;

/** Does something at the first moment of rest. */
class FirstRest {
  #then: (() => void) | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(then: () => void) {
    this.#then = then;
  }

  /** Something has been done; the next thing to do may follow. */
  begin(): void {
    if (this.#then === undefined) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#then?.();
      this.#then = undefined;
    }, restMs);
    Deno.unrefTimer(this.#timer);
  }
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
