import assert from "@std/assert";
import fc from "fast-check";
import { fit, fitRows } from "../../src/common/output.ts";
import { table } from "../../src/common/table.ts";
import { utf8Length } from "../../src/common/utf8.ts";

const columns = [{ name: "id" }, { name: "note" }];
const less = "Ask for fewer columns, or a smaller max_rows.";

Deno.test("rows that fit are shown whole, without a notice", () => {
  const rows = [["1", "a"], ["2", null]];
  assert.deepEqual(fitRows(columns, rows, { budget: 1_024, less }), {
    text: table(columns, rows),
    shown: 2,
    cutCells: 0,
    cellBytes: 1_024,
    notice: undefined,
  });
});

Deno.test("the leading rows are shown, and how many there were", () => {
  const rows = Array.from({ length: 1_000 }, (_, index) => [String(index), "note"]);
  const { text, shown, notice } = fitRows(columns, rows, { budget: 1_024, less });
  assert.ok(shown > 50 && shown < 1_000);
  assert.equal(notice, `[Cut: the first ${shown} of 1,000 rows shown. ${less}]`);
  assert.equal(text, `${table(columns, rows.slice(0, shown))}\n\n${notice}`);
  assert.ok(
    utf8Length(`${table(columns, rows.slice(0, shown + 1))}\n\n${notice}`) > 1_024,
    "one more would fit",
  );
});

Deno.test("more rows than were asked for are said", () => {
  const options = { budget: 1_024, less, total: { moreThan: 1 } };
  assert.equal(
    fitRows(columns, [["1", "a"]], options).notice,
    `[Cut: the first 1 of more than 1 row shown. ${less}]`,
  );
  assert.match(
    fitRows(columns, [], { ...options, total: { moreThan: 0 } }).text,
    /none of more than 0 rows shown/,
  );
});

Deno.test("long cells are shortened before rows are left out", () => {
  const rows = [["1", "x".repeat(5_000)], ["2", "y"], ["3", "日".repeat(5_000)]];
  const { text, shown, cutCells, notice } = fitRows(columns, rows, { budget: 1_024, less });
  assert.deepEqual([shown, cutCells], [3, 2]);
  assert.match(text, /^ 1 \| x{50,}… \(5000 bytes\)$/m);
  assert.match(text, /^ 3 \| 日{10,}… \(15 kB\)$/m);
  assert.equal(notice, `[Cut: 2 long cells shortened. ${less}]`);
});

Deno.test("one long cell takes what room there is", () => {
  const { text } = fitRows([{ name: "doc" }], [["x".repeat(900_000)]], { budget: 32_768, less });
  assert.ok(utf8Length(text) > 16_000);
});

Deno.test("cells cut by the backend count", () => {
  const { text, cutCells } = fitRows(columns, [["1", "x"]], {
    budget: 1_024,
    less,
    cut: new Map([["0:1", 943_718_400]]),
  });
  assert.equal(cutCells, 1);
  assert.match(text, /x… \(900 MB\)\n\n\[Cut: 1 long cell shortened\./);
});

Deno.test("advice that is too long leaves room for rows", () => {
  const rows = Array.from({ length: 1_000 }, (_, index) => [String(index), "note"]);
  const { text, shown } = fitRows(columns, rows, { budget: 1_024, less: "Ask for less. ".repeat(200) });
  assert.ok(shown > 30);
  assert.ok(utf8Length(text) <= 1_024);
});

Deno.test("csv has its notice after an empty line", () => {
  const rows = Array.from({ length: 1_000 }, (_, index) => [String(index), ""]);
  const { text, shown } = fitRows(columns, rows, { budget: 1_024, less, format: "csv" });
  assert.ok(text.startsWith('id,note\n0,""\n1,""\n'));
  assert.ok(text.includes(`\n\n[Cut: the first ${shown} of 1,000 rows shown.`));
});

Deno.test("a header that is too long is cut, and says so", () => {
  const wide = Array.from({ length: 1_600 }, (_, index) => ({ name: `column_${index}` }));
  for (const format of ["table", "csv"] as const) {
    const fitted = fitRows(wide, [wide.map(() => "1")], { budget: 1_024, less, format });
    assert.ok(utf8Length(fitted.text) <= 1_024);
    assert.equal(fitted.shown, 0);
    assert.match(
      fitted.text,
      /column_9.*\n\[Cut: the first .* shown\.\]\n\n\[Cut: none of 1 row shown\. Ask/s,
    );
  }
});

const cell = fc.oneof(
  fc.string({ unit: "binary", maxLength: 30 }),
  fc.string({ unit: "grapheme", maxLength: 300 }),
  fc.tuple(fc.constantFrom("x", "日", "\x1b", "\u202e", "e\u0301", "'", "|", '"'), fc.nat(3_000)).map((
    [unit, times],
  ) => unit.repeat(times)),
  fc.constant(null),
);

Deno.test("whatever the rows, the answer keeps to the budget and never leaves out rows without saying so", () => {
  const rows = fc.integer({ min: 0, max: 5 }).chain((width) =>
    fc.array(fc.array(cell, { minLength: width, maxLength: width }), { maxLength: 40 })
  );
  const options = fc.record({
    budget: fc.oneof(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 1_024, max: 8_192 })),
    format: fc.constantFrom("table" as const, "csv" as const),
    total: fc.constantFrom(undefined, 1_000_000, { moreThan: 40 }),
    less: fc.string({ maxLength: 2_000 }),
  });
  fc.assert(
    fc.property(rows, options, (rows, options) => {
      const header = (rows[0] ?? [null]).map((_, index) => ({ name: `c${index}` }));
      const { text, shown, notice, cutCells } = fitRows(header, rows, options);
      assert.ok(utf8Length(text) <= options.budget, `${utf8Length(text)} bytes`);
      assert.ok(text.isWellFormed());
      if (shown < rows.length || cutCells > 0 || options.total !== undefined) {
        assert.notEqual(notice, undefined);
      }
      if (options.budget >= 1_024 && rows.length > 0) {
        assert.ok(shown > 0);
        if (notice !== undefined) {
          assert.ok(text.endsWith(notice));
        }
      }
    }),
    { numRuns: 500 },
  );
});

Deno.test("fit cuts after a line, and says how much is missing", () => {
  const text = "a line of the answer\n".repeat(1_000);
  assert.equal(
    fit(text, 1_024, less),
    `${"a line of the answer\n".repeat(44)}[Cut: the first 923 bytes of 21 kB shown. ${less}]`,
  );
  assert.equal(fit("short", 5), "short");
});

Deno.test("fit cuts a line that is most of the text", () => {
  assert.match(
    fit(`a\n${"日".repeat(1_000)}`, 1_024),
    /^a\n日{300,}\n\[Cut: the first \d+ bytes of 3002 bytes shown\.\]$/,
  );
});

Deno.test("fit keeps to any budget", () => {
  const lines = fc.array(fc.string({ unit: "grapheme", maxLength: 200 })).map((parts) => parts.join("\n"));
  fc.assert(fc.property(lines, fc.nat(3_000), fc.string({ maxLength: 500 }), (text, budget, less) => {
    const fitted = fit(text, budget, less);
    assert.ok(utf8Length(fitted) <= budget);
    if (utf8Length(text) <= budget) assert.equal(fitted, text);
    else if (budget >= 200) assert.match(fitted, /\n\[Cut: the first .* of .* shown\./);
  }));
});
