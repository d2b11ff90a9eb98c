/** Patterns that lines of a log are chosen by, matched in linear time whatever the pattern (RE2). */
import { RE2JS } from "re2js";
import { CallError } from "../common/errors.ts";

/** Whether a line is wanted. */
export type LineTest = (text: string) => boolean;

const PLAIN = /^[\w \-:;,"'/<>=@#%&!~`]*$/;

/** Lines with `include` and without `exclude`; undefined when neither is given. Throws {@linkcode CallError} `invalid`. */
export function lineTest(include: string | undefined, exclude: string | undefined): LineTest | undefined {
  const wanted = include === undefined ? undefined : patternTest("include", include);
  const unwanted = exclude === undefined ? undefined : patternTest("exclude", exclude);
  if (wanted === undefined && unwanted === undefined) return undefined;
  return (text) => (wanted === undefined || wanted(text)) && (unwanted === undefined || !unwanted(text));
}

function patternTest(argument: string, pattern: string): LineTest {
  if (PLAIN.test(pattern)) return (text) => text.includes(pattern);
  try {
    const compiled = RE2JS.compile(pattern);
    return (text) => compiled.matcher(text).find();
  } catch (error) {
    const reason = error instanceof Error ? error.message.slice(0, 200) : "it has another form";
    throw new CallError("invalid", `Cannot use ${argument} as a pattern: ${reason}`, {
      hint: "patterns are RE2's: no look-around, no back references; (?i) at the start ignores case",
    });
  }
}
