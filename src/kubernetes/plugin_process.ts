/** Runs a credential plugin: no input, no error output, an environment of its own, bounded in time and in bytes. */

/** What a plugin wrote. */
export interface PluginOutput {
  readonly code: number;
  readonly stdout: string;
}

/** A run that came to nothing. */
export class PluginRunError extends Error {
  override readonly name = "PluginRunError";
  readonly reason: "not_found" | "not_permitted" | "timeout" | "too_large";

  constructor(reason: PluginRunError["reason"], options?: ErrorOptions) {
    super(reason, options);
    this.reason = reason;
  }
}

/** How long a plugin may take, and bytes that it may write. */
export interface PluginLimits {
  readonly timeoutMs: number;
  readonly maxBytes: number;
}

const usualLimits: PluginLimits = { timeoutMs: 30_000, maxBytes: 1024 * 1024 };

/** Throws {@linkcode PluginRunError}. */
export async function runPlugin(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  { timeoutMs, maxBytes }: PluginLimits = usualLimits,
): Promise<PluginOutput> {
  const child = start(command, args, env);
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new PluginRunError("timeout")), timeoutMs);
  const reader = child.stdout.getReader();
  let ended = false;
  const status = child.status.finally(() => {
    ended = true;
  });
  try {
    // A grandchild may keep the pipe open after the plugin itself has ended.
    const stdout = await Promise.race([readAll(reader, maxBytes), late]);
    const { code } = await Promise.race([status, late]);
    return { code, stdout };
  } finally {
    clearTimeout(timer);
    if (!ended) {
      // A plugin that could choose to ignore the signal would outlive its answer.
      try {
        child.kill("SIGKILL");
      } catch { /* it has just ended */ }
    }
    await reader.cancel().catch(() => {});
    await status.catch(() => {});
  }
}

function start(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Deno.ChildProcess {
  try {
    return new Deno.Command(command, {
      args: [...args],
      clearEnv: true,
      env: { ...env },
      stdin: "null",
      stdout: "piped",
      stderr: "null",
    }).spawn();
  } catch (error) {
    // Variables such as LD_PRELOAD in the kubeconfig take a permission that no build has.
    if (error instanceof Deno.errors.NotCapable) throw new PluginRunError("not_permitted", { cause: error });
    throw new PluginRunError("not_found", { cause: error });
  }
}

async function readAll(reader: ReadableStreamDefaultReader<Uint8Array>, maxBytes: number): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    bytes += value.length;
    if (bytes > maxBytes) throw new PluginRunError("too_large");
    text += decoder.decode(value, { stream: true });
  }
}
