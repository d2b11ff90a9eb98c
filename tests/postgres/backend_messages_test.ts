/** The framing of what a server sends, however the network cuts it. */
import assert from "@std/assert";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { BackendMessages, ProtocolError } from "../../src/postgres/backend_messages.ts";
import { type Cell, RowReader } from "../../src/postgres/row_reader.ts";

function message(type: string, ...parts: Uint8Array[]): Buffer {
  const body = Buffer.concat(parts);
  const head = Buffer.alloc(5);
  head.write(type, 0, "latin1");
  head.writeUInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

function int(value: number, bytes: 2 | 4): Buffer {
  const buffer = Buffer.alloc(bytes);
  buffer.writeIntBE(value, 0, bytes);
  return buffer;
}

function row(cells: readonly Cell[]): Buffer {
  const parts = cells.flatMap((cell) =>
    cell === null ? [int(-1, 4)] : [int(Buffer.byteLength(cell), 4), Buffer.from(cell)]
  );
  return message("D", int(cells.length, 2), ...parts);
}

/** What arrives when `bytes` come in chunks of these sizes, over and over. */
function read(
  bytes: Uint8Array,
  sizes: readonly number[],
  limits = { maxRows: 1e9, cellBytes: 1e9, answerBytes: 1e9 },
) {
  const reader = new RowReader(limits);
  const seen: string[] = [];
  const errors: Record<string, string>[] = [];
  const messages = new BackendMessages({
    message: (type, body) => seen.push(type + body.length),
    error: (fields) => errors.push(Object.fromEntries(fields)),
    reader: () => reader,
  });
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const size = sizes[turn % sizes.length] ?? 1;
    const chunk = Uint8Array.from(bytes.subarray(at, at + size));
    messages.push(chunk);
    // A socket may use its buffer again.
    chunk.fill(0x2a);
    at += size;
  }
  return { reader, seen, errors };
}

const cell = fc.option(fc.string({ unit: "grapheme", maxLength: 20 }), { nil: null });
const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 5 });

Deno.test("rows are the same however they are chopped", () => {
  fc.assert(
    fc.property(fc.array(fc.array(cell, { maxLength: 5 }), { maxLength: 10 }), sizes, (rows, sizes) => {
      const bytes = Buffer.concat([
        message("2"),
        ...rows.flatMap((cells) => [row(cells), message("N", Buffer.from("a notice"))]),
        message("C", Buffer.from("SELECT\0")),
      ]);
      const { reader, seen } = read(bytes, sizes);
      assert.deepEqual(reader.rows, rows);
      assert.deepEqual(seen, ["20", "C7"]);
    }),
    { seed: 20260103 },
  );
});

Deno.test("a cut cell is a beginning of the whole one, of whole characters", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 20 }), fc.nat(20), sizes, (text, cellBytes, sizes) => {
      const whole = Buffer.from(text);
      const { reader } = read(row([text]), sizes, { maxRows: 1, cellBytes, answerBytes: 1e9 });
      const kept = reader.rows[0]?.[0] ?? "";
      const size = Buffer.byteLength(kept);
      assert.ok(text.startsWith(kept));
      assert.ok(size <= cellBytes);
      // Not more is missing than one character.
      if (whole.length > cellBytes) assert.ok(cellBytes - size < 4);
      assert.equal(reader.cut.get("0:0"), whole.length > cellBytes ? whole.length : undefined);
    }),
    { seed: 20260104 },
  );
});

Deno.test("an error's fields, long ones cut, which is said", () => {
  const long = "ü".repeat(10_000);
  const bytes = message(
    "E",
    Buffer.from(`SERROR\0C22P02\0M${long}\0D${"x".repeat(4096)}\0Hx${long}\0P17\0\0`),
  );
  for (const sizes of [[1], [7], [100_000]]) {
    const { errors } = read(bytes, sizes);
    assert.equal(errors.length, 1);
    assert.deepEqual([errors[0]?.C, errors[0]?.P], ["22P02", "17"]);
    assert.equal(errors[0]?.M, `${"ü".repeat(2048)}… (20 kB)`);
    assert.equal(errors[0]?.D, "x".repeat(4096));
    assert.equal(errors[0]?.H, `x${"ü".repeat(2047)}… (20 kB)`);
  }
});

Deno.test("of an error's fields no more are kept than there are kinds of them", () => {
  const letters = Array.from({ length: 60 }, (_, at) => String.fromCharCode(33 + at));
  const { errors } = read(
    message("E", Buffer.from(`${letters.map((letter) => `${letter}x\0`).join("")}\0`)),
    [7],
  );
  assert.deepEqual(Object.keys(errors[0] ?? {}).toSorted(), letters.slice(0, 32).toSorted());
});

/** The head of a message of so many bytes, none of which come. */
function head(type: string, length: number): Buffer {
  const bytes = message(type);
  bytes.writeUInt32BE(length, 1);
  return bytes;
}

const impossible: readonly (readonly [string, Uint8Array, RegExp])[] = [
  ["a message without room for its length", head("Z", 3), /a message of 3 bytes/],
  ["a message of more than PostgreSQL sends", head("N", 0x40000004), /a message of 1073741828 bytes/],
  ["a message that is to be read whole, and is too large", head("S", (1 << 20) + 5), /"S" of 1048581 bytes/],
  ["a message of an unknown kind", message("x"), /unknown kind/],
  ["a row without a number of cells", message("D", Buffer.of(0)), /a row that is too short/],
  ["a row with fewer cells than it says", message("D", int(2, 2), int(-1, 4)), /a row that is too short/],
  [
    "a row with more than its cells",
    message("D", int(1, 2), int(-1, 4), Buffer.of(1)),
    /a row that is too long/,
  ],
  ["a cell of less than nothing", message("D", int(1, 2), int(-2, 4)), /a cell of -2 bytes/],
  ["a cell beyond its row", message("D", int(1, 2), int(5, 4), Buffer.from("four")), /a cell of 5 bytes/],
];

for (const [what, bytes, complaint] of impossible) {
  Deno.test(`${what} is refused as soon as it shows`, () => {
    for (const size of [1, 1_000]) {
      assert.throws(
        () => read(bytes, [size]),
        (error: unknown) => error instanceof ProtocolError && complaint.test(error.message),
      );
    }
  });
}

Deno.test("of the rows no more are kept than there may be, and of their bytes none after the first that is too much", () => {
  const limits = { maxRows: 4, cellBytes: 100, answerBytes: 10 };
  const kept = (...cells: readonly string[]) => {
    const { reader } = read(Buffer.concat(cells.map((cell) => row([cell]))), [3], limits);
    return { rows: reader.rows.map(([cell]) => cell), dropped: reader.dropped, more: reader.more };
  };
  assert.deepEqual(kept("a", "b", "c", "d"), { rows: ["a", "b", "c", "d"], dropped: 0, more: false });
  assert.deepEqual(kept("a", "b", "c", "d", "e", "f"), {
    rows: ["a", "b", "c", "d"],
    dropped: 0,
    more: true,
  });
  assert.deepEqual(kept("12345", "67890", "x"), { rows: ["12345", "67890"], dropped: 1, more: false });
  assert.deepEqual(kept("1234567890", "", ""), { rows: ["1234567890"], dropped: 2, more: false });
  // What fits behind a row that does not would look like the next one.
  assert.deepEqual(kept("a", "1234567890", "b"), { rows: ["a"], dropped: 2, more: false });
  assert.deepEqual(kept("12345678901", "b"), { rows: ["12345678901"], dropped: 1, more: false });
  assert.deepEqual(kept("a", "1234567890", "b", "c", "d"), { rows: ["a"], dropped: 3, more: true });
});

Deno.test("garbage is read to its end, or refused", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), sizes, (bytes, sizes) => {
      try {
        read(bytes, sizes);
      } catch (error) {
        assert.ok(error instanceof ProtocolError);
      }
    }),
    { seed: 20260105 },
  );
});
