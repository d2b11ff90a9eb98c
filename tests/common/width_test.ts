import assert from "@std/assert";
import { displayWidth } from "../../src/common/width.ts";

const cases: readonly (readonly [text: string, width: number])[] = [
  ["", 0],
  ["abc", 3],
  ["naïve", 5],
  ["nai\u0308ve", 5],
  ["日本語", 6],
  ["ｱｲｳ", 3],
  ["ＡＢ", 4],
  ["한국", 4],
  ["👩‍👩‍👧", 2],
  ["❤️", 2],
  ["🇩🇪", 2],
  ["Привет", 6],
  ["\u0301", 0],
];
for (const [text, width] of cases) {
  Deno.test(`displayWidth of ${JSON.stringify(text)} is ${width}`, () =>
    assert.equal(displayWidth(text), width));
}
