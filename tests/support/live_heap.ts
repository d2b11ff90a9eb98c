/** What a program holds in V8's heap when all garbage is gone, through the inspector of `deno run --inspect`. */

/** Where a program started with `--inspect=127.0.0.1:0`, and not `--quiet`, says that its inspector listens. */
const address = /^Debugger listening on ws:\/\/([\w.:]+)\//m;

/**
 * The inspector of one process.
 *
 * Source: https://chromedevtools.github.io/devtools-protocol/v8/HeapProfiler/
 */
export class LiveHeap implements Disposable {
  readonly #socket: WebSocket;
  readonly #pending = new Map<number, (result: Readonly<Record<string, unknown>>) => void>();

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.addEventListener("message", ({ data }) => {
      const { id, result } = JSON.parse(data);
      this.#pending.get(id)?.(result);
      this.#pending.delete(id);
    });
  }

  /** Connects to the process that has written `stderr`. */
  static async connect(stderr: string): Promise<LiveHeap> {
    const [, host] = address.exec(stderr) ?? [];
    if (host === undefined) throw new Error(`No inspector listens: ${stderr.slice(-500)}`);
    const [target] = await (await fetch(`http://${host}/json/list`)).json();
    const socket = new WebSocket(target.webSocketDebuggerUrl);
    await new Promise((resolve, reject) => {
      socket.addEventListener("open", resolve, { once: true });
      socket.addEventListener("error", reject, { once: true });
    });
    return new LiveHeap(socket);
  }

  /** Bytes after a collection, buffers included. */
  async bytes(): Promise<number> {
    // What a first collection finalizes, a second one frees.
    await this.#send("HeapProfiler.collectGarbage");
    await this.#send("HeapProfiler.collectGarbage");
    const { usedSize, backingStorageSize } = await this.#send("Runtime.getHeapUsage");
    return Number(usedSize) + Number(backingStorageSize);
  }

  #send(method: string): Promise<Readonly<Record<string, unknown>>> {
    const id = this.#pending.size + 1;
    const { promise, resolve } = Promise.withResolvers<Readonly<Record<string, unknown>>>();
    this.#pending.set(id, resolve);
    this.#socket.send(JSON.stringify({ id, method }));
    return promise;
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}
