import assert from "@std/assert";
import { asClient } from "../../src/common/asking_client.ts";
import type { BoundedResponse } from "../../src/common/bounded_fetch.ts";
import { Intake } from "../../src/kubernetes/intake.ts";

const never = new AbortController().signal;

/** A body of chunks of 64 KiB, of which a test sees how many were taken, and which ends when it says so. */
function body(chunks: number, end: Promise<void> = Promise.resolve()) {
  const seen = { taken: 0 };
  const response: BoundedResponse = {
    status: 200,
    headers: new Headers(),
    async *chunks() {
      for (; seen.taken < chunks; seen.taken++) yield new Uint8Array(64 * 1024).fill(120);
      await end;
    },
    text: () => Promise.reject(new Error("not by this way")),
    discard: () => Promise.resolve(),
  };
  return { response, seen };
}

/** Lets everything that can go on do so. */
async function settle(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 0));
}

Deno.test("small answers are read at once, however many large ones are on their way", async () => {
  const intake = new Intake();
  const held = Promise.withResolvers<void>();
  const large = Array.from({ length: 10 }, () => body(8, held.promise));
  const reading = large.map(({ response }) => intake.read(response, never, (text) => text.length));
  await settle();
  assert.equal(large.filter(({ seen }) => seen.taken === 8).length, 2);
  assert.equal(await intake.read(body(1).response, never, (text) => text.length), 64 * 1024);
  held.resolve();
  assert.deepEqual(await Promise.all(reading), large.map(() => 8 * 64 * 1024));
});

Deno.test("very large ones are taken in one after the other", async () => {
  const intake = new Intake();
  const held = Promise.withResolvers<void>();
  const bodies = Array.from({ length: 4 }, () => body(100, held.promise));
  const reading = bodies.map(({ response }) => intake.read(response, never, (text) => text.length));
  await settle();
  assert.equal(bodies.filter(({ seen }) => seen.taken === 100).length, 1);
  held.resolve();
  await Promise.all(reading);
});

Deno.test("one that fails leaves its place to the next", async () => {
  const intake = new Intake();
  const failing = () => ({
    ...body(0).response,
    async *chunks() {
      for (let at = 0; at < 60; at++) yield new Uint8Array(64 * 1024);
      await Promise.reject(new Error("broken"));
    },
  });
  for (let at = 0; at < 10; at++) await assert.rejects(intake.read(failing(), never, String), /broken/);
  await assert.rejects(
    intake.read(body(60).response, never, () => {
      throw new Error("no JSON");
    }),
    /no JSON/,
  );
  assert.equal(await intake.read(body(60).response, never, (text) => text.length), 60 * 64 * 1024);
});

Deno.test("one that gives up waiting does so at once, and takes nobody's place", async () => {
  const intake = new Intake();
  const held = Promise.withResolvers<void>();
  const first = [body(8, held.promise), body(8, held.promise)]
    .map(({ response }) => intake.read(response, never, (text) => text.length));
  await settle();
  const caller = new AbortController();
  const given = intake.read(body(8).response, caller.signal, String);
  const next = intake.read(body(8).response, never, (text) => text.length);
  await settle();
  caller.abort(new Error("no longer wanted"));
  await assert.rejects(given, /no longer wanted/);
  held.resolve();
  await Promise.all(first);
  assert.equal(await next, 8 * 64 * 1024);
  // Both places are free again.
  const last = Promise.withResolvers<void>();
  const two = [body(8, last.promise), body(8, last.promise)];
  const reading = two.map(({ response }) => intake.read(response, never, String));
  await settle();
  assert.equal(two.filter(({ seen }) => seen.taken === 8).length, 2);
  last.resolve();
  await Promise.all(reading);
});

Deno.test("one client's large answers do not keep another's waiting to the last", async () => {
  const intake = new Intake();
  const order: string[] = [];
  const held = Promise.withResolvers<void>();
  const read = (client: string) =>
    asClient(client, () => intake.read(body(8, held.promise).response, never, () => order.push(client)));
  const reading = ["alice", "alice", "alice", "alice", "alice", "bob"].map(read);
  await settle();
  held.resolve();
  await Promise.all(reading);
  assert.ok(order.indexOf("bob") <= 2, order.join(", "));
});
