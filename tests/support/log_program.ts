/** Writes its log, told by words on standard input, one a line; says on standard output what it has done. */
import { surviveDefects } from "../../src/common/defects.ts";
import { createLogger, flushStderr, writeStderr } from "../../src/common/log.ts";

surviveDefects(createLogger("warn"));

let written = 0;
const acts: Readonly<Record<string, () => unknown>> = {
  /** 4 MB at once, which is more than may wait. */
  flood() {
    for (let count = 0; count < 4_000; count++) {
      writeStderr(`${String(written++).padStart(5, "0")} ${"x".repeat(993)}`);
    }
  },
  line: () => writeStderr(String(written++).padStart(5, "0")),
  flush: () => flushStderr(60_000),
  hurry: () => flushStderr(10),
  reject: () => void Promise.reject(new Error("nobody waits for it")),
  throw: () => void setTimeout(() => JSON.parse("{"), 0),
  /** The runtime warns of a time below 0. */
  warn: () => void setTimeout(() => {}, -1),
};

const input = Deno.stdin.readable.pipeThrough(new TextDecoderStream());
let rest = "";
for await (const text of input) {
  const words = (rest + text).split("\n");
  rest = words.pop() ?? "";
  for (const word of words) {
    await acts[word]?.();
    await Deno.stdout.write(new TextEncoder().encode(`${word}\n`));
  }
}
