import assert from "@std/assert";
import fc from "fast-check";
import type { CellValue } from "../../src/common/cell.ts";
import { table } from "../../src/common/table.ts";
import { displayWidth } from "../../src/common/width.ts";

const named = (...names: string[]) => names.map((name) => ({ name }));

Deno.test("a table has a header, a rule, numbers to the right, and every column of the same name", () => {
  assert.equal(
    table(named("id", "name", "name", "total"), [
      ["1", "Ada", "x", "12.50"],
      ["20", "Grace Hopper", null, "-3"],
      ["300", "日本語", "y", "1e5"],
    ]),
    [
      " id | name         | name | total",
      "----+--------------+------+------",
      "  1 | Ada          | x    | 12.50",
      " 20 | Grace Hopper | NULL |    -3",
      "300 | 日本語       | y    |   1e5",
    ].join("\n"),
  );
});

Deno.test("a long cell pushes aside its own row alone", () => {
  const long = "x".repeat(50);
  assert.equal(
    table(named("v", "w"), [[long, "a"], ["short", "b"]]),
    ["v     | w", "------+--", `${long} | a`, "short | b"].join("\n"),
  );
});

Deno.test("no rows, no columns", () => {
  assert.equal(table(named("id"), []), "id\n--\n(no rows)");
  assert.equal(table([], [[], []]), "(no columns)");
});

Deno.test("alignment and the word for null can be said", () => {
  const columns = [{ name: "age", align: "right" }, { name: "code", align: "left" }, { name: "n" }] as const;
  assert.equal(
    table(columns, [["3 d", "07", null], [null, "-", "5"]], { nullText: "-" }),
    ["age | code | n", "----+------+--", "3 d | 07   | -", "  - | '-'  | 5"].join("\n"),
  );
});

const cells: readonly (readonly [what: string, value: CellValue, expected: string])[] = [
  ["NULL", null, "NULL"],
  ["the text NULL", "NULL", "'NULL'"],
  ["the text null", "null", "null"],
  ["the empty string", "", "''"],
  ["two quotes", "''", "''''''"],
  ["a quote inside", "it's", "it's"],
  ["a separator", "a | b", "'a | b'"],
  ["blanks at an end", "a ", "'a '"],
  ["a line break", "a\nb\tc", "a\\nb\\tc"],
  ["a hidden character", "a\u202eb", "a\\u{202e}b"],
  ["what looks like a cut", "abc… (900 MB)", "'abc… (900 MB)'"],
  ["a number", 12.5, "12.5"],
  ["a bigint", 9_223_372_036_854_775_807n, "9223372036854775807"],
  ["a boolean", false, "false"],
];
for (const [what, value, expected] of cells) {
  Deno.test(`a cell: ${what}`, () => {
    const lines = table(named("a column that is wide enough to be", "z"), [[value, "z"]]).split("\n");
    assert.equal(lines[2]?.replace(/ \| z$/, "").trim(), expected);
  });
}

Deno.test("a cell cut here or before says the size of the whole", () => {
  const cut = new Map([["1:0", 943_718_400]]);
  const lines = table(named("v"), [["a".repeat(20_000)], ["abc"], ["a|b" + "c".repeat(20)]], {
    cellBytes: 5,
    cut,
  });
  assert.deepEqual(lines.split("\n").slice(2), ["aaaaa… (20 kB)", "abc… (900 MB)", "'a|bcc'… (23 bytes)"]);
});

Deno.test("hidden characters are not cut in their spelling", () => {
  const [, , line] = table(named("v"), [["ab\u202e\u202e\u202e"]], { cellBytes: 12 }).split("\n");
  assert.equal(line, "ab\\u{202e}… (11 bytes)");
});

const value = fc.oneof(
  fc.string({ unit: "binary", maxLength: 20 }),
  fc.string({ unit: "grapheme", maxLength: 40 }),
  fc.constantFrom("NULL", "", "'", "|", " | ", "\n"),
  fc.constant(null),
);

Deno.test("any rows: one line each, and no two different rows read the same", () => {
  const text = fc.string({ unit: fc.constantFrom("N", "'", "|", " ", "NULL", "… (1 kB)") });
  fc.assert(
    fc.property(fc.array(fc.array(value, { minLength: 3, maxLength: 3 }), { minLength: 1 }), (rows) => {
      assert.equal(table(named("a", "b", "c"), rows).split("\n").length, rows.length + 2);
    }),
  );
  const row = fc.array(fc.option(text), { minLength: 2, maxLength: 2 });
  fc.assert(fc.property(row, row, (one, other) => {
    fc.pre(JSON.stringify(one) !== JSON.stringify(other));
    const [, , first, second] = table(named("a", "b"), [one, other]).split("\n");
    assert.notEqual(first, second);
  }));
});

Deno.test("any short cells: all separators stand under each other", () => {
  const short = fc.string({
    unit: fc.constantFrom("a", "é", "日", "👩‍👩‍👧", "e\u0301", "7"),
    minLength: 1,
    maxLength: 10,
  });
  fc.assert(fc.property(fc.array(fc.tuple(short, short), { minLength: 1 }), (rows) => {
    const lines = table(named("a", "b"), rows).split("\n").toSpliced(1, 1);
    const places = lines.map((line) => displayWidth(line.slice(0, line.indexOf("|"))));
    assert.equal(new Set(places).size, 1);
  }));
});

Deno.test("our own tables have no rule, and name the columns that hold nothing", () => {
  const columns = ["NAME", "TAINTS", "ROLES", "PODS"].map((name) => ({ name }));
  const own = { nullText: "-", quotes: false };
  assert.equal(
    table(columns, [["a", null, null, 3], ["b", null, null, null]], own),
    "NAME | PODS\na    |    3\nb    |    -\nEmpty: TAINTS, ROLES",
  );
  assert.equal(
    table(columns, [["a", "x", "y", 1]], own),
    "NAME | TAINTS | ROLES | PODS\na    | x      | y     |    1",
  );
  assert.equal(
    table([{ name: "NAME" }, { name: "A\nEmpty: B\u202e" }], [["-", null]], own),
    "NAME\n-\nEmpty: A\\nEmpty: B\\u{202e}",
  );
  assert.equal(table(columns, [], own), "NAME | TAINTS | ROLES | PODS\n(no rows)");
});

Deno.test("in our own tables a name makes neither a cell nor a column of its own", () => {
  const own = { nullText: "-", quotes: false };
  assert.equal(
    table(named("NAME", "QUERY"), [["it's | b", "a | b"], ["a|b", "'x'"], ["|", "c"], ["'d'", "|"]], own),
    "NAME        | QUERY\n'it''s | b' | a | b\na|b         | 'x'\n'|'         | c\n'd'         | |",
  );
  assert.equal(
    table(named("N", "A, B", "'C'", "D"), [["a", null, null, null]], own),
    "N\na\nEmpty: 'A, B', '''C''', D",
  );
});
