import assert from "@std/assert";
import {
  addQuantities,
  bytesText,
  coresText,
  milli,
  parseQuantity,
  percentOf,
  whole,
} from "../../src/kubernetes/quantity.ts";

const nano = 1_000_000_000n;

const quantities: readonly (readonly [text: unknown, nanos: bigint | undefined])[] = [
  ["0", 0n],
  ["1", nano],
  ["250m", nano / 4n],
  ["1.5", nano * 3n / 2n],
  [".5", nano / 2n],
  ["5.", nano * 5n],
  ["+2", nano * 2n],
  ["-100m", -nano / 10n],
  ["12345678n", 12_345_678n],
  ["3u", 3_000n],
  ["1k", 1_000n * nano],
  ["1M", 1_000_000n * nano],
  ["2G", 2_000_000_000n * nano],
  ["1T", 10n ** 12n * nano],
  ["1P", 10n ** 15n * nano],
  ["1E", 10n ** 18n * nano],
  ["1Ki", 1024n * nano],
  ["512Mi", 512n * 1024n ** 2n * nano],
  ["1.5Gi", 3n * 1024n ** 3n / 2n * nano],
  ["1Ti", 1024n ** 4n * nano],
  ["1Pi", 1024n ** 5n * nano],
  ["8Ei", 8n * 1024n ** 6n * nano],
  ["1e3", 1_000n * nano],
  ["1E3", 1_000n * nano],
  ["12e-1", nano * 12n / 10n],
  ["1.5e2", 150n * nano],
  ["0.0000000001", 1n],
  ["128974848", 128_974_848n * nano],
  [2, 2n * nano],
  [0.25, nano / 4n],
  ["", undefined],
  [".", undefined],
  ["m", undefined],
  ["1K", undefined],
  ["1ki", undefined],
  ["1 Gi", undefined],
  ["1Gi ", undefined],
  ["0x10", undefined],
  ["1e", undefined],
  ["1e999", undefined],
  ["1mi", undefined],
  [undefined, undefined],
  [NaN, undefined],
];
for (const [text, nanos] of quantities) {
  Deno.test(`the quantity ${JSON.stringify(text)} is ${nanos === undefined ? "none" : `${nanos} nanos`}`, () => {
    assert.equal(parseQuantity(text), nanos);
  });
}

Deno.test("sums are exact, and what is no quantity counts as none", () => {
  assert.equal(addQuantities(Array.from({ length: 10 }, () => "100m")), nano);
  assert.equal(addQuantities(["1Gi", "1Mi", "junk", undefined]), (1024n ** 3n + 1024n ** 2n) * nano);
});

const texts: readonly (readonly [quantity: string, cores: string, bytes: string])[] = [
  ["0", "0", "0"],
  ["1", "1", "1"],
  ["1500m", "1500m", "2"],
  ["100u", "1m", "1"],
  ["256Gi", "256", "256Gi"],
  ["1.25Gi", "", "1.3Gi"],
  ["1023Ki", "", "1023Ki"],
  ["1023.99Ki", "", "1Mi"],
  ["128974848", "", "123Mi"],
  ["500", "500", "500"],
];
for (const [quantity, cores, bytes] of texts) {
  Deno.test(`${quantity} reads ${bytes} as bytes`, () => {
    const nanos = parseQuantity(quantity) ?? 0n;
    assert.equal(bytesText(nanos), bytes);
    if (cores !== "" && !quantity.endsWith("Gi")) assert.equal(coresText(nanos), cores);
  });
}

Deno.test("structured answers have whole numbers, rounded up, and percents rounded down", () => {
  assert.equal(milli(1n), 1);
  assert.equal(whole(parseQuantity("1.5") ?? 0n), 2);
  assert.equal(percentOf(parseQuantity("999m") ?? 0n, nano), 99);
  assert.equal(percentOf(nano, 0n), undefined);
});
