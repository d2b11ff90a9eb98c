import assert from "@std/assert";
import { FrontendMessages } from "../../src/postgres/frontend_messages.ts";

/** Bytes as text, for reading. */
const shown = (bytes: Uint8Array) => new TextDecoder("latin1").decode(bytes);

Deno.test("a statement and its parameters, as the protocol wants them", () => {
  const out = new FrontendMessages();
  out.parse("n", "select $1").bind("n", ["ü", null, ""]).describe().execute(7).sync();
  assert.equal(
    shown(out.take()),
    "P\0\0\0\x12n\0select $1\0\0\0" +
      "B\0\0\0\x1b\0n\0\0\0\0\x03\0\0\0\x02\xc3\xbc\xff\xff\xff\xff\0\0\0\0\0\0" +
      "D\0\0\0\x06P\0" + "E\0\0\0\x09\0\0\0\0\x07" + "S\0\0\0\x04",
  );
  assert.ok(out.empty);
  assert.equal(shown(out.query("rollback").take()), "Q\0\0\0\x0drollback\0");
});

Deno.test("texts of any length, and 65,533 parameters", () => {
  const out = new FrontendMessages();
  const long = "🐘".repeat(1_000_000);
  const bytes = out.parse("", long).take();
  assert.equal(bytes.length, 5 + 1 + 4_000_000 + 1 + 2);
  assert.equal(new DataView(bytes.buffer, bytes.byteOffset).getInt32(1), bytes.length - 1);
  const many = out.bind("", Array.from({ length: 65_533 }, () => "1")).take();
  assert.equal(new DataView(many.buffer, many.byteOffset).getUint16(5 + 4), 65_533);
});

Deno.test("a text that would end in the middle of a message is not written", () => {
  assert.throws(() => new FrontendMessages().parse("", "select 1\0; drop table t"), TypeError);
  assert.throws(() => new FrontendMessages().query("a\0"), TypeError);
});
