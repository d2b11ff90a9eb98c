/** Patterns that lines of a log are chosen by, matched in linear time whatever the pattern (RE2). */
import { RE2JS } from "re2js";
import { CallError } from "../common/errors.ts";

/** Whether a line is wanted. */
export interface LineTest {
  (text: string): boolean;
  /** Characters of a line that are looked at: no call may wait for the rest. */
  readonly longest: number;
}

const PLAIN = /^[\w \-:;,"'/<>=@#%&!~`]*$/;

/** How often a pattern's parts may be repeated, times its length: what is more takes long to compile. */
const mostRepeated = 20_000;
/** Instructions of a compiled pattern, each of which may be tried at each character: as many as one without counts has. */
const largestProgram = 1_500;
/** Instructions times characters that are tried of one line, a tenth of a second. */
const mostSteps = 8_000_000;

/** Lines with `include` and without `exclude`; undefined when neither is given. Throws {@linkcode CallError} `invalid`. */
export function lineTest(include: string | undefined, exclude: string | undefined): LineTest | undefined {
  const wanted = include === undefined ? undefined : patternTest("include", include);
  const unwanted = exclude === undefined ? undefined : patternTest("exclude", exclude);
  if (wanted === undefined && unwanted === undefined) return undefined;
  return Object.assign(
    (text: string) => (wanted === undefined || wanted(text)) && (unwanted === undefined || !unwanted(text)),
    { longest: Math.min(wanted?.longest ?? Infinity, unwanted?.longest ?? Infinity) },
  );
}

function patternTest(argument: string, pattern: string): LineTest {
  if (PLAIN.test(pattern)) {
    return Object.assign((text: string) => text.includes(pattern), { longest: Infinity });
  }
  if (repetitions(pattern) * pattern.length > mostRepeated) throw repeatsTooMuch(argument);
  try {
    const compiled = RE2JS.compile(pattern);
    const size = compiled.programSize();
    if (size > largestProgram) throw repeatsTooMuch(argument);
    const longest = Math.floor(mostSteps / size);
    return Object.assign((text: string) => compiled.matcher(text.slice(0, longest)).find(), { longest });
  } catch (error) {
    if (error instanceof CallError) throw error;
    const reason = error instanceof Error ? error.message.slice(0, 200) : "it has another form";
    throw new CallError("invalid", `Cannot use ${argument} as a pattern: ${reason}`, {
      hint: "patterns are RE2's: no look-around, no back references; (?i) at the start ignores case",
    });
  }
}

/** The counts in a pattern, `{2}`, `{2,}` and `{2,9}`, together. */
function repetitions(pattern: string): number {
  return [...pattern.matchAll(/\{(\d+)(?:,(\d*))?\}/g)]
    .reduce((sum, [, least, most]) => sum + Number(most || least), 0);
}

function repeatsTooMuch(argument: string): CallError {
  return new CallError("invalid", `Cannot use ${argument} as a pattern: it repeats too much`, {
    hint: "write smaller counts between { and }, or * or + in their place",
  });
}
