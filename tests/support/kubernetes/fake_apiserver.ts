/** A server that does what no apiserver can be made to do, behind a kubeconfig of one context. */
import { Environment } from "../../../src/common/env.ts";
import { Clusters } from "../../../src/kubernetes/api.ts";
import { readKubernetesSettings } from "../../../src/kubernetes/settings.ts";

/** What was made. */
export interface FakeApiserver extends AsyncDisposable {
  readonly url: string;
  /** The requests so far. */
  readonly requests: readonly { readonly method: string; readonly url: string; readonly headers: Headers }[];
  /** The product's own view of it. */
  readonly clusters: Clusters;
}

/** Starts one on a free loopback port, over plain HTTP. */
export function startFakeApiserver(
  answer: (request: Request, count: number) => Response | Promise<Response>,
  variables: Readonly<Record<string, string>> = {},
): FakeApiserver {
  const requests: { method: string; url: string; headers: Headers }[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    // A copy: the request itself can't be read once it has been answered.
    requests.push({ method: request.method, url: request.url, headers: new Headers(request.headers) });
    return answer(request, requests.length);
  });
  const url = `http://127.0.0.1:${server.addr.port}`;
  const clusters = clustersAt(url, variables);
  return {
    url,
    requests,
    clusters,
    async [Symbol.asyncDispose]() {
      clusters.close();
      await server.shutdown();
    },
  };
}

/** The product's view of a server at that address. */
export function clustersAt(url: string, variables: Readonly<Record<string, string>> = {}): Clusters {
  const config = JSON.stringify({
    "current-context": "fake",
    clusters: [{ name: "fake", cluster: { server: url } }],
    users: [{ name: "fake", user: { token: "swordfish" } }],
    contexts: [{ name: "fake", context: { cluster: "fake", user: "fake" } }],
  });
  const values: Readonly<Record<string, string>> = { KUBECONFIG: "/k", ...variables };
  return new Clusters(readKubernetesSettings(
    new Environment({ get: (name) => values[name], readFile: () => config }),
  ));
}
