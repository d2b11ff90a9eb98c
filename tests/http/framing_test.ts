/** The check of a body's length, which a runtime that reads heads strictly does not leave much to. */
import assert from "@std/assert";
import { refuseByFraming } from "../../src/common/http/framing.ts";
import { fieldsOf } from "../../src/common/http/http_request.ts";

Deno.test.each(
  [
    [undefined, []],
    [undefined, ["Content-Length", "4"]],
    [undefined, ["Transfer-Encoding", " Chunked "]],
    [400, ["Transfer-Encoding", "chunked", "Content-Length", "4"]],
    [501, ["Transfer-Encoding", "gzip, chunked"]],
    [501, ["Transfer-Encoding", "gzip", "transfer-encoding", "chunked"]],
    [501, ["Transfer-Encoding", "chunked", "transfer-encoding", "gzip"]],
  ] satisfies [number | undefined, string[]][],
)("%s: %j", (status, headers) => {
  const request = { method: "POST", url: "http://localhost/", body: null, headers: fieldsOf(headers) };
  assert.equal(refuseByFraming(request)?.status, status);
});
