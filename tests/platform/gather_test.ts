import assert from "@std/assert";
import { within } from "../../src/platform/gather.ts";
import { rejection } from "../support/rejection.ts";

const never = new AbortController().signal;

Deno.test("within: what comes in time comes", async () => {
  assert.equal(await within(60_000, never, () => Promise.resolve(17)), 17);
});

Deno.test("within: what does not is given up, and told to stop", async () => {
  let told: AbortSignal | undefined;
  const late = within(5, never, (signal) => {
    told = signal;
    return new Promise(() => {});
  });
  const error = await rejection(late);
  assert.equal(`${error.kind}: ${error.message}`, "unavailable: no answer within 5 ms");
  assert.equal(told?.aborted, true);
});

Deno.test("within: a caller who gives up is heard at once", async () => {
  const caller = new AbortController();
  const work = within(
    60_000,
    caller.signal,
    (signal) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
  );
  caller.abort(new Error("enough"));
  await assert.rejects(work, /enough/);
});
