import assert from "@std/assert";
import { humanDuration, kubernetesAge } from "../../src/kubernetes/kubernetes_age.ts";

const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;
const year = 365 * day;

// The first part is the table of k8s.io/apimachinery/pkg/util/duration/duration_test.go.
const cases: readonly (readonly [milliseconds: number, text: string])[] = [
  [second, "1s"],
  [70 * second, "70s"],
  [190 * second, "3m10s"],
  [70 * minute, "70m"],
  [47 * hour, "47h"],
  [49 * hour, "2d1h"],
  [(8 * 24 + 2) * hour, "8d"],
  [367 * day, "367d"],
  [(365 * 2 + 25) * day, "2y25d"],
  [(365 * 8 + 2) * day, "8y"],
  [0, "0s"],
  [second - 1, "0s"],
  [2 * minute - 1, "119s"],
  [2 * minute, "2m"],
  [10 * minute - 1, "9m59s"],
  [10 * minute, "10m"],
  [3 * hour - 1, "179m"],
  [3 * hour, "3h"],
  [8 * hour - 1, "7h59m"],
  [8 * hour, "8h"],
  [2 * day, "2d"],
  [8 * day - 1, "7d23h"],
  [8 * day, "8d"],
  [2 * year - 1, "729d"],
  [2 * year, "2y"],
  [8 * year - 1, "7y364d"],
  [-1_500, "0s"],
  [-2_000, "<invalid>"],
];
for (const [milliseconds, text] of cases) {
  Deno.test(`humanDuration(${milliseconds}) is ${text}`, () =>
    assert.equal(humanDuration(milliseconds), text));
}

Deno.test("an age without a time is unknown", () => {
  assert.equal(kubernetesAge(undefined, 0), "<unknown>");
  assert.equal(kubernetesAge(1_000, 61_000), "60s");
});
