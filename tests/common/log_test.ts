/** The log's lines, and a process whose stderr is read late, or by nobody. */
import assert from "@std/assert";
import { createLogger, describeError, type LogLevel, logLevels } from "../../src/common/log.ts";
import { project } from "../support/mcp.ts";
import { permitted } from "../support/permitted.ts";

Deno.test.each(
  [
    ["debug", ["debug", "info", "warn", "error"]],
    ["info", ["info", "warn", "error"]],
    ["warn", ["warn", "error"]],
    ["error", ["error"]],
    ["off", []],
  ] satisfies [LogLevel, LogLevel[]][],
)("LOG_LEVEL %s", (level, expected) => {
  const lines: string[] = [];
  const log = createLogger(level, (line) => lines.push(line));
  for (const each of logLevels) if (each !== "off") log[each]("happened", { what: each });
  assert.deepEqual(lines.map((line) => JSON.parse(line)).map(({ level, what }) => [level, what]), [
    ...expected.map((each) => [each, each]),
  ]);
});

Deno.test("an error is told with its causes", () => {
  const error = new Error("above", { cause: new TypeError("below", { cause: "ground" }) });
  assert.equal(describeError(error), "Error: above; caused by TypeError: below; caused by ground");
});

/** A process that does as it is told. */
class LoggingProgram {
  readonly process = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-prompt", "--config", "deno.json", "tests/support/log_program.ts"],
    cwd: project,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  readonly #input = this.process.stdin.getWriter();
  readonly #output = this.process.stdout.pipeThrough(new TextDecoderStream()).getReader();

  /** Resolves when it has done all of it. */
  async does(...words: readonly string[]): Promise<void> {
    await this.#input.write(new TextEncoder().encode(words.map((word) => `${word}\n`).join("")));
    const wanted = words.map((word) => `${word}\n`).join("");
    for (let said = ""; said !== wanted;) {
      const { value, done } = await this.#output.read();
      assert.ok(!done, "it has ended");
      said += value;
    }
  }

  async end(): Promise<number> {
    await this.#input.close();
    await this.#output.cancel();
    return (await this.process.status).code;
  }
}

Deno.test({
  name: "a reader of stderr who is late gets a megabyte, in order, and the number of lines that were lost",
  ignore: !permitted,
  async fn() {
    const program = new LoggingProgram();
    // Nobody reads: the flood fills what may wait, and does not hold the program up.
    await program.does("flood", "hurry");
    const text = new Response(program.process.stderr).text();
    await program.does("flush", "flood", "flush");
    assert.equal(await program.end(), 0);
    const lines = (await text).trimEnd().split("\n");
    const [note, ...after] = lines.splice(lines.findIndex((line) => line.startsWith("{")));
    assert.ok(lines.length > 1_000 && lines.length <= 1_100, `${lines.length} lines`);
    assert.deepEqual(
      lines.map((line) => line.slice(0, 5)),
      lines.map((_, at) => String(at).padStart(5, "0")),
    );
    assert.ok(lines.every((line) => line.length === 999));
    const { message, lost } = JSON.parse(note ?? "");
    assert.deepEqual([message, lost], ["lines were lost", 4_000 - lines.length]);
    // What was read makes room for as much again.
    assert.ok(after.length > 1_000 && after.every((line, at) => line.startsWith(`0${4_000 + at} `)));
  },
});

Deno.test({
  name: "a stderr that is closed is nobody's error",
  ignore: !permitted,
  async fn() {
    const program = new LoggingProgram();
    await program.process.stderr.cancel();
    await program.does("line", "flush", "line", "flush");
    assert.equal(await program.end(), 0);
  },
});

Deno.test({
  name: "errors that nobody caught, and the runtime's warnings, are lines of the log and end nothing",
  ignore: !permitted,
  async fn() {
    const program = new LoggingProgram();
    const text = new Response(program.process.stderr).text();
    await program.does("reject", "throw", "warn", "line");
    assert.equal(await program.end(), 0);
    const lines = (await text).trimEnd().split("\n").filter((line) => line !== "00000");
    const found = lines.map((line) => JSON.parse(line)).map(({ level, message, error, warning }) =>
      [level, message, /^.*/.exec(error ?? warning)?.[0]].join(": ")
    );
    assert.deepEqual(found.toSorted(), [
      "error: an uncaught error: SyntaxError: Expected property name or '}' in JSON at position 1 (line 1 column 2)",
      "error: an unhandled rejection: Error: nobody waits for it",
      "warn: the runtime warns: TimeoutNegativeWarning: -1 is a negative number.",
    ]);
  },
});
