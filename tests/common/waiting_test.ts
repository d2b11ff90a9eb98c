/** A signal that stands for several. */
import assert from "@std/assert";
import { anySignal } from "../../src/common/waiting.ts";

Deno.test("one of several signals aborts for all, with its reason", () => {
  const [first, second] = [new AbortController(), new AbortController()];
  using any = anySignal(first.signal, second.signal);
  assert.equal(any.signal.aborted, false);
  second.abort("the second");
  first.abort("the first");
  assert.equal(any.signal.reason, "the second");
});

Deno.test("one that has aborted already counts", () => {
  using any = anySignal(new AbortController().signal, AbortSignal.abort("before"));
  assert.equal(any.signal.reason, "before");
});

Deno.test("one that is disposed of aborts only when it is told to", () => {
  const controller = new AbortController();
  const any = anySignal(controller.signal);
  any[Symbol.dispose]();
  controller.abort();
  assert.equal(any.signal.aborted, false);
  any.abort();
  assert.equal(any.signal.aborted, true);
});
