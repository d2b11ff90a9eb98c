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
