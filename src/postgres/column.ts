/** Columns of a result, as the server describes them. */
import { ProtocolError } from "./backend_messages.ts";
import type { ColumnDescription } from "./row_reader.ts";

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** Reads RowDescription's body. Throws {@linkcode ProtocolError}. */
export function readColumns(body: Uint8Array): ColumnDescription[] {
  const view = new DataView(body.buffer, body.byteOffset, body.length);
  const columns: ColumnDescription[] = [];
  const broken = () => new ProtocolError("a description of columns that is too short");
  if (body.length < 2) throw broken();
  let at = 2;
  for (let left = view.getUint16(0); left > 0; left--) {
    const end = body.indexOf(0, at);
    if (end === -1 || end + 19 > body.length) throw broken();
    columns.push({
      name: decoder.decode(body.subarray(at, end)),
      // end + 1 is the table, end + 5 the attribute of it.
      typeOid: view.getUint32(end + 7),
      // end + 11 is the type's size.
      typmod: view.getInt32(end + 13),
    });
    at = end + 19;
  }
  return columns;
}
