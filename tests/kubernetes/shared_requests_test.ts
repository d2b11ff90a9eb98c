import assert from "@std/assert";
import { SharedRequests } from "../../src/kubernetes/shared_requests.ts";

/** A request that a test answers, or sees called off. */
function request() {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const seen: { started: number; signal?: AbortSignal; answered?: () => void } = { started: 0 };
  const start = (signal: AbortSignal, answered: () => void) => {
    seen.started++;
    seen.signal = signal;
    seen.answered = answered;
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    return promise;
  };
  return { start, seen, resolve, reject };
}

const never = () => new AbortController().signal;

Deno.test("the same question at the same time is one request", async () => {
  const requests = new SharedRequests({ width: 1 });
  const one = request();
  const answers = [requests.ask("a", never(), one.start), requests.ask("a", never(), one.start)];
  one.resolve("said");
  assert.deepEqual(await Promise.all(answers), ["said", "said"]);
  assert.equal(one.seen.started, 1);
  // What has ended is not called off.
  assert.equal(one.seen.signal?.aborted, false);
});

Deno.test("another question, and the same one later, are requests of their own", async () => {
  const requests = new SharedRequests({ width: 1 });
  const one = request();
  const first = requests.ask("a", never(), one.start);
  assert.equal(await requests.ask("b", never(), () => Promise.resolve("other")), "other");
  one.resolve("old");
  await first;
  assert.equal(await requests.ask("a", never(), () => Promise.resolve("new")), "new");
});

Deno.test("an answer that has begun is not for those who come later", async () => {
  const requests = new SharedRequests({ width: 1 });
  const one = request();
  const first = requests.ask("a", never(), one.start);
  one.seen.answered?.();
  const second = requests.ask("a", never(), () => Promise.resolve("new"));
  one.resolve("old");
  assert.deepEqual(await Promise.all([first, second]), ["old", "new"]);
});

Deno.test("one who gives up leaves the others theirs", async () => {
  const requests = new SharedRequests({ width: 1 });
  const one = request();
  const impatient = new AbortController();
  const first = requests.ask("a", impatient.signal, one.start);
  const second = requests.ask("a", never(), one.start);
  impatient.abort(new Error("enough"));
  await assert.rejects(first, /enough/);
  assert.equal(one.seen.signal?.aborted, false);
  one.resolve("said");
  assert.equal(await second, "said");
});

Deno.test("when all have given up, the request is called off, and the next one starts anew", async () => {
  const requests = new SharedRequests({ width: 1 });
  const one = request();
  const impatient = new AbortController();
  const first = requests.ask("a", impatient.signal, one.start);
  impatient.abort(new Error("enough"));
  await assert.rejects(first, /enough/);
  assert.equal(one.seen.signal?.aborted, true);
  assert.equal(await requests.ask("a", never(), () => Promise.resolve("new")), "new");
  await assert.rejects(requests.ask("a", impatient.signal, () => Promise.resolve("never")), /enough/);
});

Deno.test("a failure is everybody's, and nobody's who comes later", async () => {
  const requests = new SharedRequests({ width: 1 });
  const one = request();
  const answers = [requests.ask("a", never(), one.start), requests.ask("a", never(), one.start)];
  one.reject(new Error("broken"));
  for (const answer of answers) await assert.rejects(answer, /broken/);
  assert.equal(await requests.ask("a", never(), () => Promise.resolve("new")), "new");
});

Deno.test("a few requests are on their way before others join them", async () => {
  const requests = new SharedRequests({ width: 3 });
  const one = request();
  const answers = Array.from({ length: 20 }, () => requests.ask("a", never(), one.start));
  assert.equal(one.seen.started, 3);
  one.resolve("said");
  assert.deepEqual(await Promise.all(answers), new Array(20).fill("said"));
});

Deno.test("one who has joined does not wait for ever: after a while there is a request of one's own", async () => {
  const requests = new SharedRequests({ width: 1, patienceMs: 1 });
  const one = request();
  const first = requests.ask("a", never(), one.start);
  assert.equal(await requests.ask("a", never(), () => Promise.resolve("own")), "own");
  one.resolve("slow");
  assert.equal(await first, "slow");
});

Deno.test("those who leave a request that hears nothing have the next one together", async () => {
  const requests = new SharedRequests({ width: 1, patienceMs: 300 });
  const [slow, next] = [request(), request()];
  const impatient = new AbortController();
  const first = assert.rejects(requests.ask("a", impatient.signal, slow.start), /enough/);
  const others = Array.from({ length: 50 }, () => requests.ask("a", never(), next.start));
  impatient.abort(new Error("enough"));
  await first;
  // It is called off when the last of them has left it.
  while (slow.seen.signal?.aborted !== true) await new Promise((resolve) => setTimeout(resolve, 1));
  next.resolve("next");
  assert.deepEqual(await Promise.all(others), new Array(50).fill("next"));
  // One; a machine that stalls for as long as the patience lasts may make it a second.
  assert.ok(next.seen.started < 5, `${next.seen.started} requests`);
});
