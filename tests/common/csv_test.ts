import assert from "@std/assert";
import fc from "fast-check";
import type { CellValue } from "../../src/common/cell.ts";
import { csvFields, csvLines } from "../../src/common/csv.ts";
import type { TableColumn } from "../../src/common/table.ts";

const csv = (columns: readonly TableColumn[], rows: readonly (readonly CellValue[])[]) =>
  csvLines(columns, rows.map((row, index) => csvFields(columns, row, index, {}).texts));

const cases: readonly (readonly [what: string, value: string | number | boolean | null, expected: string])[] =
  [
    ["NULL", null, ""],
    ["the empty string", "", '""'],
    ["the text NULL", "NULL", "NULL"],
    ["a comma", "a,b", '"a,b"'],
    ["a quote", 'a"b', '"a""b"'],
    ["a line break", "a\nb", '"a\nb"'],
    ["CRLF", "a\r\nb", '"a\r\nb"'],
    ["a formula", "=1+1", "=1+1"],
    ["blanks", " a ", " a "],
    ["the end of a COPY", "\\.", '"\\."'],
    ["a hidden character", "a\u202eb", "a\\u{202e}b"],
    ["a number", 1.5, "1.5"],
    ["a boolean", true, "true"],
  ];
for (const [what, value, expected] of cases) {
  Deno.test(`csv: ${what}`, () => {
    assert.equal(csv([{ name: "a" }, { name: "a" }], [[value, "z"]]), `a,a\n${expected},z`);
  });
}

Deno.test("csv of no rows is its header, quoted where it has to be", () => {
  assert.equal(csv([{ name: "a,b" }, { name: "" }], []), '"a,b",""');
});

/** A reader of RFC 4180 that tells an empty field from a quoted one. */
function parse(text: string): (string | null)[][] {
  const rows: (string | null)[][] = [[]];
  const field = /(?:"((?:[^"]|"")*)"|([^,\n]*))([,\n]|$)/y;
  while (field.lastIndex <= text.length) {
    const [, quoted, bare = "", end] = field.exec(text) ?? [];
    rows.at(-1)?.push(quoted?.replaceAll('""', '"') ?? (bare === "" ? null : bare));
    if (end === "") break;
    if (end === "\n") rows.push([]);
  }
  return rows;
}

Deno.test("csv can be read back", () => {
  const value = fc.option(fc.string({ unit: fc.constantFrom(...'ab,"\n =日'.split("")) }));
  fc.assert(fc.property(fc.array(fc.array(value, { minLength: 2, maxLength: 2 })), (rows) => {
    assert.deepEqual(parse(csv([{ name: "a" }, { name: "b" }], rows)), [["a", "b"], ...rows]);
  }));
});
