/** An apiserver that says what a test wants, for answers and faults that a real one can't be made to give. */
import { stringify } from "yaml";
import { Environment } from "../../src/common/env.ts";
import { Clusters } from "../../src/kubernetes/api.ts";
import { readKubernetesSettings } from "../../src/kubernetes/settings.ts";

/** An object is answered as JSON; a function is asked. */
export type Answer = object | Response | ((request: Request) => Response | Promise<Response>);

/** Answers by path, without the query; 404 for every other, but for namespaces, which there are. */
export class FakeApiserver implements AsyncDisposable {
  readonly answers: Record<string, Answer>;
  readonly clusters: Clusters;
  /** Paths and queries that were asked for. */
  readonly asked: string[] = [];
  /** The most requests that were open at once. */
  mostAtOnce = 0;
  #open = 0;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  private constructor(answers: Record<string, Answer>, user: Readonly<Record<string, unknown>>) {
    this.answers = answers;
    this.#server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
      this.mostAtOnce = Math.max(this.mostAtOnce, ++this.#open);
      try {
        return await this.#answer(request);
      } finally {
        this.#open--;
      }
    });
    const kubeconfig = stringify({
      clusters: [{ name: "fake", cluster: { server: `http://127.0.0.1:${this.#server.addr.port}` } }],
      users: [{ name: "fake", user }],
      contexts: [{ name: "fake", context: { cluster: "fake", user: "fake" } }],
      "current-context": "fake",
    });
    const environment = new Environment({
      get: (name) => name === "KUBECONFIG" ? "/fake" : undefined,
      readFile: () => kubeconfig,
    });
    this.clusters = new Clusters(readKubernetesSettings(environment));
  }

  static start(
    answers: Record<string, Answer>,
    user: Readonly<Record<string, unknown>> = { token: "t" },
  ): FakeApiserver {
    return new FakeApiserver(answers, user);
  }

  async #answer(request: Request): Promise<Response> {
    const { pathname, search } = new URL(request.url);
    this.asked.push(pathname + search);
    const answer = this.answers[pathname];
    const [, namespace] = /^\/api\/v1\/namespaces\/([^/]+)$/.exec(pathname) ?? [];
    if (answer === undefined && namespace !== undefined) {
      return Response.json({ kind: "Namespace", metadata: { name: namespace } });
    }
    if (answer === undefined) {
      return Response.json({
        kind: "Status",
        code: 404,
        reason: "NotFound",
        message: "the server could not find the requested resource",
      }, { status: 404 });
    }
    if (answer instanceof Response) return answer.clone();
    return typeof answer === "function" ? await answer(request) : Response.json(answer);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.clusters.close();
    await this.#server.shutdown();
  }
}
