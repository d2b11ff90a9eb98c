/** Signals that stand for several, and work that is not waited for whatever it takes. */
import assert from "@std/assert";
import { abortable, anySignal, settledWithin } from "../../src/common/waiting.ts";

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

Deno.test("work is not waited for once the signal aborts, and what becomes of it then is nobody's error", async () => {
  const controller = new AbortController();
  const work = Promise.withResolvers<string>();
  const answer = abortable(work.promise, controller.signal);
  controller.abort(new Error("enough"));
  await assert.rejects(answer, /enough/);
  work.reject(new Error("too late"));
  await assert.rejects(abortable(Promise.reject(new Error("unheard")), controller.signal), /enough/);
  await assert.rejects(abortable(new Promise(() => {}), controller.signal), /enough/);
});

Deno.test("work that has settled leaves nothing on a signal that lasts", async () => {
  const { signal } = new AbortController();
  let listeners = 0;
  const counted = Object.assign(Object.create(signal) as AbortSignal, {
    addEventListener: () => listeners++,
    removeEventListener: () => listeners--,
  });
  Object.defineProperty(counted, "aborted", { value: false });
  assert.equal(await abortable(Promise.resolve("done"), counted), "done");
  assert.equal(listeners, 0);
});

Deno.test("what is waited for no longer than a time may fail, or last for ever", async () => {
  await settledWithin(Promise.reject(new Error("its own affair")), 60_000);
  await settledWithin(new Promise(() => {}), 0);
});
