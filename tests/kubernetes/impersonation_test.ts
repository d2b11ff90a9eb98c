import assert from "@std/assert";
import { getPods } from "../../src/kubernetes/get_pods.ts";
import { permitted } from "../support/permitted.ts";
import { callTool } from "../support/tools.ts";
import { FakeApiserver } from "./fake_apiserver.ts";

Deno.test({
  name: "over plain HTTP, as to kubectl proxy, credentials stay here and an impersonation goes along",
  ignore: !permitted,
  async fn() {
    const heard: Headers[] = [];
    const pods = ({ headers }: Request) => {
      heard.push(headers);
      return Response.json({ kind: "PodList", items: [] });
    };
    await using api = FakeApiserver.start(
      { "/api/v1/namespaces/default/pods": pods },
      { token: "t", as: "readonly", "as-groups": ["viewers"] },
    );
    await callTool(getPods(api.clusters), {});
    assert.deepEqual(
      heard.map((headers) =>
        ["impersonate-user", "impersonate-group", "authorization"].map((name) => headers.get(name))
      ),
      [["readonly", "viewers", null]],
    );
  },
});
