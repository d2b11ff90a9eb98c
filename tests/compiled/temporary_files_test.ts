import assert from "@std/assert";
import { compiled, programNames, RawClient } from "../support/mcp.ts";

const nobodysKubeconfig = `current-context: nobody
contexts: [{name: nobody, context: {cluster: none, user: nobody}}]
clusters: [{name: none, cluster: {server: "http://127.0.0.1:1"}}]
users: [{name: nobody, user: {}}]
`;

for (const program of programNames) {
  Deno.test({
    name: `${program}-mcp puts nothing into the folder for temporary files, where others could change it`,
    ignore: !compiled,
    async fn() {
      const folder = await Deno.makeTempDir();
      const temporary = `${folder}/temporary`;
      const kubeconfig = `${folder}/kubeconfig`;
      try {
        await Deno.mkdir(temporary);
        await Deno.writeTextFile(kubeconfig, nobodysKubeconfig);
        const variables = {
          ...{ TMPDIR: temporary, TEMP: temporary, TMP: temporary },
          ...{ KUBECONFIG: kubeconfig, PROMETHEUS_URL: "http://127.0.0.1:1", DB_PORT: "1" },
        };
        await using client = await RawClient.connect({ program, variables });
        const { result } = await client.request("tools/list");
        assert.ok(Array.isArray(result?.tools));
        await client.endInput();
        await client.ended;
        assert.deepEqual([...Deno.readDirSync(temporary)].map(({ name }) => name), []);
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    },
  });
}
