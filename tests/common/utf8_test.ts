import assert from "@std/assert";
import fc from "fast-check";
import { utf8Length, utf8Start } from "../../src/common/utf8.ts";

const anyText = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.string({ unit: "grapheme" }),
  fc.constant("a\ud800b\udc00"),
);

Deno.test("utf8Length is what the encoder makes", () => {
  fc.assert(
    fc.property(anyText, (text) => assert.equal(utf8Length(text), new TextEncoder().encode(text).length)),
  );
});

Deno.test("utf8Start is a start within the bytes, and all of it when there is room", () => {
  fc.assert(fc.property(anyText, fc.nat(60), (text, bytes) => {
    const start = utf8Start(text, bytes);
    assert.ok(text.startsWith(start));
    assert.ok(utf8Length(start) <= bytes);
    if (utf8Length(text) <= bytes) assert.equal(start, text);
  }));
});

const cases: readonly (readonly [what: string, text: string, bytes: number, expected: string])[] = [
  ["whole characters", "aé日😀", 3, "aé"],
  ["half a CJK character", "aé日😀", 5, "aé"],
  ["half a surrogate pair", "aé日😀", 9, "aé日"],
  ["half a family", "a👩‍👩‍👧", 12, "a"],
  ["a mark without its letter", "ae\u0301", 2, "a"],
  ["no room", "abc", 0, ""],
  ["long text before the cut", "x".repeat(100) + "👩‍👩‍👧", 110, "x".repeat(100)],
];
for (const [what, text, bytes, expected] of cases) {
  Deno.test(`utf8Start: ${what}`, () => assert.equal(utf8Start(text, bytes), expected));
}

Deno.test("utf8Start cuts marks without end somewhere", () => {
  assert.equal(utf8Length(utf8Start("a" + "\u0301".repeat(500), 201)), 201);
});
