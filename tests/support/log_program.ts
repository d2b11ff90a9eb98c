/** Writes its log, told by words on standard input, one a line; says on standard output what it has done. */
import { flushStderr, writeStderr } from "../../src/common/log.ts";

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
