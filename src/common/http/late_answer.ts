/**
 * An answer that takes its time becomes a stream at once: that is how Deno tells of a client that has gone away, how
 * progress flows, and what keeps an idle proxy from cutting the connection. A quick one stays as it is, with the HTTP
 * status that says what it is.
 */

/** How to wait for an answer. */
export interface LateAnswerOptions {
  /** Milliseconds after which the stream begins. */
  readonly patienceMs: number;
  /** Milliseconds between two comments on a stream on which nothing happens. */
  readonly keepAliveMs: number;
  /** Called when the client has gone away. */
  readonly gone: () => void;
}

const streamHeaders: Readonly<Record<string, string>> = {
  "content-type": "text/event-stream",
  "cache-control": "no-cache, no-transform",
  // nginx holds back what it thinks it may collect.
  "x-accel-buffering": "no",
};
const comment = new TextEncoder().encode(": keep-alive\n\n");

/** The answer itself, or a stream that it will come by, as an event. */
export async function streamedWhenLate(
  answering: Promise<Response>,
  options: LateAnswerOptions,
): Promise<Response> {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => resolve(undefined), options.patienceMs);
  const quick = await Promise.race([answering, promise]).finally(() => clearTimeout(timer));
  return quick ?? new Response(streamOf(answering, options), { headers: streamHeaders });
}

function streamOf(answering: Promise<Response>, options: LateAnswerOptions): ReadableStream<Uint8Array> {
  let keepAlive: ReturnType<typeof setInterval> | undefined;
  let inner: ReadableStreamDefaultReader<Uint8Array> | undefined;
  let isOver = false;
  let begun: Promise<void> | undefined;
  const beginning = async (controller: ReadableStreamDefaultController<Uint8Array>) => {
    const response = await answering.finally(() => clearInterval(keepAlive));
    if (isOver) return await response.body?.cancel();
    if (response.headers.get("content-type")?.startsWith("text/event-stream") === true) {
      inner = response.body?.getReader();
      return;
    }
    const text = await response.text();
    if (isOver) return;
    // JSON has no raw line break outside its white space.
    if (text !== "") {
      controller.enqueue(
        new TextEncoder().encode(`event: message\ndata: ${text.replaceAll(/\r?\n/g, " ")}\n\n`),
      );
    }
    controller.close();
  };
  return new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(comment);
      keepAlive = setInterval(() => controller.enqueue(comment), options.keepAliveMs);
      begun = beginning(controller).catch((error) => {
        if (!isOver) controller.error(error);
      });
    },
    async pull(controller) {
      await begun;
      const part = await inner?.read();
      if (part === undefined || isOver) return;
      if (part.done) controller.close();
      else controller.enqueue(part.value);
    },
    cancel(reason) {
      isOver = true;
      clearInterval(keepAlive);
      options.gone();
      return inner?.cancel(reason);
    },
  });
}
