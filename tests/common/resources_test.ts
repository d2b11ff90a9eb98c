import assert from "@std/assert";
import { templateValues } from "../../src/common/resources.ts";
import { tableUri } from "../../src/postgres/resources.ts";

Deno.test("a URI's values are what was encoded into it", () => {
  for (const name of ["users", "a/b", "%", "ü?#", "\\", " ", "."]) {
    assert.deepEqual(templateValues("postgres://tables/{schema}/{table}", tableUri(name, name)), [
      name,
      name,
    ]);
  }
});

Deno.test("a URI of another form has none", () => {
  const template = "prometheus://metrics/{metric}";
  assert.deepEqual(templateValues(template, "prometheus://metrics/a%2Fb"), ["a/b"]);
  const others = ["a?b", "a/b", "", "%", "%ff"].map((rest) => `prometheus://metrics/${rest}`);
  for (
    const uri of [...others, "prometheus://overview", "xprometheus://metrics/a", "prometheusX//metrics/a"]
  ) {
    assert.equal(templateValues(template, uri), undefined, uri);
  }
});
