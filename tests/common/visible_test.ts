import assert from "@std/assert";
import fc from "fast-check";
import { visible } from "../../src/common/visible.ts";

const cases: readonly (readonly [what: string, text: string, expected: string])[] = [
  ["plain text", "Grüße, Привет, 日本語, عربى", "Grüße, Привет, 日本語, عربى"],
  ["a line break and a tab", "a\nb\tc\rd", "a\\nb\\tc\\rd"],
  ["terminal escapes", "\x1b[31mred\x07\x7f\x9b", "\\x1b[31mred\\x07\\x7f\\x9b"],
  ["NUL", "a\0b", "a\\x00b"],
  ["bidirectional controls", "\u202eabc\u2066\u200f\u061c", "\\u{202e}abc\\u{2066}\\u{200f}\\u{61c}"],
  ["zero width", "a\u200bb\u2060c\ufeffd\u00ade\u180e", "a\\u{200b}b\\u{2060}c\\u{feff}d\\xade\\u{180e}"],
  ["fillers", "\u115f\u1160\u3164\uffa0\u034f", "\\u{115f}\\u{1160}\\u{3164}\\u{ffa0}\\u{34f}"],
  ["tag characters", "\u{e0001}\u{e0068}\u{e007f}", "\\u{e0001}\\u{e0068}\\u{e007f}"],
  ["separators", "a\u2028b\u2029c", "a\\u{2028}b\\u{2029}c"],
  ["lone surrogates", "a\ud83db\ude00", "a\\u{d83d}b\\u{de00}"],
  ["noncharacters", "\ufdd0\uffff\u{1fffe}", "\\u{fdd0}\\u{ffff}\\u{1fffe}"],
  ["annotations", "\ufff9a\ufffb", "\\u{fff9}a\\u{fffb}"],
  ["private use stays", "\ue000\u{f0000}", "\ue000\u{f0000}"],
  ["joined emoji stay", "👩‍👩‍👧 ❤️‍🔥 👩🏽‍🚀 🏳️‍🌈", "👩‍👩‍👧 ❤️‍🔥 👩🏽‍🚀 🏳️‍🌈"],
  ["a keycap stays", "1️⃣", "1️⃣"],
  ["a second selector", "😀\ufe0f\ufe0f", "😀\ufe0f\\u{fe0f}"],
  ["selectors on letters", "a\ufe0fb\u{e0101}葛\u{e0100}", "a\\u{fe0f}b\\u{e0101}葛\\u{e0100}"],
  ["Persian and Hindi joiners stay", "می‌خواهم क्‍ष", "می‌خواهم क्‍ष"],
  ["joiners in Latin text", "pass\u200dword\u200c", "pass\\u{200d}word\\u{200c}"],
  ["a joiner between a letter and an emoji", "a\u200d👧", "a\\u{200d}👧"],
  ["two joiners in a row", "می\u200c\u200cخ", "می\\u{200c}\\u{200c}خ"],
  ["a backslash stays", "C:\\new \\u{202e}", "C:\\new \\u{202e}"],
];
for (const [what, text, expected] of cases) {
  Deno.test(`visible: ${what}`, () => assert.equal(visible(text), expected));
}

Deno.test("visible keeps lines and tabs where asked to, but no lone carriage return", () => {
  assert.equal(visible("a\n\tb\r\nc\rd\u2028", { keepLines: true }), "a\n\tb\r\nc\\rd\\u{2028}");
});

const anyText = fc.string({ unit: "binary", maxLength: 60 });
const nasty = fc.string({
  unit: fc.constantFrom(..."a\\\n\t\r\x1b\u200d\u200c\ufe0f👩‍🏽❤1\u20e3می्क\u202e\u2028\ud800\udc00\u00ad"),
});

Deno.test("visible: nothing hidden is left, and doing it twice changes nothing", () => {
  fc.assert(
    fc.property(fc.oneof(anyText, nasty), fc.boolean(), (text, keepLines) => {
      const shown = visible(text, { keepLines });
      assert.equal(visible(shown, { keepLines }), shown);
      assert.ok(shown.isWellFormed());
      assert.doesNotMatch(
        shown,
        // deno-lint-ignore no-control-regex
        /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200b\u200e\u200f\u2028]/,
      );
      if (!keepLines) assert.doesNotMatch(shown, /[\n\r\t]/);
    }),
    { numRuns: 2_000 },
  );
});
